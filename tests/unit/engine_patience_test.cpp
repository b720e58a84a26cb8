// SPDX-License-Identifier: Apache-2.0
// How long a run waits: between two tries, and between two checks while it soaks.
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using namespace std::chrono_literals;
using Lengths = std::vector<std::chrono::milliseconds>;

namespace {

ScriptedUpgrade checked(const std::string& version) {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits(version);
    upgrade.verify = good();
    return upgrade;
}

/// Never gets past its beginning.
ScriptedUpgrade transient(HostPhase phase) {
    return checked("0.0.51").fails(phase, 0, PhaseEnd::transient, 100);
}

}  // namespace

TEST_CASE("the pauses between tries double, and each is told") {
    World world;
    world.config.retry.attempts = 4;
    world.config.retry.delay = 1s;
    world.publish(transient(HostPhase::apply));
    const auto report = world.upgrade();
    CHECK_THAT(words(report), Contains("(tried 4 times)"));
    for (const char* told :
         {"attempt 2 of 4 in 1s", "attempt 3 of 4 in 2s", "attempt 4 of 4 in 4s"})
        CHECK(world.reporter.count(told) == 1);
    CHECK(world.signals.waits == Lengths{1s, 2s, 4s});
}

TEST_CASE("the heart beats in a pause that is longer than what is between two beats") {
    World world;
    world.config.retry.attempts = 2;
    world.config.retry.delay = 12s;
    world.publish(transient(HostPhase::apply));
    int beats = 0;
    world.process.at_point = [&](const std::string& point) {
        if (point == "before heartbeat") ++beats;
    };
    REQUIRE(world.upgrade()->exit_code != 0);
    REQUIRE(world.signals.waits.size() == 3);
    CHECK(world.signals.waits[0] == 5s);
    CHECK(world.signals.waits[1] == 5s);
    CHECK(world.signals.waits[2] <= 2s);
    CHECK(beats >= 3);
}

TEST_CASE("a signal ends a pause, and nothing is tried again") {
    for (const HostPhase phase : {HostPhase::simulate, HostPhase::apply, HostPhase::verify}) {
        World world;
        world.config.retry.delay = 12s;
        world.publish(transient(phase));
        world.signals.while_waiting = [&] { world.signals.signals = 1; };
        REQUIRE(world.upgrade()->exit_code != 0);
        CHECK(world.signals.waits == Lengths{5s});
        CHECK(count(world.stage.phases, std::string(to_string(phase)) + " 0.0.51") == 1);
    }
}

TEST_CASE("a signal that came during a try is the last word") {
    World world;
    world.publish(transient(HostPhase::apply));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.signals.signals = 1;
    };
    REQUIRE(world.upgrade()->exit_code != 0);
    CHECK(world.signals.waits.empty());
}

TEST_CASE("while soaking the checks come ever more seldom, half a minute apart at last") {
    World world;
    world.publish(checked("0.0.51"));
    UpgradeRequest request = World::yes();
    request.soak = 100s;
    REQUIRE(world.upgrade(request)->exit_code == 0);
    const Lengths& waits = world.signals.waits;
    REQUIRE(waits.size() == 9);
    CHECK(Lengths(waits.begin(), waits.end() - 1) == Lengths{500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s});
    CHECK(waits.back() < 8500ms);
    CHECK(count(world.stage.phases, "verify 0.0.51") == 1 + waits.size());
    CHECK(world.reporter.told("notice: soaking: the checks are repeated for 100s"));
    CHECK(world.reporter.count("to soaking") == 1);
}

TEST_CASE("without a wish to soak nothing is checked twice") {
    World world;
    world.publish(checked("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.signals.waits.empty());
    CHECK(count(world.stage.phases, "verify 0.0.51") == 1);
}

TEST_CASE("what had nothing to do is not checked while soaking") {
    World world;
    world.publish(checked("0.0.51")).preflight = bad(PhaseEnd::nothing_to_do, "it is there");
    world.publish(checked("0.0.52"));
    UpgradeRequest request = World::yes();
    request.soak = 1s;
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(count(world.stage.phases, "verify 0.0.51") == 0);
    CHECK(count(world.stage.phases, "verify 0.0.52") > 1);
}
