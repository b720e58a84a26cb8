// SPDX-License-Identifier: Apache-2.0
#include "support/decoding.hpp"

#include <algorithm>
#include <array>

namespace runner {
namespace {

constexpr std::size_t k_min_run_bytes = 4;  // of base64 or hexadecimal, within a text
constexpr std::uint32_t k_max_code_point = 0x10FFFF;

bool is_blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/// The value of a hexadecimal digit; -1: it is none.
int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/// The value of a character of base64, of both alphabets; -1: it is none.
int base64_value(char digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+' || digit == '-') return 62;
    if (digit == '/' || digit == '_') return 63;
    return -1;
}

std::string utf8(std::uint32_t code) {
    const auto tail = [&](unsigned shift) {
        return static_cast<char>(0x80U | ((code >> shift) & 0x3FU));
    };
    if (code < 0x80) return {static_cast<char>(code)};
    if (code < 0x800) return {static_cast<char>(0xC0U | (code >> 6U)), tail(0)};
    if (code < 0x10000) return {static_cast<char>(0xE0U | (code >> 12U)), tail(6), tail(0)};
    return {static_cast<char>(0xF0U | (code >> 18U)), tail(12), tail(6), tail(0)};
}

/// What stands for something else at the beginning of a text.
struct Escape {
    std::size_t length = 0;   ///< of it; 0: there is none
    bool unfinished = false;  ///< the text ends within it
    std::string bytes{};      ///< that it stands for
};

/// The view with each escape replaced that `read` finds. `read` is asked where one of `starts`
/// stands.
template <typename Read>
std::optional<View> decoded(const View& view, std::string_view starts, Read&& read) {
    const std::string_view text = view.text;
    std::size_t next = text.find_first_of(starts);
    if (next == std::string_view::npos) return std::nullopt;
    View result;
    result.unfinished = view.unfinished;
    result.text.reserve(text.size());
    result.places.reserve(text.size());
    bool changed = false;
    for (std::size_t at = 0; at < text.size();) {
        next = std::min(text.find_first_of(starts, at), text.size());
        result.text += text.substr(at, next - at);
        result.places.insert(result.places.end(),
                             view.places.begin() + static_cast<std::ptrdiff_t>(at),
                             view.places.begin() + static_cast<std::ptrdiff_t>(next));
        at = next;
        if (at == text.size()) break;
        const Escape escape = read(text.substr(at));
        if (escape.unfinished) {
            result.unfinished = std::min(result.unfinished, view.places[at].begin);
            return result;
        }
        if (escape.length == 0) {
            result.add(text[at], view.places[at]);
            ++at;
            continue;
        }
        const Place place{view.places[at].begin, view.places[at + escape.length - 1].end};
        for (const char byte : escape.bytes) result.add(byte, place);
        at += escape.length;
        changed = true;
    }
    if (!changed) return std::nullopt;
    return result;
}

/// So many hexadecimal digits at `at`.
struct HexDigits {
    HexDigits(std::string_view text, std::size_t at, std::size_t count) {
        for (std::size_t i = at; i < at + count; ++i) {
            cut = i >= text.size();
            const int digit = cut ? -1 : hex_value(text[i]);
            if (digit < 0) return;
            value = value << 4U | static_cast<std::uint32_t>(digit);
        }
        whole = true;
    }
    bool whole = false;
    bool cut = false;  ///< all that are there are digits, and the text ends too early
    std::uint32_t value = 0;
};

/// The second half of a surrogate pair (Unicode, section 3.9), `\udc00`, after the first, `high`.
Escape second_surrogate(std::string_view text, std::uint32_t high) {
    constexpr std::size_t k_length = 6;
    if (text.size() < k_length) {
        const std::string_view begin = "\\u";
        const bool may_follow =
            text.substr(0, 2) == begin.substr(0, std::min(text.size(), begin.size()));
        const HexDigits digits(text, 2, 4);
        if (may_follow && (text.size() <= 2 || digits.cut)) return {0, true};
        return {};
    }
    const HexDigits digits(text, 2, 4);
    if (text.substr(0, 2) != "\\u" || !digits.whole || digits.value < 0xDC00 ||
        digits.value > 0xDFFF)
        return {};
    return {k_length, false, utf8(0x10000 + ((high - 0xD800) << 10U) + (digits.value - 0xDC00))};
}

/// `\u003c` or `\u{3c}`.
Escape unicode_escape(std::string_view text) {
    constexpr std::size_t k_digits_at = 2;
    constexpr std::size_t k_length = 6;
    if (text.size() > k_digits_at && text[k_digits_at] == '{') {
        std::uint32_t code = 0;
        for (std::size_t i = k_digits_at + 1; i < k_digits_at + 8; ++i) {
            if (i >= text.size()) return {0, true};
            if (text[i] == '}') return {i + 1, false, utf8(std::min(code, k_max_code_point))};
            const int digit = hex_value(text[i]);
            if (digit < 0) return {};
            code = code << 4U | static_cast<std::uint32_t>(digit);
        }
        return {};
    }
    const HexDigits digits(text, k_digits_at, 4);
    if (digits.cut) return {0, true};
    if (!digits.whole) return {};
    const std::uint32_t code = digits.value;
    if (code >= 0xD800 && code <= 0xDBFF) {
        Escape second = second_surrogate(text.substr(k_length), code);
        if (second.unfinished) return second;
        if (second.length > 0) return {k_length + second.length, false, second.bytes};
    }
    // Python writes a byte that is no UTF-8 as half a surrogate pair (PEP 383).
    if (code >= 0xDC80 && code <= 0xDCFF)
        return {k_length, false, {static_cast<char>(code & 0xFFU)}};
    return {k_length, false, utf8(code)};
}

Escape octal_escape(std::string_view text) {
    std::uint32_t value = 0;
    std::size_t length = 1;
    constexpr std::size_t k_longest = 4;
    for (; length < k_longest; ++length) {
        if (length >= text.size()) return {0, true};
        if (text[length] < '0' || text[length] > '7') break;
        value = value * 8 + static_cast<std::uint32_t>(text[length] - '0');
    }
    return {length, false, {static_cast<char>(value & 0xFFU)}};
}

Escape backslash_escape(std::string_view text) {
    if (text.size() < 2) return {0, true};
    const char kind = text[1];
    if (kind == 'u') {
        Escape escape = unicode_escape(text);
        if (escape.unfinished || escape.length > 0) return escape;
    }
    if (kind == 'x' || kind == 'U') {
        const std::size_t count = kind == 'x' ? 2 : 8;
        const HexDigits digits(text, 2, count);
        if (digits.cut) return {0, true};
        if (digits.whole && kind == 'x')
            return {2 + count, false, {static_cast<char>(digits.value)}};
        if (digits.whole && digits.value <= k_max_code_point)
            return {2 + count, false, utf8(digits.value)};
    }
    if (kind >= '0' && kind <= '7') return octal_escape(text);
    switch (kind) {
        case 'n':
        case 't':
        case 'r':
        case 'v':
        case 'f':
            return {2, false, " "};
        case 'a':
            return {2, false, "\a"};
        case 'b':
            return {2, false, "\b"};
        case 'e':
            return {2, false, "\x1b"};
        case 'N':  // the last four: YAML 1.2, section 5.7
            return {2, false, utf8(0x85)};
        case '_':
            return {2, false, utf8(0xA0)};
        case 'L':
            return {2, false, utf8(0x2028)};
        case 'P':
            return {2, false, utf8(0x2029)};
        default:
            return {2, false, {kind}};
    }
}

Escape percent_escape(std::string_view text) {
    if (text.front() == '+') return {1, false, " "};
    const HexDigits digits(text, 1, 2);
    if (digits.cut) return {0, true};
    if (!digits.whole) return {};
    return {3, false, {static_cast<char>(digits.value)}};
}

Escape entity(std::string_view text) {
    constexpr std::size_t k_longest = 10;  // &#1114111;
    const std::size_t end = text.substr(0, k_longest).find(';');
    if (end == std::string_view::npos) {
        const bool may_go_on =
            text.size() < k_longest && std::all_of(text.begin() + 1, text.end(), [](char c) {
                return c == '#' || (base64_value(c) >= 0 && c != '-');
            });
        return {0, may_go_on};
    }
    const std::string_view name = text.substr(1, end - 1);
    static const std::array<std::pair<std::string_view, const char*>, 5> k_names{
        {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}}};
    for (const auto& [known, byte] : k_names) {
        if (name == known) return {end + 1, false, byte};
    }
    if (name.size() < 2 || name.front() != '#') return {};
    const bool is_hex = name[1] == 'x' || name[1] == 'X';
    std::uint32_t code = 0;
    for (const char digit : name.substr(is_hex ? 2 : 1)) {
        const int value = hex_value(digit);
        if (value < 0 || (!is_hex && value > 9)) return {};
        code = code * (is_hex ? 16U : 10U) + static_cast<std::uint32_t>(value);
    }
    return code > k_max_code_point ? Escape{} : Escape{end + 1, false, utf8(code)};
}

Escape doubled_quote(std::string_view text) {
    static const std::array<std::pair<std::string_view, const char*>, 4> k_forms{
        {{"'\\''", "'"}, {"'\"'\"'", "'"}, {"''", "'"}, {"\"\"", "\""}}};
    for (const auto& [form, byte] : k_forms) {
        if (text.substr(0, form.size()) == form) return {form.size(), false, byte};
        if (text.size() < form.size() && form.substr(0, text.size()) == text) return {0, true};
    }
    return {};
}

/// Decodes a run of digits, of so many bits each, without the first `skipped` bits: a byte may
/// begin within a digit. `places`: of the digits.
void decode_digits(const std::vector<int>& values, const std::vector<Place>& places,
                   unsigned bits_per_digit, unsigned skipped, View& bytes) {
    bytes.clear();
    constexpr unsigned k_byte = 8;
    std::uint32_t bits = 0;
    unsigned count = 0;
    std::size_t begin = 0;  // the digit in which the next byte begins
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (count == 0) begin = i;
        bits = bits << bits_per_digit | static_cast<std::uint32_t>(values[i]);
        count += bits_per_digit;
        const unsigned left_out = std::min(skipped, count);
        skipped -= left_out;
        count -= left_out;
        if (count < k_byte) continue;
        count -= k_byte;
        bytes.add(static_cast<char>((bits >> count) & 0xFFU), {places[begin].begin, places[i].end});
        begin = i;
    }
    if (count > 0) bytes.unfinished = places[begin].begin;
}

