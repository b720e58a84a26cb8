// SPDX-License-Identifier: Apache-2.0
// What is shown of what comes from outside, through a pipe; and what is asked, on a terminal.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "support/catch.hpp"
#include "support/nasty_text.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

const std::string k_forged = "Upgrade complete. FORGED";

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

/// Nothing in an output may be harmful, and no line may be the one that was to be forged.
void check_words(const test::ProgramResult& result) {
    for (const std::string& output : {result.out, result.err}) {
        CHECK(test::first_harmful(output) == std::string::npos);
        for (const std::string& line : lines_of(output))
            CHECK(line.rfind(k_forged, 0) == std::string::npos);
    }
}

/// A program that says in which terminal it is; 0: in none.
const std::string k_tell_terminal =
    "read -r line < /proc/self/stat; set -- $line; echo \"terminal $7\"; "
    "if (: > /dev/tty) 2> /dev/null; then echo opened it; else echo cannot open it; fi\n";

/// A program that finds the terminal of the run, and tries what can be done with its name.
const std::string k_use_terminal_by_name = R"(#!/usr/bin/perl
use Fcntl;
open(my $told, "<", "terminal") or die $!;
chomp(my $name = <$told>);
$| = 1;
print "found $name\n";
print open(my $out, ">", $name) ? "can write\n" : "cannot write: $!\n";
sysopen(my $in, $name, O_RDONLY | O_NOCTTY) or print "cannot open: $!\n";
my $typed = "n";
print ioctl($in, 0x5412, $typed) ? "can type\n" : "cannot type: $!\n";  # TIOCSTI
open(my $null, "<", "/dev/null");
print -t $null ? "null is a terminal\n" : "null is no terminal\n";
)";

/// The version of the kernel's Landlock; below 1: there is none.
long landlock_version() {
    constexpr long k_create_ruleset = 444;
    return ::syscall(k_create_ruleset, nullptr, 0, 1U);
}

runner::Json event(const std::string& events, const std::string& name) {
    for (const std::string& line : lines_of(events)) {
        runner::Json found = runner::Json::parse(line);
        if (found["event"] == name) return found;
    }
    return {};
}

}  // namespace

TEST_CASE("whatever an upgrade says, nothing of it reaches a terminal as it is") {
    Sandbox sandbox;
    const std::string speech = test::all_nasty_texts() + '\n' + k_forged + '\n';
    sandbox.write("repository/speech", speech);
    const std::string words = speech.substr(0, speech.find('\0')) + k_forged;
    std::string valid;  // JSON is in UTF-8
    for (const test::NastyText& nasty : test::nasty_texts()) {
        if (nasty.shown.find("\\x8") == std::string::npos &&
            nasty.shown.find("\\xe") == std::string::npos &&
            nasty.shown.find("\\xf") == std::string::npos &&
            nasty.shown.find("\\x9") == std::string::npos)
            valid += nasty.text;
    }
    valid += '\n' + k_forged;
    sandbox.release_program(
        "0.1.10001", "#!/bin/sh\ncat speech\ncat speech >&2\n",
        runner::Json{{"description", valid},
                     {"changes", {valid}},
                     {"permissions", {{"write", {valid}}, {"commands", {"cat"}}}}});
    sandbox.release_plugin("speaker", "0.1.10002");
    const std::vector<std::vector<std::string>> looks{{"plan"},
                                                      {"plan", "-o", "json"},
                                                      {"check"},
                                                      {"upgrade", "-n"},
                                                      {"upgrade", "-n", "-o", "json"},
                                                      {"verify"},
                                                      {"history"},
                                                      {"state", "show"}};
    for (const auto& arguments : looks) check_words(sandbox.run(arguments));
    check_words(sandbox.run({"skip", "0.1.10001", "--reason", words}));
    check_words(sandbox.run({"history"}));
    check_words(sandbox.run({"plan"}));
    check_words(sandbox.run({"unskip", "0.1.10001"}));
    sandbox.write("repository/behaviour", "fail");
    const auto failed = sandbox.upgrade({"--events", "events"});
    CHECK(failed.status == 1);
    check_words(failed);
    CHECK(test::first_harmful(sandbox.read("events")) == std::string::npos);
    sandbox.write("repository/behaviour", "");
    check_words(sandbox.upgrade());
    for (const char* version : {"0.1.10001", "0.1.10002"}) {
        const auto logs = sandbox.run({"logs", version});
        check_words(logs);
        CHECK_THAT(logs.out, Contains(test::all_nasty_texts_shown()));
    }
    check_words(sandbox.run({"history"}));
    check_words(sandbox.run({"history", "-o", "json"}));
}

