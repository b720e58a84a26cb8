// SPDX-License-Identifier: Apache-2.0
// A file that somebody else appends to, read as it grows.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "support/unique_fd.hpp"

namespace runner {

class FileFollower {
 public:
    /// The file need not be there yet; its folder must.
    explicit FileFollower(std::filesystem::path file);
    /// The next bytes, at most `limit`; empty when there are none now.
    std::string read(std::size_t limit);
    /// Until there may be more, or for `length`.
    void wait(std::chrono::milliseconds length);

 private:
    std::filesystem::path m_file;
    UniqueFd m_notices;
    UniqueFd m_open;
    std::uint64_t m_offset = 0;
};

}  // namespace runner