/// How far the characters go that are written between two bytes in hexadecimal: `:`, `-`, `,`,
/// `0x`.
std::size_t after_hex_separator(std::string_view text, std::size_t at) {
    std::size_t next = at;
    if (next < text.size() && (text[next] == ':' || text[next] == '-' || text[next] == ',')) ++next;
    if (next > at && text.substr(next, 2) == "0x") next += 2;
    return next < text.size() && hex_value(text[next]) >= 0 ? next : at;
}

/// Finds the runs of digits in a view, and decodes them.
class RunDecoder {
 public:
    RunDecoder(const View& view, const std::function<void(const View&)>& take)
        : m_view(view), m_take(take) {}

    void base64() {
        const std::string_view text = m_view.text;
        for (std::size_t at = 0; at < text.size(); ++at) {
            begin_run();
            for (int value = 0; at < text.size() && (value = base64_value(text[at])) >= 0; ++at)
                add_digit(value, at);
            end_run(6, at == text.size());
        }
    }

    void hexadecimal() {
        const std::string_view text = m_view.text;
        for (std::size_t at = 0; at < text.size(); ++at) {
            begin_run();
            while (at < text.size() && hex_value(text[at]) >= 0) {
                add_digit(hex_value(text[at]), at);
                at = after_hex_separator(text, at + 1);
            }
            end_run(4, at + 3 >= text.size());
        }
    }

