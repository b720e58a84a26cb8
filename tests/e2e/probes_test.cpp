// SPDX-License-Identifier: Apache-2.0
// The six probes that no other migration runner passes: edit, gone, late, fail, race (here), and
// kill (in fault/).
#include <signal.h>

#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

TEST_CASE("edit: a release of a done upgrade that was changed is reported, and not run again") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    sandbox.release_plugin("noop", "0.1.10001");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("0.1.10001 was changed after it was applied"));
    CHECK_THAT(result.out, Contains("Nothing to do"));
}

TEST_CASE("gone: a vanished release of a done upgrade is reported") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    sandbox.remove_release("0.1.10001");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("0.1.10001 is done, and its release is gone"));
}

TEST_CASE("late: a hotfix of an older version runs, and is said to be late") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    sandbox.release_program("0.1.10001.hotfix", "#!/bin/sh\n");
    const auto result = sandbox.upgrade({"-o", "json"});
    CHECK(result.status == 0);
    CHECK(result.json()["due"][0]["late"] == true);
    CHECK(result.json()["clusterVersion"] == "0.1.10002");
    CHECK_THAT(sandbox.run({"history"}).out, Contains("(late)"));
}

TEST_CASE("fail: a failed run is simply run again") {
    Sandbox sandbox;
    for (int i = 1; i <= 5; ++i) sandbox.release_plugin("puppet", "0.1.1000" + std::to_string(i));
    sandbox.behaviour("0.1.10003 fail\n");
    CHECK(sandbox.upgrade().status == 1);
    sandbox.behaviour("");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["upgrades"].size() == 5);
}

TEST_CASE(
    "a due upgrade that was changed after a failed attempt is refused until it is accepted by "
    "name") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 fail\n");
    CHECK(sandbox.upgrade().status == 1);
    sandbox.release_plugin("noop", "0.1.10001");
    const auto refused = sandbox.upgrade();
    CHECK(refused.status == 3);
    CHECK_THAT(refused.err, Contains("changed after it was first attempted") &&
                                Contains("--accept-changed 0.1.10001"));
    CHECK(sandbox.upgrade({"--accept-changed", "0.1.10001"}).status == 0);
}

TEST_CASE("race: of two runners one applies, and the other waits or says who holds the lease") {
    for (int round = 0; round < 20; ++round) {
        Sandbox sandbox;
        for (int i = 1; i <= 3; ++i)
            sandbox.release_plugin("puppet", "0.1.1000" + std::to_string(i));
        sandbox.behaviour("all-note");
        const bool waits = round % 2 == 0;
        std::vector<std::string> arguments{"upgrade", "--yes"};
        if (waits) arguments.insert(arguments.end(), {"--wait", "60s"});
        const auto first = sandbox.start(arguments);
        const auto second = sandbox.start(arguments);
        const auto one = first->wait();
        const auto two = second->wait();
        CAPTURE(one.out, one.err, two.out, two.err);
        CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10002\n0.1.10003\n");
        CHECK((one.status == 0 || two.status == 0));
        for (const auto& result : {one, two}) {
            if (waits) {
                CHECK(result.status == 0);
            } else if (result.status != 0) {
                CHECK(result.status == 5);
                CHECK_THAT(result.err, Contains("lease"));
            }
        }
    }
}
