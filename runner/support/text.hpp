// SPDX-License-Identifier: Apache-2.0
// Small operations on text that the standard library lacks.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace runner {

/// Lines without their ends; a last line without newline counts too.
std::vector<std::string_view> split_lines(std::string_view text);
/// The lines are parts of a text that has to be there as long as they are.
template <typename Text, typename = std::enable_if_t<std::is_same_v<Text, std::string>>>
std::vector<std::string_view> split_lines(Text&& text) = delete;

/// Whole lines out of a stream that comes in pieces.
class LineBuffer {
 public:
    /// Calls `take` with each line that is complete by now, without its end.
    template <typename Take>
    void push(std::string_view piece, Take&& take) {
        m_partial += piece;
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = m_partial.find('\n', begin)) != std::string::npos;
             begin = end + 1)
            take(std::string_view(m_partial).substr(begin, end - begin));
        m_partial.erase(0, begin);
    }
    /// The last line, when it had no end.
    template <typename Take>
    void flush(Take&& take) {
        if (!m_partial.empty()) take(std::string_view(m_partial));
        m_partial.clear();
    }

 private:
    std::string m_partial;
};

std::vector<std::string> split(std::string_view text, char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// "a, b and 3 more": at most `limit` of them by name, at least one.
std::string first_names(const std::vector<std::string>& names, std::size_t limit);

/// One word of a shell (bash, zsh, ksh) between quotes, whatever is in it; what is not visible is
/// written with escapes, so that the word is harmless (model/harmless.hpp).
std::string shell_quoted(const std::string& text);

/// The same, without quotes where none are needed.
std::string shell_word(const std::string& text);

/// A command that a shell takes apart into these arguments again.
std::string shell_command(const std::vector<std::string>& arguments);

/// ASCII letters in lower case.
std::string lower(std::string_view text);

/// Base64 (RFC 4648), padded.
std::string base64(std::string_view bytes);

/// `count` random bytes from the operating system, in hexadecimal.
std::string random_hex(std::size_t count);

/// "1 upgrade", "2 upgrades".
std::string counted(std::size_t count, const std::string& noun);

}  // namespace runner