 private:
    void begin_run() {
        m_values.clear();
        m_places.clear();
    }
    void add_digit(int value, std::size_t at) {
        m_values.push_back(value);
        m_places.push_back(m_view.places[at]);
    }
    /// `at_end`: the run may go on where the view ends.
    void end_run(unsigned bits_per_digit, bool at_end) {
        constexpr unsigned k_byte = 8;
        if (m_values.empty()) return;
        if (!at_end && m_values.size() * bits_per_digit < k_min_run_bytes * k_byte) return;
        const unsigned step = k_byte - bits_per_digit;  // of where bytes can begin
        for (unsigned skipped = 0; skipped < k_byte; skipped += step) {
            decode_digits(m_values, m_places, bits_per_digit, skipped, m_bytes);
            if (!at_end) m_bytes.unfinished = View::k_none;
            m_take(m_bytes);
        }
    }

    const View& m_view;
    const std::function<void(const View&)>& m_take;
    std::vector<int> m_values;
    std::vector<Place> m_places;
    View m_bytes;
};

}  // namespace

void View::add(char byte, Place place) {
    if (is_blank(byte)) return;
    text += byte;
    places.push_back(place);
}

void View::clear() {
    text.clear();
    places.clear();
    unfinished = k_none;
}

View View::part(std::size_t first, std::size_t count) const {
    View view;
    view.text = text.substr(first, count);
    const auto begin = places.begin() + static_cast<std::ptrdiff_t>(first);
    view.places.assign(begin, begin + static_cast<std::ptrdiff_t>(view.text.size()));
    if (first + count == text.size()) view.unfinished = unfinished;
    return view;
}

