// SPDX-License-Identifier: Apache-2.0
// What the screens of real terminals show of an upgrade that means to hide and to forge. Needs
// tmux, xterm, VTE and Xvfb (./dev deps).
#include <algorithm>
#include <sstream>

#include "support/catch.hpp"
#include "support/nasty_text.hpp"
#include "support/sandbox.hpp"

using test::Sandbox;

namespace {

constexpr int k_columns = 60;

/// A line for each text, between words that must stay in sight, and lines that are so long that a
/// terminal's own way of breaking them would put the forged words at the begin of a row.
std::string speech() {
    std::string text;
    int number = 0;
    for (const test::NastyText& nasty : test::nasty_texts()) {
        if (nasty.text.find('\0') != std::string::npos) continue;  // a diff of it is not shown
        text += "admin-" + std::to_string(++number) + ": true #" + nasty.text + " all good\n";
    }
    for (int indent = 53; indent <= 58; ++indent)
        text += std::string(static_cast<std::size_t>(indent), ' ') + "Done. FORGED\n";
    return text;
}

std::vector<std::string> screen_of(Sandbox& sandbox, const std::string& terminal) {
    const std::vector<std::string> command{SOURCE_FOLDER "/tests/support/real_terminal",
                                           terminal,
                                           std::to_string(k_columns),
                                           Sandbox::program(),
                                           "upgrade",
                                           "-n"};
    test::Program program(command, sandbox.path(), sandbox.environment);
    const auto result = program.wait();
    INFO(result.err);
    REQUIRE(result.status == 0);
    std::vector<std::string> rows;
    std::istringstream stream(result.out);
    for (std::string row; std::getline(stream, row);) rows.push_back(row);
    return rows;
}

bool has_row(const std::vector<std::string>& rows, const std::string& begin) {
    return std::any_of(rows.begin(), rows.end(),
                       [&](const std::string& row) { return row.rfind(begin, 0) == 0; });
}

}  // namespace

TEST_CASE("on real terminals no line is hidden and none is forged") {
    Sandbox sandbox;
    sandbox.release_plugin("speaker", "0.1.10001");
    sandbox.write("repository/conf", "one: 1\ntwo: 2\nthree: 3\n");
    sandbox.write("repository/speech", speech());
    for (const char* terminal : {"tmux", "xterm", "vte"}) {
        const std::vector<std::string> rows = screen_of(sandbox, terminal);
        std::string screen;
        for (const std::string& row : rows) screen += row + '\n';
        INFO(terminal << ":\n" << screen);
        int number = 0;
        for (const test::NastyText& nasty : test::nasty_texts()) {
            if (nasty.text.find('\0') != std::string::npos) continue;
            const std::string line = "admin-" + std::to_string(++number) + ": true #" + nasty.shown;
            if (number > 1) CHECK(has_row(rows, "    +" + line));
            CHECK(has_row(rows, "  | " + (number == 1 ? "logged: " + line : line)));
            CHECK(has_row(rows, "    < " + (number == 1 ? "input: " + line : line)));
        }
        std::size_t forged = 0;
        for (const std::string& row : rows) {
            if (row.find("FORGED") == std::string::npos) continue;
            ++forged;
            CHECK((row.rfind("  ", 0) == 0 || row.rfind("$'", 0) == 0));
        }
        CHECK(forged > 20);
        CHECK(has_row(rows, "This was a dry run: nothing was changed."));
    }
}
