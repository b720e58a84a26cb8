// SPDX-License-Identifier: Apache-2.0
#include "support/text.hpp"

#include <sys/random.h>
#include <algorithm>

#include <array>
#include <cerrno>
#include <cstdint>

#include "model/error.hpp"
#include "model/harmless.hpp"

namespace runner {
namespace {

constexpr char k_hex_digits[] = "0123456789abcdef";

}  // namespace

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string joined;
    for (const std::string& part : parts) {
        if (!joined.empty()) joined += separator;
        joined += part;
    }
    return joined;
}

std::string first_names(const std::vector<std::string>& names, std::size_t limit) {
    const std::size_t count = std::min(names.size(), std::max<std::size_t>(limit, 1));
    const std::vector<std::string> first(names.begin(),
                                         names.begin() + static_cast<std::ptrdiff_t>(count));
    const std::size_t left = names.size() - count;
    return join(first, ", ") + (left == 0 ? "" : " and " + std::to_string(left) + " more");
}

namespace {

/// Whether a shell takes this word as it is. A word with '=' may be an assignment, so that only
/// options are let through with one.
bool is_plain_word(const std::string& word) {
    constexpr std::string_view k_plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
    if (word.empty() || word.find_first_not_of(k_plain) != std::string::npos) return false;
    return word.front() == '-' || word.find('=') == std::string::npos;
}

/// Whether a shell takes this word for a part of its language where a command begins.
bool is_reserved(std::string_view word) {
    constexpr std::array<std::string_view, 22> k_reserved{
        "case",   "coproc", "do",      "done",     "elif",  "else", "end",    "esac",
        "fi",     "for",    "foreach", "function", "if",    "in",   "noglob", "nocorrect",
        "repeat", "select", "then",    "time",     "until", "while"};
    return std::find(k_reserved.begin(), k_reserved.end(), word) != k_reserved.end();
}

/// Whether it can stand between single quotes and be read as it is.
bool is_visible(std::string_view word) {
    while (!word.empty()) {
        const Character character = first_character(word);
        if (!character.visible) return false;
        word.remove_prefix(character.length);
    }
    return true;
}

/// In octal, with three digits always: what follows cannot become part of it.
std::string in_octal(char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return {'\\', static_cast<char>('0' + (byte >> 6U)), static_cast<char>('0' + (byte >> 3U & 7U)),
            static_cast<char>('0' + (byte & 7U))};
}

/// $'...', where escapes stand for what is not visible.
std::string quoted_with_escapes(std::string_view word) {
    std::string text = "$'";
    while (!word.empty()) {
        const Character character = first_character(word);
        const char first = word.front();
        if (first == '\n' || first == '\r' || first == '\t') {
            text += first == '\n' ? "\\n" : first == '\r' ? "\\r" : "\\t";
        } else if (first == '\'' || first == '\\') {
            text += {'\\', first};
        } else {
            for (const char c : word.substr(0, character.length))
                text += character.visible ? std::string(1, c) : in_octal(c);
        }
        word.remove_prefix(character.length);
    }
    return text + "'";
}

}  // namespace

std::string shell_quoted(const std::string& text) {
    if (!is_visible(text)) return quoted_with_escapes(text);
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

std::string shell_word(const std::string& text) {
    return is_plain_word(text) ? text : shell_quoted(text);
}

std::string shell_command(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    for (const std::string& argument : arguments)
        words.push_back(words.empty() && is_reserved(argument) ? shell_quoted(argument)
                                                               : shell_word(argument));
    return join(words, " ");
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view k_base64_digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t at) {
            return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
        };
        const unsigned bits = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
        for (unsigned part = 0; part < 4; ++part)
            text += i + part <= bytes.size() ? k_base64_digits[(bits >> (18U - 6U * part)) & 0x3FU]
                                             : '=';
    }
    return text;
}

std::string random_hex(std::size_t count) {
    std::string bytes(count, '\0');
    if (getentropy(bytes.data(), bytes.size()) != 0)
        throw system_error("cannot get random bytes", errno);
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        text += {k_hex_digits[byte >> 4U], k_hex_digits[byte & 15U]};
    }
    return text;
}

std::string counted(std::size_t count, const std::string& noun) {
    return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

}  // namespace runner
