// SPDX-License-Identifier: Apache-2.0
// Waiting for what passes: transient failures, and checks that are repeated before a run counts as
// a success.
#include <signal.h>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

const char* k_quick = "retry: {attempts: 3, delay: 1ms}\n";

}  // namespace

TEST_CASE("a transient failure is tried again, with what its step had changed put back first") {
    for (const char* how : {"transient", "transient-step"}) {
        INFO(how);
        Sandbox sandbox;
        sandbox.config("0.1.0", {}, k_quick);
        sandbox.release_plugin("puppet", "0.1.10001");
        sandbox.behaviour(std::string("0.1.10001 ") + how + "\n");
        const auto result = sandbox.upgrade();
        INFO(result.err);
        CHECK(result.status == 0);
        CHECK_THAT(result.out,
                   Contains("the server restarts; that may pass: attempt 2 of 3 in 1ms"));
        CHECK_THAT(result.out, Contains("attempt 3 of 3 in 2ms"));
        CHECK(sandbox.read("repository/half") == "done");
        CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"][0]["upgrades"].size() == 1);
    }
}

TEST_CASE("transient failures have a bound, and all other failures are final at once") {
    Sandbox sandbox;
    sandbox.config("0.1.0", {}, "retry: {attempts: 2, delay: 1ms}\n");
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 transient\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("the server restarts (tried 2 times)"));
    sandbox.behaviour("0.1.10001 fail\n");
    const auto final = sandbox.upgrade();
    CHECK(final.status == 1);
    CHECK_THAT(final.out, !Contains("attempt"));
}

TEST_CASE("soaking repeats the checks before the run counts as a success") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    const auto result = sandbox.upgrade({"--soak", "1ms"});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Contains("soaking: the checks are repeated for 1ms"));
    CHECK_THAT(result.out, Contains("soaked: all checks stayed good"));
    CHECK(sandbox.upgrade({"--soak", "soon"}).status == 2);
}

TEST_CASE("what breaks while soaking is undone where it can be: exit 8") {
    Sandbox sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.release_plugin("noop", "0.1.10001");
    sandbox.release_plugin("reversible", "0.1.10002");
    const auto run = sandbox.start({"upgrade", "--yes", "--soak", "10m"});
    REQUIRE(run->wait_for_output("soaking:"));
    sandbox.write("repository/fail-for-real", "");
    const auto result = run->wait();
    CHECK(result.status == 8);
    CHECK_THAT(result.err, Contains("while soaking: verification failed"));
    CHECK(sandbox.read("repository/shared") == "shared\n");
    const auto state = sandbox.run({"state", "show", "-o", "json"}).json();
    CHECK(state["clusterVersion"] == "0.1.10001");
    CHECK(state["upgrades"].size() == 1);
}

TEST_CASE(
    "what breaks while soaking and is not the last upgrade stays, is named, and fails the run") {
    Sandbox sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.release_plugin("reversible", "0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    const auto run = sandbox.start({"upgrade", "--yes", "--soak", "10m"});
    REQUIRE(run->wait_for_output("soaking:"));
    sandbox.write("repository/fail-for-real", "");
    const auto result = run->wait();
    CHECK(result.status == 1);
    CHECK_THAT(result.err,
               Contains("0.1.10001: while soaking") && Contains("none was rolled back"));
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["upgrades"].size() == 2);
}

TEST_CASE("a signal ends soaking, and what is done stays done") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    const auto run = sandbox.start({"upgrade", "--yes", "--soak", "10m"});
    REQUIRE(run->wait_for_output("soaking:"));
    run->signal(SIGINT);
    const auto result = run->wait();
    CHECK(result.status == 130);
    CHECK_THAT(result.err, Contains("stopped by a signal while soaking"));
    CHECK_THAT(sandbox.upgrade().out, Contains("Nothing to do"));
}