TEST_CASE("what is one line by its meaning stays one, and several lines have a mark each") {
    Sandbox sandbox;
    sandbox.write("repository/speech", "\x1b[2Kx\n" + k_forged);
    sandbox.write("repository/conf", "one: 1\ntwo: 2\nthree: 3\n");
    sandbox.release_plugin("speaker", "0.1.10001");
    const auto shown = sandbox.run({"upgrade", "-n", "--events", "events"});
    for (const std::string line :
         {"  | logged: \\x1b[2Kx", "  | Upgrade complete. FORGED",
          "  step id: \\x1b[2Kx\\nUpgrade complete. FORGED: description: "
          "\\x1b[2Kx\\nUpgrade complete. FORGED",
          "  would run: true $'argument: \\033[2Kx\\nUpgrade complete. FORGED' ''",
          "    < input: \\x1b[2Kx", "    < Upgrade complete. FORGED",
          "    \\ No newline at end of input", "  --- a/conf", "    -two: 2",
          "    +two: 2 #\\x1b[2Kx", "    +Upgrade complete. FORGED end"}) {
        CAPTURE(line);
        const std::vector<std::string> lines = lines_of(shown.out);
        CHECK(std::count(lines.begin(), lines.end(), line) == 1 + (line.find("| Upg") == 2));
    }
    const std::string raw = "\x1b[2Kx\n" + k_forged;
    const runner::Json command = event(sandbox.read("events"), "command");
    CHECK(command["argv"] == runner::Json{"true", "argument: " + raw, ""});
    CHECK(command["input"] == "input: \\x1b[2Kx\n" + k_forged);
    CHECK(event(sandbox.read("events"), "step")["description"] ==
          "description: \\x1b[2Kx\\n" + k_forged);

    sandbox.write("repository/behaviour", "fail");
    const auto failed = sandbox.upgrade({"--events", "real"});
    CHECK_THAT(failed.out,
               Contains("\n  run: true $'argument: \\033[2Kx\\nUpgrade complete. FORGED' ''\n"));
    CHECK_THAT(failed.err, Contains("message: \\x1b[2Kx\\nUpgrade complete. FORGED"));
    CHECK(event(sandbox.read("real"), "commandBegan")["argv"] == command["argv"]);
    const std::vector<std::string> log = lines_of(sandbox.run({"logs", "0.1.10001"}).out);
    CHECK(std::count(log.begin(), log.end(), "  Upgrade complete. FORGED") == 2);
}

TEST_CASE("names in errors forge no line of their own") {
    Sandbox sandbox;
    const auto result = sandbox.run({"plan", "-c", "no\nerror: forged\x1b[2K"});
    CHECK(result.status == 2);
    const std::vector<std::string> lines = lines_of(result.err);
    CHECK(std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
              return line.rfind("error: ", 0) == 0;
          }) == 1);
    CHECK_THAT(result.err, Contains("no\\nerror: forged\\x1b[2K"));
}

TEST_CASE("a line of a diff shows its end, and cannot be taken for the name of another file") {
    Sandbox sandbox;
    sandbox.release_plugin("speaker", "0.1.10001");
    sandbox.write("repository/conf", "one: 1\n-- a/other\nthree: 3\n");
    sandbox.write("repository/speech", "\r\n  spaces  \n++ b/other\nno: end");
    const std::string out = sandbox.run({"upgrade", "-n"}).out;
    CHECK_THAT(out, Contains("\n  --- a/conf\n  +++ b/conf\n    @@ ") &&
                        Contains("\n    --- a/other\n") && Contains("\n    +++ b/other\n") &&
                        Contains("\n    +two: 2 #\\r\n    +  spaces  \n"));
}

TEST_CASE("what was typed before a question is no answer to it") {
    Sandbox sandbox;
    sandbox.release_plugin("speaker", "0.1.10001");
    sandbox.write("repository/speech", "sure");
    sandbox.write("repository/behaviour", "ask");
    sandbox.write("before.sh", "#!/bin/sh\necho waiting\nread -r line < go\n");
    REQUIRE(::mkfifo((sandbox.path() / "go").c_str(), 0600) == 0);
    std::filesystem::permissions(sandbox.path() / "before.sh", std::filesystem::perms::owner_all);
    sandbox.config("0.1.0", "", "hooks: {before: {command: [./before.sh]}}\n");
    const auto result = sandbox.talk({Sandbox::program(), "upgrade"},
                                     {{"continue? [y/N] ", "y\n"},
                                      {"waiting", "y\n", [&] { sandbox.write("go", "\n"); }, true},
                                      {"0.1.10001 asks: question: sure [y/N] ", "n\n"}});
    CHECK_THAT(result.out, !Contains("0.1.10001: done"));
    CHECK(result.status != 0);
}

TEST_CASE("questions are asked on the terminal also when the output goes through a pipe") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    for (const bool yes : {false, true}) {
        const auto result = sandbox.talk(
            {"/bin/bash", "-o", "pipefail", "-c", Sandbox::program() + " upgrade | cat > log"},
            {{"continue? [y/N] ", yes ? "y\n" : "n\n"}});
        CHECK(result.status == (yes ? 0 : 4));
        const std::string log = sandbox.read("log");
        CHECK_THAT(log, Contains("Found 1 applicable upgrade") && !Contains("[y/N]"));
        CHECK((log.find("0.1.10001: done") != std::string::npos) == yes);
    }
}

