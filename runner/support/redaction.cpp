// SPDX-License-Identifier: Apache-2.0
#include "support/redaction.hpp"

#include <string.h>

#include <algorithm>
#include <array>
#include <functional>

#include "model/error.hpp"
#include "support/decoding.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr const char* k_mask = "***";
constexpr int k_max_depth = 3;                 // of encodings within each other
constexpr std::size_t k_piece = 32;            // of a long secret, in bytes
constexpr std::size_t k_max_pattern = 63;      // below two pieces
constexpr std::size_t k_max_open = 8U << 10U;  // bytes that are held for a secret that may go on
constexpr std::size_t k_max_held_lines = 256;
constexpr std::size_t k_max_looked_through = 256U << 10U;  // at once, so that the memory is bounded
constexpr std::size_t k_text_run = 8;  // so many visible characters are no chance

std::uint16_t hash_of_beginning(std::string_view text) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < Redactor::k_min_secret; ++i)
        value = value * 0x01000193U ^ static_cast<unsigned char>(text[i]);
    return static_cast<std::uint16_t>(value ^ (value >> 16U));
}

std::string without_blanks(std::string_view text) {
    return plain_views(text).front().text;
}

bool is_ascii(char byte) {
    return byte > ' ' && byte < '\x7f';
}

bool may_be_text(char byte) {
    return is_ascii(byte) || static_cast<unsigned char>(byte) >= 0x80;
}

bool breaks_line(char byte) {
    return byte == '\n' || byte == '\r';
}

std::string rendered(std::string_view text, const std::vector<bool>& hidden, std::size_t from) {
    std::string masked;
    bool in_mask = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool hide = hidden[from + i] && !breaks_line(text[i]);
        if (!hide) masked += text[i];
        if (hide && !in_mask) masked += k_mask;
        in_mask = hide;
    }
    return masked;
}

}  // namespace

/// Looks for secrets in a text, as it is and taken out of its encodings.
class SecretSearch {
 public:
    SecretSearch(const Redactor& redactor, std::string_view text)
        : m_redactor(redactor), m_text(text) {
        m_found.bytes.resize(text.size(), false);
        m_found.beginning = m_found.any_beginning = text.size();
    }

    Hidden look() {
        for (const View& view : plain_views(m_text)) explore(view, 0);
        return std::move(m_found);
    }

 private:
    void explore(const View& view, int depth) {
        match(view);
        if (depth == k_max_depth) return;
        decode_runs(view, [&](const View& bytes) { explore_bytes(bytes, depth + 1); });
        constexpr std::array<Decoder, 6> k_decoders{
            without_backslashes, without_backslashes_of_text,
            without_percents,    without_form_encoding,
            without_entities,    without_doubled_quotes};
        for (const Decoder decode : k_decoders) {
            if (const auto decoded = decode(view)) explore(*decoded, depth + 1);
        }
    }

    /// What was decoded from base64 or hexadecimal is mostly no text: it is taken out of further
    /// encodings only where it looks like one.
    void explore_bytes(const View& bytes, int depth) {
        match(bytes);
        const std::string& text = bytes.text;
        for (std::size_t begin = 0; begin < text.size(); ++begin) {
            std::size_t end = begin;
            std::size_t run = 0;
            bool is_text = false;
            for (; end < text.size() && may_be_text(text[end]); ++end) {
                run = is_ascii(text[end]) ? run + 1 : 0;
                is_text = is_text || run == k_text_run;
            }
            if (is_text) explore(bytes.part(begin, end - begin), depth);
            begin = end;
        }
    }

    void match(const View& view) {
        const std::string_view text = view.text;
        std::size_t hidden_until = 0;
        for (std::size_t at = 0; at + Redactor::k_min_secret <= text.size(); ++at) {
            const std::size_t length = m_redactor.match(text.substr(at));
            for (std::size_t i = std::max(at, hidden_until); i < at + length; ++i)
                hide(view, i, i > at);
            hidden_until = std::max(hidden_until, at + length);
        }
        note_beginnings(view);
    }

