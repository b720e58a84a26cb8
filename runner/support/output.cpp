// SPDX-License-Identifier: Apache-2.0
#include "support/output.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "support/terminal.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_least_width = 20;  // on a narrower terminal rows are not broken any better
constexpr std::size_t k_tab = 8;

/// The most columns that any terminal gives to this character: they do not agree about letters of
/// double width, emoji and marks, and two is the most.
std::size_t columns_of(const Character& character) {
    if (character.code_point == '\t') return k_tab;
    return character.length > 1 ? 2 : 1;
}

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character character = first_character(text);
        columns += columns_of(character);
        text.remove_prefix(character.length);
    }
    return columns;
}

/// How many bytes of the text fit into so many columns; at least one character.
std::size_t fitting(std::string_view text, std::size_t columns) {
    std::size_t bytes = 0;
    while (bytes < text.size()) {
        const Character character = first_character(text.substr(bytes));
        const std::size_t needed = columns_of(character);
        if (needed > columns && bytes > 0) break;
        columns -= std::min(columns, needed);
        bytes += character.length;
    }
    return bytes;
}

void write_out(std::FILE* stream, std::string_view bytes) {
    std::fwrite(bytes.data(), 1, bytes.size(), stream);
}

bool& leads_to_a_terminal() {
    static bool leads = false;
    return leads;
}

std::vector<std::shared_ptr<const Redactor>>& hidden_secrets() {
    static std::vector<std::shared_ptr<const Redactor>> secrets;
    return secrets;
}

bool& progress_is_shown() {
    static bool shown = false;
    return shown;
}

/// The length of what cannot be parted at the begin of a shell's text: an escape, else a character.
std::size_t unit_length(std::string_view text, bool escapes) {
    constexpr std::size_t k_octal = 4;
    if (escapes && text.front() == '\\')
        return std::min(text.size(), text.size() > 1 && text[1] >= '0' && text[1] <= '7'
                                         ? k_octal
                                         : std::size_t{2});
    return first_character(text).length;
}

/// A word of a shell's text, in pieces that a shell puts together again.
class WordPieces {
 public:
    explicit WordPieces(std::string_view word) : m_rest(word) {}
    [[nodiscard]] bool is_empty() const { return m_rest.empty(); }

    /// The next piece, of at most so many columns; it ends outside of quotes. The pieces after the
    /// first begin with a quote, as nothing else does that is printed.
    std::string next(std::size_t columns) {
        constexpr std::size_t k_closing = 1;
        std::string piece = m_is_first ? "" : m_opening.empty() ? "''" : m_opening;
        m_is_first = false;
        for (bool any = false; !m_rest.empty(); any = true) {
            const bool single = m_opening == "'";
            const std::size_t length =
                m_opening.empty() && m_rest.substr(0, 2) == "$'" ? 2 : unit_length(m_rest, !single);
            const std::string_view unit = m_rest.substr(0, length);
            if (any && columns_of(piece) + columns_of(unit) + k_closing > columns) break;
            if (m_opening.empty() && (unit == "'" || unit == "$'")) {
                m_opening = unit;
            } else if (unit == "'") {
                m_opening.clear();
            }
            piece += unit;
            m_rest.remove_prefix(length);
        }
        return m_opening.empty() ? piece : piece + '\'';
    }

 private:
    std::string_view m_rest;
    std::string m_opening;  ///< of the quotes that the text is in
    bool m_is_first = true;
};

void print_error_rows(const std::vector<std::string>& rows) {
    clear_progress();
    std::fflush(stdout);
    for (const std::string& row : rows) write_out(stderr, row + '\n');
}

/// A command taken apart at its spaces, its quotes left as they are.
std::vector<std::string_view> words_of(std::string_view command) {
    std::vector<std::string_view> words;
    std::string_view opening;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < command.size();) {
        const std::string_view rest = command.substr(at);
        std::size_t length = unit_length(rest, opening != "'");
        if (opening.empty() && rest.substr(0, 2) == "$'") length = 2;
        const std::string_view unit = rest.substr(0, length);
        if (opening.empty() && unit == " ") {
            words.push_back(command.substr(begin, at - begin));
            begin = at + 1;
        } else if (opening.empty() && (unit == "'" || unit == "$'")) {
            opening = unit;
        } else if (unit == "'") {
            opening = {};
        }
        at += length;
    }
    words.push_back(command.substr(begin));
    return words;
}

}  // namespace

void expect_pipes_to_a_terminal() {
    leads_to_a_terminal() = true;
}

