// SPDX-License-Identifier: Apache-2.0
// What the simulation has found: undoing and recovering where somebody, or death, comes between.
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"

using namespace test;
using runner::HostPhase;
using runner::Outcome;
using runner::PhaseEnd;
using Strings = std::vector<std::string>;

namespace {

Judge verify_that_fails(int times) {
    return [left = std::make_shared<int>(times)](const SeenWorld&) -> Judgement {
        if (*left == 0) return {};
        --*left;
        return {PhaseEnd::transient, "not there yet"};
    };
}

/// An upgrade that changes `a` twice and failed between the two; nothing was put back.
void fail_between_two_edits(World& world, const std::string& version) {
    world.now.files["a"] = "old\n";
    auto upgrade = ScriptedUpgrade::of(version);
    upgrade.step({.id = "one", .edits = {{.path = "a", .line = "one"}}});
    upgrade.step({.id = "two", .edits = {{.path = "a", .line = "two"}}});
    world.publish(upgrade.fails(HostPhase::apply, 5));
    auto request = World::yes();
    request.roll_back = false;
    REQUIRE(world.upgrade(request)->exit_code == 1);
    REQUIRE(world.file("a") == "old\none\n");
}

}  // namespace

TEST_CASE("a run that dies while it puts files back leaves no step that passes for finished") {
    die_everywhere(
        [](World& world) {
            world.now.files["a"] = "old\n";
            world.now.outside["health"] = "bad";
            world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b")).verify =
                [](const SeenWorld& seen) -> Judgement {
                if (seen.outside("health") == "bad") return {PhaseEnd::failed, "health is bad"};
                return {};
            };
        },
        [](World& world) { return world.upgrade(); },
        [](World& world) {
            world.now.outside["health"] = "good";
            const auto report = world.upgrade();
            REQUIRE(report->exit_code == 0);
            REQUIRE(world.done() == Strings{"0.0.51"});
            REQUIRE(world.file("a") == "old\n0.0.51\n");
            REQUIRE(world.file("b") == "0.0.51\n");
        });
}

TEST_CASE("a step without files does not pass for finished when its undo dies at the end") {
    World world;
    world.publish(
        ScriptedUpgrade::of("0.0.51").step({.id = "look"}).edits("a").fails(HostPhase::apply, 4));
    world.process.at_point = [&](const std::string& point) {
        if (point == "tell" && world.reporter.told("rollback begins"))  // its end is told
            world.process.dies_at = world.process.points;
    };
    REQUIRE_FALSE(world.upgrade());
    world.process.at_point = nullptr;
    CHECK(world.ledgers.look()->finished_steps("0.0.51").empty());
    CHECK(world.upgrade()->exit_code == 0);
}

TEST_CASE("an automatic undo that dies after a command of it has to be finished") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1").reversible().fails(
        HostPhase::apply, 6));
    die_at(world, "after command", 3);
    const auto report = world.upgrade();
    CHECK(report->exit_code == 6);
    CHECK(words(report).find("undone in part") != std::string::npos);
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.outside("a").empty());
    CHECK(world.upgrade()->exit_code == 0);
}

TEST_CASE("commands of an unfinished step are known to the undo, also after a finished step") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1"));
    die_at(world, "after command", 2);
    const auto facts = world.facts();
    REQUIRE(facts.unsettled.size() == 1);
    CHECK(facts.unsettled[0].finished_steps == Strings{"set a"});
    CHECK(facts.unsettled[0].other_effects);
    CHECK(world.rollback(World::rollback_request())->exit_code == 6);
    CHECK(world.outside("a") == "1");
}

TEST_CASE("what was changed outside of steps after a step is undone before the step") {
    World world;
    world.now.files["a"] = "old\n";
    auto upgrade = ScriptedUpgrade::of("0.0.51").edits("a").reversible();
    upgrade.step({.id = "", .edits = {{.path = "a", .line = "outside"}}});
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.file("a") == "old\n0.0.51\noutside\n");
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->outcome == Outcome::rolled_back);
    CHECK(world.file("a") == "old\n");
}

