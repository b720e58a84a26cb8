// SPDX-License-Identifier: Apache-2.0
// What is left to see of a secret once it was masked.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/redaction.hpp"

namespace test {

/// A text that holds a secret.
struct EncodedSecret {
    std::string how;          ///< it was encoded
    std::string text;         ///< with the secret in it
    std::size_t around = 0;   ///< so many bytes of the text belong to no byte of the secret
    std::size_t longest = 1;  ///< the most bytes for one of the secret
};

/// The characters that are left of a masked text.
inline std::size_t left_of(std::string text) {
    for (std::size_t at = 0; (at = text.find("***", at)) != std::string::npos;) text.erase(at, 3);
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return c != '\n' && c != '\r' && c != '\t' && c != ' ';
    }));
}

/// Of a text broken into lines three bytes of the secret and a part of a fourth may be shown, at
/// the end of a line: too little to be held.
inline std::size_t most_left_of(const EncodedSecret& encoded) {
    return encoded.around + 4 * encoded.longest;
}

inline std::string pushed(runner::LineRedactor& lines, const std::vector<std::string>& texts) {
    std::string shown;
    const auto take = [&](const std::vector<runner::LineRedactor::Line>& some) {
        for (const auto& [level, text] : some) shown += text + '\n';
    };
    for (const std::string& text : texts) take(lines.push(1, text));
    take(lines.flush());
    return shown;
}

/// Whole, and broken into lines at each place, it is masked.
inline void check_masked(const runner::Redactor& redactor, const EncodedSecret& encoded,
                         std::size_t stride = 1) {
    INFO(encoded.how << ": " << encoded.text);
    const std::string masked = redactor.mask(encoded.text);
    INFO("masked: " << masked);
    CHECK(left_of(masked) <= encoded.around);
    const std::size_t most = most_left_of(encoded);
    for (std::size_t at = 0; at <= encoded.text.size(); at += stride) {
        runner::LineRedactor lines(redactor);
        const std::string shown =
            pushed(lines, {"before", encoded.text.substr(0, at), encoded.text.substr(at), "after"});
        const std::size_t frame = left_of("beforeafter");
        if (left_of(shown) > most + frame) {
            INFO("broken at " << at << ": " << shown);
            CHECK(left_of(shown) <= most + frame);
        }
    }
}

}  // namespace test
