// SPDX-License-Identifier: Apache-2.0
// Text from outside, made harmless: it cannot move the cursor, hide or reorder what stands beside
// it, or begin a line of its own. docs/security-model.md, "What is shown".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace runner {

/// What becomes of a tab.
enum class Tabs {
    escaped,  ///< `\t`
    kept,     ///< as it is: in lines of files and logs, where it is common
};

/// `text` as one line. Escapes stand for what is no visible character: `\n`, `\r`, `\t`; `\x1b` for
/// any other control character below U+0080 and for a byte that is no UTF-8; `\u202e` or
/// `\U000e0041` for control characters above, for characters that change the direction of text,
/// have no width or separate lines, and for tags. Letters of all scripts stay. A backslash stays,
/// too: the result is for reading, not for decoding. Made harmless again, it does not change.
std::string harmless(std::string_view text, Tabs tabs = Tabs::escaped);

/// The same for a text of several lines: their ends and tabs stay. Who shows it begins each line
/// with something that tells it from lines of this program.
std::string harmless_lines(std::string_view text);

/// A JSON document with the same characters escaped as JSON has it: it means the same. For valid
/// UTF-8, as JSON is written.
std::string harmless_json(std::string_view json);

/// At most `limit` bytes of the text, none of them half a character, and then " [cut]" where
/// something is missing. For what was masked and made harmless before: half a secret is not masked.
std::string shortened(std::string text, std::size_t limit);

/// The first character of a text that is not empty.
struct Character {
    std::size_t length = 1;        ///< in bytes
    std::uint32_t code_point = 0;  ///< meaningless when the byte is no UTF-8
    bool valid = false;            ///< whether it is well-formed UTF-8 (RFC 3629)
    bool visible = false;          ///< whether `harmless` leaves it as it is
};
Character first_character(std::string_view text);

}  // namespace runner
