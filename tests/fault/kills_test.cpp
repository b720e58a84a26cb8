// SPDX-License-Identifier: Apache-2.0
// SIGKILL at random points among many upgrades: each finished by a plain rerun, nothing twice,
// nothing unrecorded.
#include <signal.h>

#include <cstdlib>
#include <random>
#include "support/catch.hpp"

#include "support/sandbox.hpp"

using test::Sandbox;

namespace {

constexpr std::size_t k_kills = 20;

/// ./dev kills asks for more.
std::size_t upgrades_count() {
    const char* asked = std::getenv("KILLS_UPGRADES");
    return asked == nullptr ? 200 : std::stoul(asked);
}

}  // namespace

TEST_CASE(
    "20 SIGKILLs among many upgrades, each finished by a plain rerun: nothing twice, nothing "
    "unrecorded") {
    const std::size_t count = upgrades_count();
    Sandbox sandbox;
    std::string expected;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string version = "0.1." + std::to_string(10000 + i);
        sandbox.release_plugin("puppet", version);
        expected += version + '\n';
    }
    sandbox.behaviour("all-note");
    std::mt19937 random(20);
    std::size_t kills = 0;
    for (std::size_t i = 0; i < k_kills; ++i) {
        const auto run = sandbox.start({"upgrade", "--yes"});
        // A point that lies ahead: the line of an upgrade some way on, then a few more bytes of
        // output.
        const std::string done =
            sandbox.exists("repository/order") ? sandbox.read("repository/order") : "";
        const auto finished = static_cast<std::size_t>(std::count(done.begin(), done.end(), '\n'));
        const std::size_t next = std::min(count - 1, finished + random() % (count / k_kills));
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
    CHECK(state["upgrades"].size() == count);
    CHECK(state["unfinishedRun"] == false);
    const auto history = sandbox.run({"history", "-o", "json"}).json();
    CHECK(history["chain"]["intact"] == true);
    CHECK(sandbox.upgrade().out.find("Nothing to do") == 0);
}
