// SPDX-License-Identifier: Apache-2.0
// The one outlet for text: whatever is in it, it comes out harmless (model/harmless.hpp), and what
// is one line for the caller is one line for the reader, on a terminal too.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/harmless.hpp"
#include "support/redaction.hpp"

namespace runner {

/// What a terminal's rows begin with when they go on with the line of the row before.
constexpr std::string_view k_row_goes_on = "  > ";
/// The same for a comment among commands: a shell that is given its rows runs none of them.
constexpr std::string_view k_comment_goes_on = "#   > ";

/// How a line is printed.
struct LineStyle {
    const char* colour = nullptr;  ///< parameters of SGR (ECMA-48), "1;31"; none: without colour
    Tabs tabs = Tabs::escaped;
};

/// From now on, and until the end of the program, these secrets are masked in all that is printed.
void mask_output(std::shared_ptr<const Redactor> secrets);
/// A text as it is printed: its secrets are masked.
std::string masked_for_output(std::string_view text);

/// Prints one line on standard output, at once.
void print_line(std::string_view text, const LineStyle& style = {});
/// Prints what is to be copied or read by a program, on standard output: as print_line, and never
/// broken into rows.
void print_value(std::string_view text);
/// Prints `indent` and a command as shell_command makes it. It can be copied from a terminal, too:
/// a shell takes all of its rows for the one command.
void print_command(const std::string& indent, std::string_view command);
/// The same on standard error.
void print_error_command(const std::string& indent, std::string_view command);
/// The same as print_line on standard error, after all that standard output has got.
void print_error_line(std::string_view text);
/// Prints `indent` and a comment, which begins with `#`, on standard error.
void print_error_comment(const std::string& indent, std::string_view comment);
/// Prints JSON, its secrets masked, indented.
void print_json_document(const Json& document);
/// Prints a document that the program has made as it is: a script, help.
void print_document(std::string_view text);
/// The last row of standard error, until something else is printed; cut to what fits into it.
/// Nothing when standard error is no terminal.
void show_progress(std::string_view text);
/// Takes that row away.
void clear_progress();

/// From now on, what is written into a pipe is seen on the terminal of standard input, where
/// questions are asked, too: `runner upgrade | tee log`.
void expect_pipes_to_a_terminal();

/// The width in columns of the terminal on which what is written to `descriptor` is seen; 0: none.
std::size_t width_of_terminal(int descriptor);

/// A harmless line in rows of a terminal, broken by this program and not by the terminal, so that
/// no row but the first can be taken for the beginning of a line: they begin with `goes_on`.
/// `width` 0: one row.
std::vector<std::string> rows_of(std::string_view line, std::size_t width,
                                 std::string_view goes_on = k_row_goes_on);
/// The same for a command after `indent`. A row ends with a backslash where the next goes on; one
/// that goes on within a word begins with a quote, any other with spaces.
std::vector<std::string> rows_of_command(const std::string& indent, std::string_view command,
                                         std::size_t width);

}  // namespace runner
