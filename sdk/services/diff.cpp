// SPDX-License-Identifier: Apache-2.0
#include "services/diff.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "services/attributes.hpp"

namespace upgrade::services {
namespace {

constexpr std::ptrdiff_t k_max_edits = 2000;
constexpr std::size_t k_context = 3;

enum class Kind : char { keep = ' ', remove = '-', add = '+' };

struct Edit {
    Kind kind;
    std::string_view line;  ///< with its newline, if it has one
};

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
        lines.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return lines;
}

/// The edits of a shortest script from `a` to `b`, in reverse; nothing when it would need more than
/// k_max_edits.
std::optional<std::vector<Edit>> shortest_script(const Lines& a, const Lines& b) {
    const auto n = static_cast<std::ptrdiff_t>(a.size());
    const auto m = static_cast<std::ptrdiff_t>(b.size());
    const std::ptrdiff_t most = std::min(n + m, k_max_edits);
    const std::ptrdiff_t offset = most + 1;
    std::vector<std::ptrdiff_t> furthest(static_cast<std::size_t>(2 * most + 3), 0);
    std::vector<std::vector<std::ptrdiff_t>> trace;
    const auto at = [offset](std::ptrdiff_t k) { return static_cast<std::size_t>(k + offset); };
    const auto comes_from_above = [&](const std::vector<std::ptrdiff_t>& v, std::ptrdiff_t k,
                                      std::ptrdiff_t d) {
        return k == -d || (k != d && v[at(k - 1)] < v[at(k + 1)]);
    };
    bool found = false;
    for (std::ptrdiff_t d = 0; d <= most && !found; ++d) {
        trace.push_back(furthest);
        for (std::ptrdiff_t k = -d; k <= d; k += 2) {
            std::ptrdiff_t x =
                comes_from_above(furthest, k, d) ? furthest[at(k + 1)] : furthest[at(k - 1)] + 1;
            while (x < n && x - k < m &&
                   a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(x - k)])
                ++x;
            furthest[at(k)] = x;
            found = found || (x >= n && x - k >= m);
            if (found) break;
        }
    }
    if (!found) return std::nullopt;

    std::vector<Edit> reversed;
    std::ptrdiff_t x = n;
    std::ptrdiff_t y = m;
    for (auto d = static_cast<std::ptrdiff_t>(trace.size()) - 1; d >= 0; --d) {
        const auto& v = trace[static_cast<std::size_t>(d)];
        const std::ptrdiff_t k = x - y;
        const bool above = comes_from_above(v, k, d);
        const std::ptrdiff_t previous_k = above ? k + 1 : k - 1;
        const std::ptrdiff_t previous_x = d == 0 ? 0 : v[at(previous_k)];
        const std::ptrdiff_t previous_y = d == 0 ? 0 : previous_x - previous_k;
        while (x > previous_x && y > previous_y) {
            reversed.push_back({Kind::keep, a[static_cast<std::size_t>(--x)]});
            --y;
        }
        if (d == 0) break;
        if (above) {
            reversed.push_back({Kind::add, b[static_cast<std::size_t>(--y)]});
        } else {
            reversed.push_back({Kind::remove, a[static_cast<std::size_t>(--x)]});
        }
    }
    return reversed;
}

std::vector<Edit> edit_script(Lines a, Lines b) {
    std::size_t prefix = 0;
    while (prefix < a.size() && prefix < b.size() && a[prefix] == b[prefix]) ++prefix;
    std::size_t suffix = 0;
    while (suffix < a.size() - prefix && suffix < b.size() - prefix &&
           a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix]) {
        ++suffix;
    }
    const auto middle = [&](const Lines& all) {
        return Lines(all.begin() + static_cast<std::ptrdiff_t>(prefix),
                     all.end() - static_cast<std::ptrdiff_t>(suffix));
    };
    std::vector<Edit> script;
    for (std::size_t i = 0; i < prefix; ++i) script.push_back({Kind::keep, a[i]});
    const Lines removed = middle(a);
    const Lines added = middle(b);
    if (const auto reversed = shortest_script(removed, added)) {
        script.insert(script.end(), reversed->rbegin(), reversed->rend());
    } else {
        for (const auto line : removed) script.push_back({Kind::remove, line});
        for (const auto line : added) script.push_back({Kind::add, line});
    }
    for (std::size_t i = a.size() - suffix; i < a.size(); ++i) script.push_back({Kind::keep, a[i]});
    return script;
}

