// SPDX-License-Identifier: Apache-2.0
// The file half of the lease: a kernel lock that dies with its holder.
#pragma once

#include <filesystem>

#include "support/unique_fd.hpp"

namespace runner {

class LeaseFile {
 public:
    /// Takes the lock on `file` (made when needed) at once; false when another process has it. The
    /// lock is held as long as any process has the descriptor open, so a plugin process that
    /// outlives its supervisor keeps others out.
    bool try_lock(const std::filesystem::path& file);
    void unlock() { m_fd.reset(); }
    [[nodiscard]] int descriptor() const { return m_fd.get(); }

 private:
    UniqueFd m_fd;
};

}  // namespace runner
