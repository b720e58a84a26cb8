// SPDX-License-Identifier: Apache-2.0
// Texts that would hide, reorder or forge something on a terminal, and what stands for them in what
// is shown.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "model/harmless.hpp"

namespace test {

struct NastyText {
    std::string text;
    std::string shown;
};

inline const std::vector<NastyText>& nasty_texts() {
    static const std::vector<NastyText> texts{
        {"\x1b[2J\x1b[H", R"(\x1b[2J\x1b[H)"},        // clear the screen
        {"\x1b[1A\x1b[2K", R"(\x1b[1A\x1b[2K)"},      // erase the line above
        {"\x1b]0;title\x07", R"(\x1b]0;title\x07)"},  // set the title
        {"\x9b"
         "2K",
         R"(\x9b2K)"},  // C1 as a byte
        {"\xC2\x9B"
         "1A\xC2\x9B"
         "2K",
         R"(\u009b1A\u009b2K)"},    // C1 in UTF-8
        {"\xC2\x85", R"(\u0085)"},  // next line
        {"\rerased", R"(\rerased)"},
        {"\b\b\b", R"(\x08\x08\x08)"},
        {"\v\f", R"(\x0b\x0c)"},
        {"\x7f", R"(\x7f)"},
        {"\xE2\x80\xAE"
         "desrever",
         R"(\u202edesrever)"},
        {"\xE2\x81\xA6\xE2\x81\xA9", R"(\u2066\u2069)"},
        {"\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C", R"(\u200e\u200f\u061c)"},
        {"\xE2\x80\x8B\xE2\x80\x8C\xE2\x80\x8D", R"(\u200b\u200c\u200d)"},
        {"\xE2\x81\xA0\xEF\xBB\xBF", R"(\u2060\ufeff)"},
        {"\xE2\x80\xA8\xE2\x80\xA9", R"(\u2028\u2029)"},
        {"\xF3\xA0\x81\x81\xF3\xA0\x81\xBF", R"(\U000e0041\U000e007f)"},  // tags
        {"\xff\xC0\xAF", R"(\xff\xc0\xaf)"},                              // no UTF-8
        {"\xED\xA0\x80", R"(\xed\xa0\x80)"},                              // a surrogate
        {"\xE2\x80", R"(\xe2\x80)"},                                      // half a character
        {std::string("\0", 1), R"(\x00)"},  // last: arguments of commands end there
    };
    return texts;
}

/// All of them, one after the other, with a sign after each.
inline std::string all_nasty_texts() {
    std::string all;
    for (const NastyText& nasty : nasty_texts()) all += nasty.text + '!';
    return all;
}

/// The same as it is shown.
inline std::string all_nasty_texts_shown() {
    std::string all;
    for (const NastyText& nasty : nasty_texts()) all += nasty.shown + '!';
    return all;
}

/// Where in an output the first character stands that must not be there; npos: nowhere. Line ends
/// and tabs may be.
inline std::size_t first_harmful(std::string_view output) {
    for (std::size_t at = 0; at < output.size();) {
        const runner::Character character = runner::first_character(output.substr(at));
        if (!character.visible && output[at] != '\n' && output[at] != '\t') return at;
        at += character.length;
    }
    return std::string::npos;
}

}  // namespace test