std::string range(std::size_t first, std::size_t count) {
    const std::size_t shown = count == 0 ? first : first + 1;
    return count == 1 ? std::to_string(shown) : std::to_string(shown) + ',' + std::to_string(count);
}

/// The edits [begin, end) as one hunk; `a_line` and `b_line` are the lines before it.
std::string hunk(const std::vector<Edit>& script, std::size_t begin, std::size_t end,
                 std::size_t a_line, std::size_t b_line) {
    std::size_t a_count = 0;
    std::size_t b_count = 0;
    std::string body;
    for (std::size_t i = begin; i < end; ++i) {
        a_count += script[i].kind != Kind::add ? 1U : 0U;
        b_count += script[i].kind != Kind::remove ? 1U : 0U;
        body += static_cast<char>(script[i].kind);
        body += script[i].line;
        if (script[i].line.back() != '\n') body += "\n\\ No newline at end of file\n";
    }
    return "@@ -" + range(a_line, a_count) + " +" + range(b_line, b_count) + " @@\n" + body;
}

std::string hunks(const std::vector<Edit>& script) {
    std::string text;
    std::size_t a_line = 0;
    std::size_t b_line = 0;
    std::size_t position = 0;
    while (true) {
        std::size_t first = position;
        while (first < script.size() && script[first].kind == Kind::keep) ++first;
        if (first == script.size()) return text;
        const std::size_t begin = std::max(position, first > k_context ? first - k_context : 0);
        a_line += begin - position;
        b_line += begin - position;
        std::size_t last_change = first;
        for (std::size_t i = first; i < script.size() && i - last_change <= 2 * k_context; ++i) {
            if (script[i].kind != Kind::keep) last_change = i;
        }
        const std::size_t end = std::min(script.size(), last_change + 1 + k_context);
        text += hunk(script, begin, end, a_line, b_line);
        for (std::size_t i = begin; i < end; ++i) {
            a_line += script[i].kind != Kind::add ? 1U : 0U;
            b_line += script[i].kind != Kind::remove ? 1U : 0U;
        }
        position = end;
    }
}

bool is_binary(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

/// As git has it: the kind of file before the permissions.
std::string mode_line(const char* what, unsigned mode) {
    return std::string(what) + " mode 10" + octal(mode) + '\n';
}

/// What is said of modes above a diff; empty: nothing.
std::string mode_header(const std::string& name, const DiffSide& before, const DiffSide& after) {
    std::string lines;
    if (!before.text && after.mode) lines = mode_line("new file", *after.mode);
    if (before.mode && !after.text) lines = mode_line("deleted file", *before.mode);
    if (before.mode && after.mode && before.mode != after.mode)
        lines = mode_line("old", *before.mode) + mode_line("new", *after.mode);
    return lines.empty() ? "" : "diff --git a/" + name + " b/" + name + '\n' + lines;
}

}  // namespace

std::string unified_diff(std::string_view path, const DiffSide& before, const DiffSide& after) {
    const std::string name(path);
    const std::string header = mode_header(name, before, after);
    if (before.text == after.text) return header;
    const std::string old_name = before.text ? "a/" + name : "/dev/null";
    const std::string new_name = after.text ? "b/" + name : "/dev/null";
    const std::string_view old_text = before.text.value_or("");
    const std::string_view new_text = after.text.value_or("");
    if (is_binary(old_text) || is_binary(new_text)) {
        return header + "Binary files " + old_name + " and " + new_name + " differ\n";
    }
    return header + "--- " + old_name + "\n+++ " + new_name + '\n' +
           hunks(edit_script(lines_of(old_text), lines_of(new_text)));
}

}  // namespace upgrade::services
