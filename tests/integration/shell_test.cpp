// SPDX-License-Identifier: Apache-2.0
// Commands as they are shown, given to a real shell.
#include <random>
#include "support/catch.hpp"

#include "model/harmless.hpp"
#include "services/command.hpp"
#include "support/file.hpp"
#include "support/nasty_text.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

using namespace runner;

namespace {

/// The arguments that bash makes of this text.
std::vector<std::string> read_by_bash(const std::string& text) {
    upgrade::services::CommandSpec spec;
    spec.arguments = {"bash", "--norc", "-s"};
    spec.input = "set -f; printf '%s\\0' " + text + "\n";
    std::string output;
    spec.on_output = [&](std::string_view piece) { output += piece; };
    REQUIRE(upgrade::services::run_command(spec) == 0);
    std::vector<std::string> arguments = split(output, '\0');
    arguments.pop_back();
    return arguments;
}

std::string joined(const std::vector<std::string>& rows) {
    return join(rows, "\n");
}

}  // namespace

TEST_CASE("a shell makes of a command that is shown what the upgrade has given, in rows too") {
    std::vector<std::string> pieces{"a",  "'",     "\"", "\\", " ", "$", "`",        "!",
                                    "\n", "\t",    "=",  "~",  "-", "#", "\xC3\xA9", "\xE6\xBC\xA2",
                                    "7",  "{a,b}", "*",  "\\n"};
    for (const test::NastyText& nasty : test::nasty_texts()) {
        if (nasty.text.find('\0') == std::string::npos) pieces.push_back(nasty.text);
    }
    std::mt19937 random(7);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    for (int round = 0; round < 300; ++round) {
        std::vector<std::string> arguments;
        for (std::size_t count = 1 + below(5); count > 0; --count) {
            std::string argument;
            for (std::size_t length = below(40); length > 0; --length)
                argument += pieces[below(pieces.size())];
            arguments.push_back(argument);
        }
        const std::string text = shell_command(arguments);
        CAPTURE(text);
        CHECK(harmless(text) == text);
        CHECK(read_by_bash(text) == arguments);
        const std::vector<std::string> rows = rows_of_command("", text, 20 + below(60));
        CAPTURE(joined(rows));
        CHECK(read_by_bash(joined(rows)) == arguments);
        for (std::size_t i = 1; i < rows.size(); ++i) {
            const std::string& row = rows[i];
            const bool is_marked =
                row.rfind("      ", 0) == 0 || row.rfind("'", 0) == 0 || row.rfind("$'", 0) == 0;
            CHECK(is_marked);
            CHECK(rows[i - 1].back() == '\\');
        }
    }
}

TEST_CASE("a shell that is given a comment in rows runs none of them") {
    const std::vector<std::string> pieces{"a b",        "'",         "\"", "\\",      " ",
                                          "$(touch x)", "`touch x`", "#",  "> x",     ";",
                                          "&&",         "touch x",   "\n", "\xC3\xA9"};
    std::mt19937 random(7);
    const auto below = [&](std::size_t limit) { return random() % limit; };
    for (int round = 0; round < 200; ++round) {
        std::string comment = "#   ";
        for (std::size_t length = 5 + below(40); length > 0; --length)
            comment += pieces[below(pieces.size())];
        const std::string indent(below(10), ' ');
        const std::vector<std::string> rows = rows_of(indent + harmless(comment), 20 + below(60),
                                                      indent + std::string(k_comment_goes_on));
        CAPTURE(joined(rows));
        const TemporaryFolder folder("shell-test");
        upgrade::services::CommandSpec spec;
        spec.arguments = {"bash", "--norc", "-s"};
        spec.folder = folder.path().string();
        spec.input = "trap 'echo ran' DEBUG\n" + joined(rows) + "\ntrap - DEBUG; echo end\n";
        std::string output;
        spec.on_output = [&](std::string_view piece) { output += piece; };
        REQUIRE(upgrade::services::run_command(spec) == 0);
        CHECK(output == "ran\nend\n");
        CHECK(std::filesystem::is_empty(folder.path()));
    }
}