TEST_CASE("without a terminal to ask on, nothing is asked") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    const auto result =
        sandbox.talk({"/bin/bash", "-o", "pipefail", "-c",
                      "setsid --wait " + Sandbox::program() + " upgrade 2>&1 | cat"},
                     {});
    CHECK(result.status == 2);
    CHECK_THAT(result.out, Contains("--yes"));
}

TEST_CASE("upgrades and hooks have no terminal") {
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", "#!/bin/sh\n" + k_tell_terminal);
    sandbox.write("before.sh", "#!/bin/sh\n" + k_tell_terminal);
    std::filesystem::permissions(sandbox.path() / "before.sh", std::filesystem::perms::owner_all);
    sandbox.config("0.1.0", "",
                   "hooks: {before: {command: [./before.sh]}}\npolicy: {enforcement: disabled}\n");
    const auto result =
        sandbox.talk({Sandbox::program(), "upgrade"}, {{"continue? [y/N] ", "y\n"}});
    CHECK(result.status == 0);
    std::size_t told = 0;
    for (const std::string& line : lines_of(result.out)) {
        told += line.rfind("  | terminal ", 0) == 0 ? 1U : 0U;
        CHECK(line.find("opened it") == std::string::npos);
        if (line.rfind("  | terminal ", 0) == 0) CHECK(line == "  | terminal 0\r");
    }
    CHECK(told == 3);  // in the simulation, by the hook, for real
}

TEST_CASE("an upgrade neither writes to the run's terminal nor types into it by its name") {
    constexpr long k_rules_for_devices = 5;
    if (landlock_version() < k_rules_for_devices) {
        WARN("this kernel has no rules for devices: nothing was tested");
        return;
    }
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", k_use_terminal_by_name);
    const auto result = sandbox.talk(
        {"/bin/sh", "-c", "tty > repository/terminal; exec \"$0\" upgrade", Sandbox::program()},
        {{"continue? [y/N] ", "y\n"}});
    CHECK(result.status == 0);
    const std::vector<std::string> lines = lines_of(result.out);
    for (const std::string line :
         {"  | cannot write: Permission denied\r", "  | cannot type: Permission denied\r",
          "  | null is no terminal\r"})
        CHECK(std::count(lines.begin(), lines.end(), line) == 2);  // in the simulation, for real
    CHECK_THAT(result.out, Contains("  | found /dev/pts/") && !Contains("cannot open"));
}

TEST_CASE("the diff of what a rollback puts back is as harmless as any") {
    Sandbox sandbox;
    const std::string text = test::all_nasty_texts();
    sandbox.write("repository/gone", text.substr(0, text.find('\0')) + '\n' + k_forged + '\n');
    sandbox.write("repository/shared", "shared\n");
    sandbox.write("repository/old", "old\n");
    sandbox.release_plugin("files_only", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"rollback", "-n"}, {"rollback", "--yes"}}) {
        const auto result = sandbox.run(command);
        CHECK(result.status == 0);
        check_words(result);
        const std::string shown = test::all_nasty_texts_shown();
        CHECK_THAT(result.out, Contains("    +" + shown.substr(0, shown.find("\\x00")) + '\n'));
    }
}

TEST_CASE("no name or message forges a row of the history") {
    Sandbox sandbox;
    sandbox.write("repository/conf", "one: 1\ntwo: 2\nthree: 3\n");
    sandbox.write("repository/speech", "x\n0.1.10009  succeeded\n    0.1.10009  succeeded");
    sandbox.write("repository/behaviour", "fail");
    sandbox.release_plugin("speaker", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 1);
    const auto history = sandbox.run({"history"});
    CHECK_THAT(history.out, Contains("0.1.10009  succeeded"));
    std::size_t attempts = 0;
    for (const std::string& line : lines_of(history.out)) {
        const bool is_attempt = line.rfind("    0.1.", 0) == 0;
        const bool is_message = line.find("0.1.10009") != std::string::npos;
        attempts += is_attempt ? 1 : 0;
        CHECK_FALSE((is_attempt && is_message));
        if (is_message) CHECK(line.rfind("    | ", 0) == 0);
    }
    CHECK(attempts == 1);
}

TEST_CASE("a long comment of the recipe by hand stays a comment in all of its rows") {
    Sandbox sandbox;
    sandbox.write("repository/conf", "one: 1\ntwo: 2\nthree: 3\n");
    sandbox.write("repository/speech", std::string(300, 'x'));
    sandbox.write("repository/behaviour", "fail");
    sandbox.release_plugin("speaker", "0.1.10001");
    const auto result = sandbox.talk(
        {"/bin/sh", "-c", "stty cols 40 && exec " + Sandbox::program() + " upgrade --yes"}, {});
    CHECK(result.status == 1);
    const std::string recipe = result.out.substr(result.out.find("By hand:"));
    CHECK_THAT(recipe, Contains("         #   true 'argument: xxx") &&
                           Contains("\n         #   > xxx") && !Contains("\n  > "));
}
