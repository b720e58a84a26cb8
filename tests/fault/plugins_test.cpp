// SPDX-License-Identifier: Apache-2.0
// A plugin that crashes, hangs, exits, throws through C or floods costs one attempt, is named, and
// is replaced by a hotfix.
#include <signal.h>

#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

/// Upgrades 1 (good), 2 (bad), 3 (good); after the bad one's release is replaced by a hotfix
/// everything completes.
void costs_one_attempt(const std::string& behaviour, const std::string& words, int status = 1) {
    Sandbox sandbox;
    for (int i = 1; i <= 3; ++i) sandbox.release_plugin("puppet", "0.1.1000" + std::to_string(i));
    sandbox.behaviour("0.1.10001 note\n0.1.10002 " + behaviour + "\n0.1.10003 note\n");
    const auto failed = sandbox.upgrade();
    CHECK(failed.status == status);
    CHECK_THAT(failed.err, Contains("0.1.10002") && Contains(words));
    CHECK(sandbox.read("repository/order") == "0.1.10001\n");
    const auto history = sandbox.run({"history", "-o", "json"}).json();
    CHECK(history["runs"][0]["outcome"] == "failed");
    CHECK(history["runs"][0]["upgrades"][1]["outcome"] == "failed");
    sandbox.remove_release("0.1.10002");
    sandbox.release_program("0.1.10002.fixed", "#!/bin/sh\n");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10003\n");
}

}  // namespace

TEST_CASE("a crash costs one attempt") {
    costs_one_attempt("segv", "signal 11");
}
TEST_CASE("an abort costs one attempt") {
    costs_one_attempt("abort", "signal 6");
}
TEST_CASE("exit(0) is no success") {
    costs_one_attempt("exit0", "without saying that it was done");
}
TEST_CASE("a non-zero exit costs one attempt") {
    costs_one_attempt("exit3", "exit status 3");
}
TEST_CASE("a flood of the log costs one attempt") {
    costs_one_attempt("flood", "64 MiB");
}

TEST_CASE(
    "a plugin that throws through C, and one that crashes while it is loaded, are named before "
    "anything changes") {
    for (const char* plugin : {"thrower", "constructor_crash"}) {
        Sandbox sandbox;
        sandbox.release_plugin(plugin, "0.1.10001");
        const auto result = sandbox.upgrade();
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("0.1.10001") && Contains("nothing was changed"));
        sandbox.remove_release("0.1.10001");
        sandbox.release_plugin("noop", "0.1.10002");
        CHECK(sandbox.upgrade().status == 0);
    }
}

TEST_CASE("what is no plugin of ABI 1 is refused by what is wrong, before anything changes") {
    const std::pair<const char*, const char*> wrong[] = {
        {"other_abi", "built for another ABI major"},
        {"refuses", "its entry function returned null"},
        {"throws_in_entry", "signal 6"},
        {"small_struct", "its plugin struct has 8 bytes"},
        {"no_apply", "it has no apply function"},
        {"no_description", "the plugin's own description"},
        {"other_version", "'version' is \"9.9.9\", its published manifest says \"0.1.10001\""},
        {"no_status", "99"},
        {"no_utf8", "begin "},
    };
    for (const auto& [plugin, words] : wrong) {
        Sandbox sandbox;
        sandbox.release_plugin(plugin, "0.1.10001");
        const auto result = sandbox.upgrade();
        INFO(plugin);
        CHECK(result.status == 3);
        CHECK_THAT(result.err,
                   Contains("0.1.10001") && Contains(words) && Contains("nothing was changed"));
        sandbox.remove_release("0.1.10001");
        sandbox.release_plugin("unknown_service", "0.1.10002");
        CHECK(sandbox.upgrade().status == 0);
    }
}

TEST_CASE("bytes of a plugin that are no UTF-8 are shown and kept as escapes") {
    Sandbox sandbox;
    sandbox.release_plugin("no_utf8", "0.1.10001");
    const auto result = sandbox.run({"upgrade", "--yes", "-o", "json"});
    CHECK(result.status == 3);
    const runner::Json document = result.json();  // strict: refuses what is no UTF-8
    CHECK_THAT(document["error"]["message"].get<std::string>(),
               Contains("begin \\xc0\\xaf \\xed\\xa0\\x80 \\xff end"));
}

TEST_CASE("a plugin that hangs is ended at its time limit") {
    Sandbox sandbox;
    runner::Json manifest{{"schema", 1}, {"version", "0.1.10001"}, {"timeout", "300ms"}};
    sandbox.release_file(
        "0.1.10001", "upgrade_0.1.10001",
        "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\nwhile :; do read x </dev/zero; done\n",
        manifest);
    const auto result = sandbox.upgrade();
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("longer than its limit of 300ms"));
}

TEST_CASE("each phase finds its temporary folder empty, whatever the one before left in it") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.behaviour("0.1.10001 simulated-litter\n0.1.10002 simulated-litter\n");
    CHECK(sandbox.upgrade().status == 0);
}

TEST_CASE("what a plugin leaves behind is ended, with a warning, and its outcome stands") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 daemon\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("left 1 process behind; ended"));
}

TEST_CASE(
    "the first signal finishes the current upgrade, the second cancels it, the third kills it") {
    Sandbox sandbox;
    for (int i = 1; i <= 2; ++i) sandbox.release_plugin("puppet", "0.1.1000" + std::to_string(i));
    sandbox.behaviour("0.1.10001 hang\n");
    SECTION("second") {
        const auto run = sandbox.start({"upgrade", "--yes"});
        REQUIRE(run->wait_for_output("--- running 0.1.10001"));
        run->signal(SIGINT);
        REQUIRE(run->wait_for_output("a second signal cancels it"));
        run->signal(SIGINT);
        const auto result = run->wait();
        CHECK(result.status == 130);
        CHECK_THAT(result.err, Contains("0.1.10001") && Contains("cancelled"));
    }
    SECTION("third, when the plugin ignores the second") {
        sandbox.behaviour("0.1.10001 hang-ignoring-term\n");
        const auto run = sandbox.start({"upgrade", "--yes"});
        REQUIRE(run->wait_for_output("--- running 0.1.10001"));
        run->signal(SIGTERM);
        REQUIRE(run->wait_for_output("a second signal cancels it"));
        run->signal(SIGTERM);
        REQUIRE(run->wait_for_output("a third signal kills it"));
        run->signal(SIGTERM);
        CHECK(run->wait().status == 143);
    }
    sandbox.behaviour("");
    CHECK(sandbox.upgrade().status == 0);
}

TEST_CASE("the first signal alone lets the current upgrade finish and begins no other") {
    Sandbox sandbox;
    sandbox.release_program(
        "0.1.10001",
        "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\n"
        "echo begun; while [ ! -e go ]; do read x < /dev/zero & kill $!; done; echo 1 >> made\n");
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.behaviour("0.1.10002 note\n");
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("begun"));
    run->signal(SIGTERM);
    sandbox.write("repository/go", "");
    const auto result = run->wait();
    CHECK(result.status == 143);
    CHECK_THAT(result.err, Contains("stopped by a signal after 1 upgrade"));
    CHECK(sandbox.read("repository/made") == "1\n");
    CHECK_FALSE(sandbox.exists("repository/order"));
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/made") == "1\n");
}

TEST_CASE("a signal during preparation stops at once with nothing changed") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 simulated-hang\n");
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("--- simulating 0.1.10001"));
    run->signal(SIGINT);
    const auto result = run->wait();
    CHECK(result.status == 130);
    CHECK_THAT(result.err, Contains("nothing was changed"));
}
