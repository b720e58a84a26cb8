// SPDX-License-Identifier: Apache-2.0
// Commands that an upgrade has run when it fails: which of them are told as not undone.
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

constexpr std::size_t k_begin_step = 1;
constexpr std::size_t k_after_command = 3;  // begin, step, command, and here the step would end
constexpr std::size_t k_next_step = 4;

/// Two steps with a command each, which it can undo.
ScriptedUpgrade two_commands() {
    return ScriptedUpgrade::of("0.0.51").sets("x", "1", "0").sets("y", "1", "0").reversible();
}

}  // namespace

TEST_CASE("commands that belong to no step are not told as those of a step that did not finish") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "", .commands = {{"x", "1"}}});
    world.publish(upgrade.sets("y", "1", "0").reversible().fails(HostPhase::apply, 3));
    const auto report = world.upgrade();
    INFO(words(report));
    REQUIRE(report->exit_code == 8);
    CHECK(report->error->changed == "undone");
    CHECK_THAT(words(report), !Contains("not undone"));
}

TEST_CASE("commands of a step that did not finish are told as not undone") {
    World world;
    world.publish(two_commands().fails(HostPhase::apply, k_after_command));
    const auto report = world.upgrade();
    REQUIRE(report->exit_code == 8);
    CHECK(report->error->changed == "perhaps");
    CHECK(report->error->changes.commands == Strings{"set x 1"});
    CHECK_THAT(words(report),
               Contains("not undone, as the step that ran them did not finish: set x 1"));
}

TEST_CASE("commands of a first try are undone with the step that finished in the second") {
    World world;
    world.publish(two_commands()
                      .fails(HostPhase::apply, k_after_command, PhaseEnd::transient)
                      .fails(HostPhase::apply, k_next_step));
    const auto report = world.upgrade();
    INFO(words(report));
    REQUIRE(report->exit_code == 8);
    CHECK(report->error->changed == "undone");
    CHECK_THAT(words(report), !Contains("not undone"));
}

TEST_CASE("commands of a first try stay told when the second ends before a step is finished") {
    World world;
    world.config.retry.attempts = 2;
    world.publish(two_commands().fails(HostPhase::apply, k_after_command, PhaseEnd::transient));
    world.signals.while_waiting = [&] {
        world.script("0.0.51").fails(HostPhase::apply, k_begin_step);
    };
    const auto report = world.upgrade();
    INFO(words(report));
    REQUIRE(report->exit_code == 8);
    CHECK(report->error->changed == "perhaps");
    CHECK(report->error->changes.commands == Strings{"set x 1"});
}
