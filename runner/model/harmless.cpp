// SPDX-License-Identifier: Apache-2.0
#include "model/harmless.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace runner {
namespace {

struct Range {
    std::uint32_t first;
    std::uint32_t last;
};

/// Unicode's control characters (Cc), line and paragraph separators (Zl, Zp), format characters
/// (Cf) without the visible ones, and letters that show nothing (Default_Ignorable_Code_Point).
/// Variation selectors up to U+FE0F are none of them: Mongolian and emoji need those.
constexpr std::array<Range, 21> k_not_visible{{
    {0x0000, 0x001F},    // C0
    {0x007F, 0x009F},    // DEL, C1
    {0x00AD, 0x00AD},    // soft hyphen
    {0x034F, 0x034F},    // combining grapheme joiner
    {0x061C, 0x061C},    // Arabic letter mark
    {0x115F, 0x1160},    // Hangul fillers
    {0x17B4, 0x17B5},    // Khmer vowels that show nothing
    {0x180E, 0x180E},    // Mongolian vowel separator
    {0x200B, 0x200F},    // zero width, marks of direction
    {0x2028, 0x202E},    // line and paragraph separators, embedding and override
    {0x2060, 0x206F},    // word joiner, invisible operators, isolates
    {0x3164, 0x3164},    // Hangul filler
    {0xD800, 0xDFFF},    // surrogates
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFA0, 0xFFA0},    // Hangul filler of half width
    {0xFFF0, 0xFFFB},    // interlinear annotation
    {0xFFFE, 0xFFFF},    // no characters
    {0x13430, 0x1343F},  // Egyptian joiners
    {0x1BCA0, 0x1BCA3},  // shorthand
    {0x1D173, 0x1D17A},  // musical
    {0xE0000, 0xE0FFF},  // tags, more variation selectors
}};

bool is_visible(std::uint32_t code_point) {
    if (code_point >= ' ' && code_point <= '~') return true;
    return std::none_of(k_not_visible.begin(), k_not_visible.end(), [&](const Range& range) {
        return code_point >= range.first && code_point <= range.last;
    });
}

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

std::string formatted(const char* format, std::uint32_t value) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
}

std::string escaped(const Character& character, std::string_view bytes) {
    const std::uint32_t code_point = character.code_point;
    if (!character.valid) return formatted("\\x%02x", static_cast<std::uint8_t>(bytes.front()));
    if (code_point == '\n') return "\\n";
    if (code_point == '\r') return "\\r";
    if (code_point == '\t') return "\\t";
    if (code_point < 0x80) return formatted("\\x%02x", code_point);
    return formatted(code_point > 0xFFFF ? "\\U%08x" : "\\u%04x", code_point);
}

std::string escaped_for_json(std::uint32_t code_point) {
    if (code_point <= 0xFFFF) return formatted("\\u%04x", code_point);
    const std::uint32_t rest = code_point - 0x10000;
    return formatted("\\u%04x", 0xD800 + (rest >> 10U)) +
           formatted("\\u%04x", 0xDC00 + (rest & 0x3FFU));
}

/// `text`, with `replacement` in the place of each character for which it gives something.
template <typename Replacement>
std::string replaced(std::string_view text, const Replacement& replacement) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const Character character = first_character(text);
        const std::string_view bytes = text.substr(0, character.length);
        const std::string instead = character.visible ? "" : replacement(character, bytes);
        result += instead.empty() ? bytes : instead;
        text.remove_prefix(character.length);
    }
    return result;
}

}  // namespace

Character first_character(std::string_view text) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return {};
    Character character{length, static_cast<std::uint8_t>(text.front()), true, false};
    if (length > 1) character.code_point &= 0x7FU >> length;
    for (std::size_t i = 1; i < length; ++i)
        character.code_point =
            character.code_point << 6U | (static_cast<std::uint8_t>(text[i]) & 0x3FU);
    character.visible = is_visible(character.code_point);
    return character;
}

std::string harmless(std::string_view text, Tabs tabs) {
    return replaced(text, [tabs](const Character& character, std::string_view bytes) {
        const bool kept = tabs == Tabs::kept && character.code_point == '\t';
        return kept ? std::string() : escaped(character, bytes);
    });
}

std::string harmless_lines(std::string_view text) {
    return replaced(text, [](const Character& character, std::string_view bytes) {
        const bool kept = character.code_point == '\t' || character.code_point == '\n';
        return kept ? std::string() : escaped(character, bytes);
    });
}

std::string harmless_json(std::string_view json) {
    const bool plain = std::all_of(json.begin(), json.end(),
                                   [](char c) { return static_cast<std::uint8_t>(c) < 0x7F; });
    if (plain) return std::string(json);
    return replaced(json, [](const Character& character, std::string_view) {
        return character.code_point < 0x20 ? std::string() : escaped_for_json(character.code_point);
    });
}

std::string shortened(std::string text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<std::uint8_t>(text[limit]) & 0xC0U) == 0x80U) --limit;
    text.resize(limit);
    return text + " [cut]";
}

}  // namespace runner