std::vector<View> plain_views(std::string_view text) {
    View plain;
    View diff;
    View shell;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char byte = text[i];
        const auto at = static_cast<std::uint32_t>(i);
        const Place place{at, at + 1};
        const bool begins_line = i == 0 || text[i - 1] == '\n';
        const bool before_blank = i + 1 < text.size() && is_blank(text[i + 1]);
        plain.add(byte, place);
        if (!begins_line || (byte != '+' && byte != '-')) diff.add(byte, place);
        if (!before_blank || byte != '\\') shell.add(byte, place);
    }
    std::vector<View> views;
    const std::size_t all = plain.text.size();
    views.push_back(std::move(plain));
    for (View* other : {&diff, &shell}) {
        if (other->text.size() < all) views.push_back(std::move(*other));
    }
    return views;
}

std::optional<View> without_backslashes(const View& view) {
    return decoded(view, "\\", backslash_escape);
}

std::optional<View> without_backslashes_of_text(const View& view) {
    if (view.text.find("\\x") == std::string::npos) return std::nullopt;
    return decoded(view, "\\", [](std::string_view text) {
        Escape escape = backslash_escape(text);
        if (text.substr(0, 2) == "\\x" && escape.bytes.size() == 1)
            escape.bytes = utf8(static_cast<unsigned char>(escape.bytes.front()));
        return escape;
    });
}

std::optional<View> without_percents(const View& view) {
    return decoded(view, "%", percent_escape);
}

std::optional<View> without_form_encoding(const View& view) {
    if (view.text.find('+') == std::string::npos) return std::nullopt;
    return decoded(view, "%+", percent_escape);
}

std::optional<View> without_entities(const View& view) {
    return decoded(view, "&", entity);
}

std::optional<View> without_doubled_quotes(const View& view) {
    return decoded(view, "'\"", doubled_quote);
}

void decode_runs(const View& view, const std::function<void(const View& bytes)>& take) {
    RunDecoder decoder(view, take);
    decoder.base64();
    decoder.hexadecimal();
}

}  // namespace runner