TEST_CASE("an undo stops at a file that somebody changes while its commands run") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").sets("image", "v2", "v1").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.process.at_point = [&](const std::string& point) {
        if (point == "after command") world.now.files["a"] += "by hand\n";
    };
    const auto report = world.rollback(World::rollback_request());
    world.process.at_point = nullptr;
    CHECK(report->exit_code == 1);
    CHECK(report->outcome == Outcome::rollback_failed);
    CHECK(report->error->message.find("a was changed by hand meanwhile") != std::string::npos);
    CHECK(world.file("a") == "old\n0.0.51\nby hand\n");
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.upgrade()->exit_code == 6);  // until it is finished
    auto request = World::rollback_request();
    request.force = true;
    CHECK(world.rollback(request)->exit_code == 0);
    CHECK(world.file("a") == "old\n");
}

TEST_CASE("an undo stops at a file outside of its steps that somebody changes meanwhile") {
    World world;
    world.now.files["a"] = "old\n";
    auto upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "", .edits = {{.path = "a", .line = "outside"}}});
    world.publish(upgrade.sets("image", "v2", "v1").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    bool undone = false;
    world.process.at_point = [&](const std::string& point) {
        if (point == "after record_step_undone") undone = true;
        if (undone && point == "tell") world.now.files["a"] = "old\noutside\nby hand\n";
    };
    const auto report = world.rollback(World::rollback_request());
    world.process.at_point = nullptr;
    CHECK(report->outcome == Outcome::rollback_failed);
    CHECK(world.file("a") == "old\noutside\nby hand\n");
}

TEST_CASE("a check that is tried again puts back nothing of what it checks") {
    World world;
    auto upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "", .edits = {{.path = "a", .line = "outside"}}});
    upgrade.verify = verify_that_fails(1);
    world.publish(upgrade);
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.told("that may pass: attempt 2"));
    CHECK(world.file("a") == "outside\n");
}

TEST_CASE("what a step has changed is put back before its upgrade is tried again") {
    World world;
    world.publish(
        ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 4, PhaseEnd::transient));
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.told("that may pass: attempt 2"));
    CHECK(world.file("a") == "0.0.51\n");
}

TEST_CASE("an upgrade is not tried again on a file that somebody changed meanwhile") {
    World world;
    world.publish(
        ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 4, PhaseEnd::transient));
    world.signals.while_waiting = [&] { world.now.files["a"] += "by hand\n"; };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK(report->error->changed == "perhaps");
    CHECK(report->error->message.find("not tried again: a was changed by hand meanwhile") !=
          std::string::npos);
    CHECK(report->error->changes.files == Strings{"a"});
    CHECK(world.file("a") == "0.0.51\nby hand\n");
}

TEST_CASE("what a person wrote between two changes of an upgrade is not lost by its undo") {
    World world;
    fail_between_two_edits(world, "0.0.51");
    world.now.files["a"] += "by hand\n";
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.file("a") == "old\none\nby hand\ntwo\n");
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 6);
    CHECK(report->error->message.find("a (between two of its own changes)") != std::string::npos);
    CHECK(world.file("a") == "old\none\nby hand\ntwo\n");
}

TEST_CASE("an upgrade whose file another one has changed in between is not undone, also by force") {
    World world;
    fail_between_two_edits(world, "0.0.52");
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.file("a") == "old\none\n0.0.51\ntwo\n");
    auto back = World::rollback_request();
    back.force = true;
    const auto report = world.rollback(back);
    CHECK(report->exit_code == 6);
    CHECK(report->error->message.find("0.0.52 cannot be rolled back: 0.0.51 has changed a") !=
          std::string::npos);
    CHECK(world.file("a") == "old\none\n0.0.51\ntwo\n");
}

TEST_CASE("recovery leaves alone what somebody changed in a file of an unfinished step") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 4));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    REQUIRE(world.file("a") == "old\n0.0.51\n");
    const bool by_hand = GENERATE(false, true);
    if (by_hand) world.now.files["a"] += "by hand\n";
    world.script("0.0.51").fails(HostPhase::simulate, 1);
    CHECK(world.upgrade()->exit_code == 3);
    CHECK(world.file("a") == (by_hand ? "old\n0.0.51\nby hand\n" : "old\n"));
    CHECK(world.reporter.told("a was changed by hand after 0.0.51") == by_hand);
}
