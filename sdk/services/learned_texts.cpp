// SPDX-License-Identifier: Apache-2.0
#include "services/learned_texts.hpp"

#include <algorithm>

namespace upgrade::services {
namespace {

bool is_of_word(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

/// The words of a text, in order.
TextRanges words_of(std::string_view text) {
    TextRanges words;
    for (std::size_t at = 0; at < text.size();) {
        const auto* begin = std::find_if(text.data() + at, text.data() + text.size(), is_of_word);
        const auto* end = std::find_if_not(begin, text.data() + text.size(), is_of_word);
        if (begin != end) words.emplace_back(begin - text.data(), end - text.data());
        at = static_cast<std::size_t>(end - text.data());
    }
    return words;
}

}  // namespace

void LearnedTexts::add(std::string_view text) {
    for (const auto& [begin, end] : words_of(text)) {
        if (m_bytes + (end - begin) > k_most_bytes) return;
        if (m_words.emplace(text.substr(begin, end - begin)).second) m_bytes += end - begin;
    }
}

TextRanges LearnedTexts::in(std::string_view argument) const {
    TextRanges ranges;
    if (m_words.empty()) return ranges;
    bool follows = false;  // the word before was learned, too
    for (const auto& [begin, end] : words_of(argument)) {
        const bool learned = m_words.count(std::string(argument.substr(begin, end - begin))) != 0;
        if (learned && follows) {
            ranges.back().second = end;
        } else if (learned) {
            ranges.emplace_back(begin, end);
        }
        follows = learned;
    }
    return ranges;
}

}  // namespace upgrade::services