std::size_t width_of_terminal(int descriptor) {
    struct stat status {};
    const bool pipe =
        leads_to_a_terminal() && ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
    winsize size{};
    if (::ioctl(pipe ? STDIN_FILENO : descriptor, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}

std::vector<std::string> rows_of(std::string_view line, std::size_t width,
                                 std::string_view goes_on) {
    if (width == 0) return {std::string(line)};
    const std::size_t columns = std::max(width, k_least_width) - 1;
    std::vector<std::string> rows;
    do {
        const std::string_view begin = rows.empty() ? "" : goes_on;
        const std::size_t bytes = fitting(line, columns - begin.size());
        rows.push_back(std::string(begin) + std::string(line.substr(0, bytes)));
        line.remove_prefix(bytes);
    } while (!line.empty());
    return rows;
}

std::vector<std::string> rows_of_command(const std::string& indent, std::string_view command,
                                         std::size_t width) {
    if (width == 0) return {indent + std::string(command)};
    constexpr std::size_t k_room = 3;  // for " \" and the last column
    constexpr std::string_view k_next = "      ";
    const std::size_t columns = std::max(width, k_least_width) - k_room;
    std::vector<std::string> rows{indent};
    std::string space;
    for (const std::string_view word : words_of(command)) {
        if (columns_of(rows.back() + space) + columns_of(word) <= columns) {
            rows.back() += space + std::string(word);
        } else {
            rows.back() += space + '\\';
            WordPieces pieces(word);
            rows.push_back(std::string(k_next) + pieces.next(columns - k_next.size()));
            while (!pieces.is_empty()) {
                rows.back() += '\\';
                rows.push_back(pieces.next(columns));
            }
        }
        space = " ";
    }
    return rows;
}

void mask_output(std::shared_ptr<const Redactor> secrets) {
    hidden_secrets().push_back(std::move(secrets));
}

std::string masked_for_output(std::string_view text) {
    std::string masked(text);
    for (const auto& secrets : hidden_secrets()) masked = secrets->mask(masked);
    return masked;
}

void print_json_document(const Json& document) {
    Json masked = document;
    for (const auto& secrets : hidden_secrets()) masked = secrets->mask_texts(std::move(masked));
    print_document(dump_json(masked, 2) + '\n');
}

void print_line(std::string_view text, const LineStyle& style) {
    clear_progress();
    for (const std::string& row :
         rows_of(harmless(masked_for_output(text), style.tabs), width_of_terminal(STDOUT_FILENO))) {
        if (style.colour != nullptr) std::fprintf(stdout, "\x1b[%sm", style.colour);
        write_out(stdout, row);
        write_out(stdout, style.colour != nullptr ? "\x1b[0m\n" : "\n");
    }
    std::fflush(stdout);  // live, through a pipe too
}

void print_value(std::string_view text) {
    clear_progress();
    write_out(stdout, harmless(masked_for_output(text)) + '\n');
    std::fflush(stdout);
}

void print_command(const std::string& indent, std::string_view command) {
    clear_progress();
    for (const std::string& row : rows_of_command(indent, harmless(masked_for_output(command)),
                                                  width_of_terminal(STDOUT_FILENO)))
        write_out(stdout, row + '\n');
    std::fflush(stdout);
}

void print_error_command(const std::string& indent, std::string_view command) {
    print_error_rows(rows_of_command(indent, harmless(masked_for_output(command)),
                                     width_of_terminal(STDERR_FILENO)));
}

void print_error_line(std::string_view text) {
    print_error_rows(rows_of(harmless(masked_for_output(text)), width_of_terminal(STDERR_FILENO)));
}

void print_error_comment(const std::string& indent, std::string_view comment) {
    print_error_rows(rows_of(indent + harmless(masked_for_output(comment)),
                             width_of_terminal(STDERR_FILENO),
                             indent + std::string(k_comment_goes_on)));
}

void print_document(std::string_view text) {
    write_out(stdout, text);
    std::fflush(stdout);
}

void show_progress(std::string_view text) {
    if (::isatty(STDERR_FILENO) == 0) return;
    clear_progress();
    const std::string line = harmless(masked_for_output(text));
    const std::size_t width = width_of_terminal(STDERR_FILENO);
    write_out(stderr, "\r" + (width == 0 ? line : line.substr(0, fitting(line, width - 1))));
    progress_is_shown() = true;
}

void clear_progress() {
    if (!progress_is_shown()) return;
    write_out(stderr, "\r\x1b[K");
    progress_is_shown() = false;
}

}  // namespace runner
