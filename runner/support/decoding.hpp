// SPDX-License-Identifier: Apache-2.0
// Texts as they read once an encoding is taken off: escapes of JSON, URLs, HTML and shells, base64,
// hexadecimal. Each decoded byte knows which bytes of the original text it comes from.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner {

/// The bytes of the original from `begin` to before `end`.
struct Place {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
};

/// A text without blanks (space, tab, CR, LF, VT, FF), so that it reads alike however its lines are
/// broken and indented. The original has less than 4 GiB.
struct View {
    static constexpr std::uint32_t k_none = std::numeric_limits<std::uint32_t>::max();

    std::string text;
    std::vector<Place> places;  ///< of each byte of the text
    /// Where in the original something begins that its end cuts off: half an escape. Such a piece
    /// is not in `text`. k_none: there is none.
    std::uint32_t unfinished = k_none;

    /// Adds a byte, unless it is blank.
    void add(char byte, Place place);
    void clear();
    /// `count` bytes from `first` on.
    [[nodiscard]] View part(std::size_t first, std::size_t count) const;
};

/// The text without blanks; the others exist only where they differ from it: without the `+` or `-`
/// that a diff sets before each line, and without backslashes before blanks, by which a shell goes
/// on in the next line.
std::vector<View> plain_views(std::string_view text);

/// Takes one encoding off, everywhere in a view. Nothing when there is none of it.
using Decoder = std::optional<View> (*)(const View&);

/// `\n`, `\"`, `\/`, `\u003c` (with surrogates), `\u{3c}`, `\U0000003c`, `\x3c`, `\074`: JSON,
/// YAML, C, Python, JavaScript, $'...' of shells.
std::optional<View> without_backslashes(const View& view);
/// The same where `\xf6` is a character and no byte: text of Python and JavaScript.
std::optional<View> without_backslashes_of_text(const View& view);
/// `%3C`, `%3c`: URLs.
std::optional<View> without_percents(const View& view);
/// The same, with `+` for a space: forms and queries.
std::optional<View> without_form_encoding(const View& view);
/// `&lt;`, `&#60;`, `&#x3c;`: HTML and XML.
std::optional<View> without_entities(const View& view);
/// `'\''`, `'"'"'`, `''`, `""`: quotes within quotes of shells, YAML, SQL, CSV.
std::optional<View> without_doubled_quotes(const View& view);

/// Calls `take` with everything in the view that may be base64 (RFC 4648, both alphabets) or
/// hexadecimal (with or without separators), decoded from each offset: what stands before may
/// belong to it or not. The argument is valid during the call.
void decode_runs(const View& view, const std::function<void(const View& bytes)>& take);

}  // namespace runner
