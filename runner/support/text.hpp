// SPDX-License-Identifier: Apache-2.0
// Small operations on text that the standard library lacks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runner {

/// Lines without their ends; a last line without newline counts too.
std::vector<std::string_view> split_lines(std::string_view text);

std::vector<std::string> split(std::string_view text, char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// `bytes` as UTF-8 that a terminal and a JSON document can take: other bytes become U+FFFD,
/// control characters but tab and newline become `\xNN`. What a plugin prints must not move the
/// cursor or retitle the window.
std::string sanitize(std::string_view bytes);

/// `count` random bytes from the operating system, in hexadecimal.
std::string random_hex(std::size_t count);

/// "1 upgrade", "2 upgrades".
std::string counted(std::size_t count, const std::string& noun);

}  // namespace runner
