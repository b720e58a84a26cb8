// SPDX-License-Identifier: Apache-2.0
// What an upgrade has learned from programs that its simulation could not know, and where it stands
// in the commands that it begins.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace upgrade::services {

/// Parts of a text, each from its first byte to the one after its last, in order.
using TextRanges = std::vector<std::pair<std::size_t, std::size_t>>;

/// The words in what programs have printed. A word is as long as it can be: letters, digits, and
/// the characters '.', '_', '-'.
class LearnedTexts {
 public:
    /// Takes the words of `text`. No more are kept than k_most_bytes: what was printed beyond that
    /// counts as known.
    void add(std::string_view text);

    /// Where learned words stand in `argument`; what lies between two of them belongs to the part
    /// when it is no word.
    [[nodiscard]] TextRanges in(std::string_view argument) const;

 private:
    static constexpr std::size_t k_most_bytes = 16U << 20U;
    std::unordered_set<std::string> m_words;
    std::size_t m_bytes = 0;
};

}  // namespace upgrade::services
