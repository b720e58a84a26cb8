// SPDX-License-Identifier: Apache-2.0
// Going back: where the cluster stands afterwards, and what is refused before it is begun.
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"
#include "support/two_files.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

/// Says that it is reversible, and changes a file alone: its own undo runs no command.
ScriptedUpgrade reversible_file(const std::string& version) {
    return ScriptedUpgrade::of(version).edits("of " + version).reversible();
}

}  // namespace

TEST_CASE("going back never raises a version that was corrected downwards by hand") {
    World world;
    for (const char* version : {"0.0.51", "0.0.52", "0.0.53"})
        world.publish(ScriptedUpgrade::of(version).edits(version));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.ledgers.open()->correct_version(SemanticVersion::parse("0.0.51"), "erna", "mistaken");
    const auto report = undo(world);
    CHECK(report->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.53"});
    CHECK(report->final_version == "0.0.51");
    CHECK(world.version() == "0.0.51");
}

TEST_CASE("an undo that fails in its simulation before it has shown a command is refused") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .sets("x", "1", "0")
                      .reversible()
                      .fails(HostPhase::simulate_rollback, 1));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = undo(world);
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("its own rollback would fail"));
    CHECK(world.outside("x") == "1");
}

TEST_CASE("an undo that fails in its simulation after a command may go well for real") {
    World world;
    SECTION("after a command of its own") {
        world.publish(ScriptedUpgrade::of("0.0.51")
                          .sets("x", "1", "0")
                          .reversible()
                          .fails(HostPhase::simulate_rollback, 2));
    }
    SECTION("after a command of one that is undone before it") {
        world.publish(reversible_file("0.0.51").fails(HostPhase::simulate_rollback, 1));
        world.publish(ScriptedUpgrade::of("0.0.52").sets("x", "1", "0").reversible());
    }
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = undo(world, "0.0.50");
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("the undo of 0.0.51 could not be simulated to its end"));
    CHECK(world.outside("x") == "0");
    CHECK(world.done().empty());
}

TEST_CASE("a rollback that finds nothing to undo keeps its reason in the history") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    die_at(world, "after file");
    RollbackRequest request = World::rollback_request();
    request.reason = "the power was cut";
    const auto report = world.rollback(request);
    REQUIRE(report->outcome == Outcome::nothing_to_do);
    CHECK(world.ledgers.look()->runs(1).front().message == "the power was cut");
}

TEST_CASE("each undo is told with what it has put back, or why it has not") {
    TwoFiles two;
    World& world = two.world;
    world.publish(
        ScriptedUpgrade::of("0.0.53").sets("x", "1").reversible().fails(HostPhase::rollback, 0));
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(undo(world, "0.0.52")->exit_code == 1);
    CHECK(world.reporter.told("rollback bad: 0.0.53: its own rollback failed: scripted to fail"));
    REQUIRE(undo(world, "0.0.52")->exit_code == 0);
    CHECK(world.reporter.told("rollback good: 0.0.53: 0 files put back; recording"));
    REQUIRE(undo(world)->exit_code == 0);
    CHECK(world.reporter.told("rollback good: 0.0.52: 1 file put back; recording"));
    CHECK(world.ledgers.look()->runs(1).front().outcome == "rolled_back");
}