    void note_beginnings(const View& view) {
        if (view.unfinished != View::k_none)
            m_found.any_beginning = std::min<std::size_t>(m_found.any_beginning, view.unfinished);
        const std::string_view text = view.text;
        std::size_t at = text.size() - std::min(text.size(), k_max_pattern - 1);
        while (at < text.size() && !m_redactor.is_beginning(text.substr(at))) ++at;
        if (at == text.size()) return;
        const std::size_t place = view.places[at].begin;
        m_found.any_beginning = std::min(m_found.any_beginning, place);
        if (text.size() - at >= Redactor::k_min_secret)
            m_found.beginning = std::min(m_found.beginning, place);
    }

    /// Also what stands before it and was not looked at, but for line breaks and the margins after.
    void hide(const View& view, std::size_t index, bool after_hidden) {
        const Place place = view.places[index];
        std::size_t begin = place.begin;
        if (after_hidden) {
            const std::size_t before = view.places[index - 1].end;
            const std::string_view gap =
                before < begin ? m_text.substr(before, begin - before) : std::string_view();
            if (std::none_of(gap.begin(), gap.end(), breaks_line)) begin = std::min(before, begin);
        }
        for (std::size_t i = begin; i < place.end; ++i) m_found.bytes[i] = true;
    }

    const Redactor& m_redactor;
    std::string_view m_text;
    Hidden m_found;
};

Redactor::~Redactor() {
    for (std::string& pattern : m_patterns) ::explicit_bzero(pattern.data(), pattern.size());
}

void Redactor::add(const std::string& name, std::string_view secret) {
    if (without_blanks(secret).size() < k_min_secret) {
        throw Error(Failure::usage,
                    name + ": a secret of fewer than " + std::to_string(k_min_secret) +
                        " bytes, blanks aside, could not be kept out of the logs",
                    "use a longer one");
    }
    add_text(secret);
    for (const std::string_view line : split_lines(secret)) add_text(line);
    prepare();
}

void Redactor::add_if_long_enough(std::string_view secret) {
    if (without_blanks(secret).size() >= k_min_secret) add("", secret);
}

void Redactor::add_text(std::string_view secret) {
    const std::string text = without_blanks(secret);
    if (text.size() <= k_max_pattern) {
        add_pattern(text);
        return;
    }
    for (std::size_t at = 0; at < text.size(); at += k_piece)
        add_pattern(std::string_view(text).substr(std::min(at, text.size() - k_piece), k_piece));
}

void Redactor::add_pattern(std::string_view pattern) {
    if (pattern.size() >= k_min_secret) m_patterns.emplace_back(pattern);
}

void Redactor::prepare() {
    std::sort(m_patterns.begin(), m_patterns.end());
    m_patterns.erase(std::unique(m_patterns.begin(), m_patterns.end()), m_patterns.end());
    m_shorter.clear();
    for (std::size_t i = 0; i < m_patterns.size(); ++i) {
        int shorter = static_cast<int>(i) - 1;
        while (shorter >= 0 &&
               !m_patterns[i].starts_with(m_patterns[static_cast<std::size_t>(shorter)]))
            shorter = m_shorter[static_cast<std::size_t>(shorter)];
        m_shorter.push_back(shorter);
        m_beginnings.set(hash_of_beginning(m_patterns[i]));
    }
}

std::size_t Redactor::match(std::string_view text) const {
    if (!m_beginnings.test(hash_of_beginning(text))) return 0;
    const std::string_view most = text.substr(0, k_max_pattern);
    const auto after = std::upper_bound(m_patterns.begin(), m_patterns.end(), most);
    // Whatever lies between a pattern and a text that begins with it begins with it, too.
    for (int i = static_cast<int>(after - m_patterns.begin()) - 1; i >= 0;
         i = m_shorter[static_cast<std::size_t>(i)]) {
        const std::string& pattern = m_patterns[static_cast<std::size_t>(i)];
        if (most.starts_with(pattern)) return pattern.size();
    }
    return 0;
}

bool Redactor::is_beginning(std::string_view text) const {
    if (text.size() >= k_min_secret && !m_beginnings.test(hash_of_beginning(text))) return false;
    const auto first = std::upper_bound(m_patterns.begin(), m_patterns.end(), text);
    return first != m_patterns.end() && first->starts_with(text);
}

