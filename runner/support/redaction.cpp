// SPDX-License-Identifier: Apache-2.0
#include "support/redaction.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "model/error.hpp"
#include "model/json.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_held_lines = 64;
constexpr std::size_t k_min_beginning = 3;  // of a secret, at the end of a line
constexpr const char* k_mask = "***";

/// The characters of base64 (RFC 4648) that the secret alone decides, when `before` bytes stand
/// before it.
std::string base64_core(std::string_view secret, std::size_t before) {
    const std::string bytes = std::string(before, '\0') + std::string(secret);
    const std::string text = base64(bytes).substr(0, bytes.size() * 8 / 6);
    constexpr std::array<std::size_t, 3> k_shared{0, 2, 3};
    return text.substr(std::min(text.size(), k_shared[before]));
}

std::string url_encoded(std::string_view secret, const char* format) {
    std::string text;
    for (const char c : secret) {
        const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
                                c == '~';
        if (unreserved) {
            text += c;
            continue;
        }
        std::array<char, 4> escape{};
        std::snprintf(escape.data(), escape.size(), format, static_cast<unsigned char>(c));
        text += escape.data();
    }
    return text;
}

/// The text without its line breaks and the indentation after each, and where each of its
/// characters stands in the original. In a diff, the mark after a line break goes as well.
struct Joined {
    explicit Joined(std::string_view original, bool diff = false) {
        bool at_begin = diff;
        bool in_margin = false;
        for (std::size_t i = 0; i < original.size(); ++i) {
            const char c = original[i];
            const bool mark = at_begin && (c == '+' || c == '-');
            at_begin = diff && c == '\n';
            if (c == '\n' || c == '\r') {
                in_margin = true;
            } else if (!mark && (!in_margin || (c != ' ' && c != '\t'))) {
                in_margin = false;
                text += c;
                places.push_back(i);
            }
        }
    }
    std::string text;
    std::vector<std::size_t> places;
};

}  // namespace

void Redactor::add(std::string_view secret) {
    if (secret.size() < k_min_secret) {
        throw Error(Failure::usage,
                    "a secret has fewer than " + std::to_string(k_min_secret) +
                        " bytes: it could not be kept out of the logs",
                    "use a longer one");
    }
    add_form(std::string(secret));
    for (std::size_t before = 0; before < 3; ++before) {
        std::string form = base64_core(secret, before);
        add_form(form);
        std::replace(form.begin(), form.end(), '+', '-');
        std::replace(form.begin(), form.end(), '/', '_');
        add_form(form);
    }
    add_form(url_encoded(secret, "%%%02X"));
    add_form(url_encoded(secret, "%%%02x"));
    const std::string json = dump_json(Json(std::string(secret)));
    add_form(json.substr(1, json.size() - 2));
}

void Redactor::add_form(std::string form) {
    form = Joined(form).text;
    if (form.size() < k_min_secret) return;
    if (std::find(m_forms.begin(), m_forms.end(), form) == m_forms.end())
        m_forms.push_back(std::move(form));
}

std::string Redactor::mask(std::string_view text) const {
    if (m_forms.empty()) return std::string(text);
    std::vector<bool> hidden(text.size(), false);
    for (const bool diff : {false, true}) {
        const Joined joined(text, diff);
        for (const std::string& form : m_forms) {
            for (std::size_t at = joined.text.find(form); at != std::string::npos;
                 at = joined.text.find(form, at + 1)) {
                for (std::size_t i = at; i < at + form.size(); ++i) hidden[joined.places[i]] = true;
            }
        }
    }
    std::string masked;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!hidden[i]) {
            masked += text[i];
        } else if (i == 0 || !hidden[i - 1]) {
            masked += k_mask;
        }
    }
    return masked;
}

bool Redactor::finds_in(std::string_view text) const {
    return mask(text) != text;  // the mask is shorter than any secret
}

bool Redactor::may_go_on(std::string_view text) const {
    const std::string joined = Joined(text).text;
    for (const std::string& form : m_forms) {
        const std::size_t most = std::min(joined.size(), form.size() - 1);
        for (std::size_t length = most; length >= k_min_beginning; --length) {
            if (joined.compare(joined.size() - length, length, form, 0, length) == 0) return true;
        }
    }
    return false;
}

std::vector<LineRedactor::Line> LineRedactor::push(std::int32_t level, const std::string& line) {
    if (m_redactor.empty()) return {{level, line}};
    m_held.emplace_back(level, line);
    std::string text;
    for (const Line& held : m_held) text += (text.empty() ? "" : "\n") + held.second;
    if (m_held.size() < k_max_held_lines && m_redactor.may_go_on(text)) return {};
    return flush();
}

std::vector<LineRedactor::Line> LineRedactor::flush() {
    std::vector<Line> lines = std::move(m_held);
    m_held.clear();
    if (lines.empty()) return lines;
    std::string text;
    for (const Line& line : lines) text += line.second + '\n';
    text = m_redactor.mask(text);
    const std::vector<std::string_view> masked = split_lines(text);
    for (std::size_t i = 0; i < lines.size() && i < masked.size(); ++i) lines[i].second = masked[i];
    return lines;
}

}  // namespace runner
