// SPDX-License-Identifier: Apache-2.0
// SIGKILL at random points among many upgrades: each finished by a plain rerun, nothing twice,
// nothing unrecorded.
#include <signal.h>

#include <random>
#include "support/catch.hpp"

#include "support/sandbox.hpp"

using test::Sandbox;

TEST_CASE(
    "20 SIGKILLs among 1,000 upgrades, each finished by a plain rerun: nothing twice, nothing "
    "unrecorded") {
    constexpr int k_upgrades = 1000;
    constexpr int k_kills = 20;
    Sandbox sandbox;
    std::string expected;
    for (int i = 0; i < k_upgrades; ++i) {
        const std::string version = "0.1." + std::to_string(10000 + i);
        sandbox.release_plugin("puppet", version);
        expected += version + '\n';
    }
    sandbox.behaviour("all-note");
    std::mt19937 random(20);
    int kills = 0;
    for (int i = 0; i < k_kills; ++i) {
        const auto run = sandbox.start({"upgrade", "--yes"});
        // A point that lies ahead: the line of an upgrade some way on, then a few more bytes of
        // output.
        const std::string done =
            sandbox.exists("repository/order") ? sandbox.read("repository/order") : "";
        const auto finished = std::count(done.begin(), done.end(), '\n');
        const long next =
            std::min<long>(k_upgrades - 1, finished + static_cast<long>(random() % 45));
        const bool reached =
            run->wait_for_output("--- running 0.1." + std::to_string(10000 + next));
        run->signal(SIGKILL);
        const auto killed = run->wait();
        kills += reached && killed.status == 128 + SIGKILL ? 1 : 0;
        // What is recorded as done is in the file, and the file holds each version at most once, in
        // order.
        const std::string order =
            sandbox.exists("repository/order") ? sandbox.read("repository/order") : "";
        CAPTURE(i, order.size());
        CHECK((expected.compare(0, order.size(), order) == 0));
    }
    CHECK(kills == k_kills);
    const auto last = sandbox.upgrade({"-o", "json"});
    REQUIRE(last.status == 0);
    CHECK((sandbox.read("repository/order") == expected));
    const auto state = sandbox.run({"state", "show", "-o", "json"}).json();
    CHECK(state["upgrades"].size() == k_upgrades);
    CHECK(state["unfinishedRun"] == false);
    const auto history = sandbox.run({"history", "-o", "json"}).json();
    CHECK(history["chain"]["intact"] == true);
    CHECK(sandbox.upgrade().out.find("Nothing to do") == 0);
}
