// SPDX-License-Identifier: Apache-2.0
// The tokens as they are now: a token that was revoked is nobody's from the next request on.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "config/token_file.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"

namespace runner {

class TokenBook {
 public:
    TokenBook(std::filesystem::path file, const Clock& clock);
    /// Whose token it is. Throws Error when the file cannot be read: then nobody is let in.
    std::optional<Token> find(std::string_view presented);
    /// Throws Error when the file cannot be read.
    std::size_t count();

 private:
    void refresh();

    std::filesystem::path m_file;
    const Clock& m_clock;
    std::mutex m_mutex;
    std::optional<FileStamp> m_stamp;
    std::vector<Token> m_tokens;
};

}  // namespace runner