Hidden Redactor::look(std::string_view text) const {
    Hidden all;
    all.bytes.resize(text.size(), false);
    std::size_t from = 0;
    while (true) {
        const std::string_view piece = text.substr(from, k_max_looked_through);
        const Hidden found = SecretSearch(*this, piece).look();
        for (std::size_t i = 0; i < piece.size(); ++i) {
            if (found.bytes[i]) all.bytes[from + i] = true;
        }
        all.beginning = from + found.beginning;
        all.any_beginning = from + found.any_beginning;
        if (from + piece.size() == text.size()) return all;
        // The next piece begins with the secret that may have begun in this one.
        from += std::max(found.any_beginning, piece.size() - k_max_open);
    }
}

std::string Redactor::mask(std::string_view text, TextEnd end) const {
    if (empty()) return std::string(text);
    Hidden hidden = look(text);
    if (end == TextEnd::cut)
        std::fill(hidden.bytes.begin() + static_cast<std::ptrdiff_t>(hidden.beginning),
                  hidden.bytes.end(), true);
    return rendered(text, hidden.bytes, 0);
}

Json Redactor::mask_texts(Json document) const {
    if (empty()) return document;
    if (document.is_string()) return mask(document.get_ref<const std::string&>());
    if (document.is_structured()) {
        for (Json& part : document) part = mask_texts(std::move(part));
    }
    return document;
}

bool Redactor::finds_in(std::string_view text) const {
    if (empty()) return false;
    const std::vector<bool> hidden = look(text).bytes;
    return std::find(hidden.begin(), hidden.end(), true) != hidden.end();
}

std::vector<LineRedactor::Line> LineRedactor::push(std::int32_t level, const std::string& line) {
    if (m_redactor.empty()) return {{level, line}};
    const std::size_t begin = m_window.size();
    m_window += line + '\n';
    m_held.push_back({level, begin, begin + line.size()});
    m_hidden.resize(m_window.size(), false);
    const Hidden found = m_redactor.look(std::string_view(m_window).substr(m_looked_until));
    for (std::size_t i = 0; i < found.bytes.size(); ++i) {
        if (found.bytes[i]) m_hidden[m_looked_until + i] = true;
    }
    m_beginning = m_looked_until + found.beginning;
    m_looked_until += found.any_beginning;
    if (m_window.size() - m_beginning > k_max_open || m_held.size() > k_max_held_lines)
        return flush();
    std::vector<Line> lines = take_until(m_beginning);
    forget_what_is_settled();
    return lines;
}

std::vector<LineRedactor::Line> LineRedactor::flush() {
    for (std::size_t i = m_beginning; i < m_window.size(); ++i) m_hidden[i] = true;
    std::vector<Line> lines = take_until(m_window.size());
    forget_what_is_settled();
    return lines;
}

std::vector<LineRedactor::Line> LineRedactor::take_until(std::size_t place) {
    std::vector<Line> lines;
    std::size_t count = 0;
    for (; count < m_held.size() && m_held[count].end < place; ++count) {
        const Held& held = m_held[count];
        const std::string_view text =
            std::string_view(m_window).substr(held.begin, held.end - held.begin);
        lines.emplace_back(held.level, rendered(text, m_hidden, held.begin));
    }
    m_held.erase(m_held.begin(), m_held.begin() + static_cast<std::ptrdiff_t>(count));
    return lines;
}

/// What was shown stays only as the beginning of a secret that may go on, without its blanks.
void LineRedactor::forget_what_is_settled() {
    const std::size_t held = m_held.empty() ? m_window.size() : m_held.front().begin;
    const std::size_t from = std::min(m_looked_until, held);
    std::string kept;
    for (const char byte : std::string_view(m_window).substr(from, held - from)) {
        if (byte == '\n' ? !kept.ends_with('\n') : byte != ' ' && byte != '\t' && byte != '\r')
            kept += byte;
    }
    if (kept.size() > k_max_open) kept.clear();
    const auto moved = [&](std::size_t place) {
        return place >= held ? place - held + kept.size() : std::min(place - from, kept.size());
    };
    for (Held& line : m_held) {
        line.begin = moved(line.begin);
        line.end = moved(line.end);
    }
    m_beginning = moved(std::max(m_beginning, from));
    m_looked_until = moved(m_looked_until);
    m_window.replace(0, held, kept);
    const auto end = m_hidden.begin() + static_cast<std::ptrdiff_t>(held);
    m_hidden.erase(m_hidden.begin(), end);
    m_hidden.insert(m_hidden.begin(), kept.size(), false);
}

}  // namespace runner
