// SPDX-License-Identifier: Apache-2.0
#include "support/text.hpp"

#include <sys/random.h>
#include <algorithm>

#include <cerrno>
#include <cstdint>

#include "model/error.hpp"

namespace runner {
namespace {

constexpr char k_hex_digits[] = "0123456789abcdef";

/// The length of the well-formed UTF-8 sequence at the start of `bytes`; 0 when there is none.
std::size_t utf8_length(std::string_view bytes) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::uint8_t lead = at(0);
    if (lead < 0x80) return 1;
    std::size_t length = 0;
    if (lead >= 0xC2 && lead <= 0xDF) length = 2;
    if (lead >= 0xE0 && lead <= 0xEF) length = 3;
    if (lead >= 0xF0 && lead <= 0xF4) length = 4;
    if (length == 0 || bytes.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xC0U) != 0x80U) return 0;
    }
    const std::uint8_t second = at(1);
    const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    const bool outside = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
    return overlong || outside ? 0 : length;
}

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

std::string shell_quoted(const std::string& text) {
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

std::string sanitize(std::string_view bytes) {
    std::string clean;
    clean.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = utf8_length(bytes);
        const auto byte = static_cast<std::uint8_t>(bytes.front());
        if (length == 0) {
            clean += "\xEF\xBF\xBD";
        } else if (length == 1 && ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F)) {
            clean += {'\\', 'x', k_hex_digits[byte >> 4U], k_hex_digits[byte & 15U]};
        } else {
            clean += bytes.substr(0, length);
        }
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return clean;
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
