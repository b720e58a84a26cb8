// SPDX-License-Identifier: Apache-2.0
// What stopped half-way, applied or undone, never passes for whole.
#include "engine/standing.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using namespace runner;
using namespace test;
using Strings = std::vector<std::string>;

namespace {

constexpr std::size_t k_after_command = 3;  // begin, step, command, and here the step would end

Strings outcomes(World& world) {
    Strings all;
    const std::vector<RunRecord> runs = world.ledgers.look()->runs(1);
    for (const AttemptRecord& attempt : runs.front().attempts) all.push_back(attempt.outcome);
    return all;
}

/// Fails by its own check, after all that it does.
ScriptedUpgrade ailing(const std::string& version) {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version);
    upgrade.verify = [](const SeenWorld& seen) -> Judgement {
        if (seen.outside("health") == "bad") return {PhaseEnd::failed, "health is bad"};
        return {};
    };
    return upgrade;
}

/// Every command that looks, or applies, refuses with these words; nothing changes.
void check_refused(World& world, const std::string& words_of_it) {
    const auto report = world.upgrade();
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains(words_of_it) && Contains("undone in part"));
    CHECK_THAT(report->error->next,
               Contains("runner rollback") && Contains("runner state forget 0.0.51 --reason"));
    CHECK(world.single(World::by_itself("0.0.51"))->exit_code == 6);
    CHECK_THROWS_WITH(run_verify(world.parts(), {}), Contains(words_of_it));
    CHECK_THROWS_WITH(make_plan_report(world.parts(), {}), Contains(words_of_it));
}

}  // namespace

TEST_CASE("what a run could not undo at once stands in the way until a rollback has finished it") {
    World world;
    world.now.outside["health"] = "bad";
    world.publish(ailing("0.0.51")
                      .edits("a")
                      .sets("x", "1", "0")
                      .reversible()
                      .fails(HostPhase::rollback, k_after_command));
    const auto failed = world.upgrade();
    CHECK(failed->exit_code == 1);
    CHECK(failed->outcome == Outcome::rollback_failed);
    CHECK(failed->error->changed == "perhaps");
    CHECK_THAT(failed->error->next, Contains("finish it with 'runner rollback'"));
    const Strings recipe = failed->error->commands;
    CHECK(count(recipe, "# finish its undo, before which nothing else runs") == 1);
    CHECK(count(recipe, "runner upgrade -c '/cluster/cluster.yaml'") == 0);  // it would refuse
    CHECK(outcomes(world) == Strings{"failed", "rollback_failed"});
    world.now.outside["health"] = "good";
    CHECK(world.outside("x") == "0");  // its step counts as finished, though
    check_refused(world, "the rollback of 0.0.51 failed half-way");
    CHECK(world.done().empty());
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.facts().unsettled.empty());
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.outside("x") == "1");
    CHECK(world.file("a") == "0.0.51\n");
}

TEST_CASE("an undo that died amid its commands is not taken for an upgrade that was interrupted") {
    bool seen = false;
    die_everywhere(
        [](World& world) {
            world.now.outside["health"] = "bad";
            world.publish(ailing("0.0.51").sets("x", "1", "0").sets("y", "1", "0").reversible());
        },
        [](World& world) { return world.upgrade(); },
        [&](World& world) {
            world.now.outside["health"] = "good";
            auto report = world.upgrade();
            if (report->exit_code == 6) {
                seen = true;
                CHECK_THAT(words(report), Contains("the rollback of 0.0.51 was interrupted"));
                CHECK(world.reporter.told("was interrupted while it undid 0.0.51"));
                REQUIRE(world.rollback(World::rollback_request())->exit_code == 0);
                report = world.upgrade();
            }
            REQUIRE(report->exit_code == 0);
            REQUIRE(world.done() == Strings{"0.0.51"});
            REQUIRE(world.outside("x") + world.outside("y") == "11");
        });
    CHECK(seen);
}

TEST_CASE(
    "what cannot be undone at once, as somebody changed its file, is not begun to be undone") {
    World world;
    constexpr std::size_t k_after_first_step = 5;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b").fails(HostPhase::apply,
                                                                            k_after_first_step));
    world.at("after record_step", 1, [&] { world.now.files["a"] += "by hand\n"; });
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 1);
    CHECK(report->outcome == Outcome::failed);
    CHECK_THAT(words(report),
               Contains("it was not rolled back") && Contains("a was changed by hand since"));
    CHECK(outcomes(world) == Strings{"failed"});
    CHECK(standing_of(world.facts().unsettled.at(0)) == Standing::failed);
    CHECK(world.file("a") == "0.0.51\nby hand\n");
}

TEST_CASE("what is only tried leaves nothing that a later upgrade would leave out") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").sets("x", "1"));
    const auto tried = world.single(World::by_itself("0.0.51"));
    INFO(words(tried));
    REQUIRE(tried->exit_code == 0);
    REQUIRE(world.file("a") == "old\n0.0.51\n");
    CHECK(world.facts().unsettled.empty());
    world.now.files["a"] = "old\n";  // somebody takes it back
    world.now.outside.clear();
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.file("a") == "old\n0.0.51\n");
    CHECK(world.outside("x") == "1");
    CHECK(world.stage.effects["0.0.51: set x 1"] == 2);
}

TEST_CASE("what an upgrade has left half-way is not run on by somebody who only tries") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b").sets("x", "1").fails(
        HostPhase::apply, 8));  // after both edits
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    const auto refused = world.single(World::by_itself("0.0.51"));
    CHECK(refused->exit_code == 6);
    CHECK(refused->error->changed == "no");
    CHECK_THAT(words(refused), Contains("0.0.51 was begun by 'upgrade' and stopped half-way"));
    CHECK(world.facts().unsettled.size() == 1);
    SingleRunRequest look = World::by_itself("0.0.51");
    look.dry_run = true;
    CHECK(world.single(look)->exit_code == 0);
    CHECK(world.single(World::by_itself("0.0.51", true))->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a changed release is not taken by a run that is refused") {
    World world;
    const auto failing = [](const char* content) {
        auto upgrade =
            ScriptedUpgrade::of("0.0.51").edits("a").edits("b").fails(HostPhase::apply, 8);
        upgrade.content = content;
        return upgrade;
    };
    world.publish(failing("1"));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    world.publish(failing("2"));
    SingleRunRequest request = World::by_itself("0.0.51");
    request.accept_changed = {"0.0.51"};
    CHECK(world.single(request)->exit_code == 6);
    CHECK(world.ledgers.look()->changes_by_hand(10).empty());
}

TEST_CASE("what stopped half-way and has no release any more is not passed over") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b").fails(HostPhase::apply, 8));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    world.withdraw("0.0.51");
    const auto refused = world.upgrade();
    CHECK(refused->exit_code == 6);
    CHECK_THAT(words(refused), Contains("0.0.51: its last attempt failed") &&
                                   Contains("no release has it any more; nothing was changed"));
    CHECK_THAT(refused->error->next,
               Contains("'runner rollback'") && Contains("runner state forget 0.0.51 --reason"));
    SECTION("what is due goes on, with a warning: it may replace it") {
        world.publish(ScriptedUpgrade::of("0.0.52").edits("c"));
        CHECK(world.upgrade()->exit_code == 0);
        CHECK(world.reporter.told("warning: 0.0.51: its last attempt failed"));
        CHECK(world.upgrade()->exit_code == 6);
    }
    SECTION("knowingly left out, it hinders nothing") {
        world.ledgers.open()->record_skip({"0.0.51", "withdrawn", "erna"});
        CHECK(world.upgrade()->exit_code == 0);
    }
    SECTION("undone, it hinders nothing") {
        CHECK(world.rollback(World::rollback_request())->exit_code == 0);
        CHECK(world.upgrade()->exit_code == 0);
    }
    SECTION("what runs by itself is not hindered") {
        world.publish(ScriptedUpgrade::of("0.0.52").edits("c"));
        CHECK(world.single(World::by_itself("0.0.52", true))->exit_code == 0);
    }
}

TEST_CASE("what was run from a file and stopped half-way is told, and stops nothing") {
    World world;
    Sandbox folder;
    folder.write("upgrade_0.0.51", "#!/bin/sh\n");
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").executable().fails(HostPhase::apply, 1));
    world.withdraw("0.0.51");
    auto request = World::by_itself((folder.path() / "upgrade_0.0.51").string(), true);
    REQUIRE(world.single(request)->exit_code == 1);
    REQUIRE(world.facts().unsettled.size() == 1);
    CHECK(world.upgrade()->exit_code == 0);
}

TEST_CASE("what somebody only tried and that failed may be tried again") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").sets("x", "1").fails(
        HostPhase::apply, k_after_command + 4));
    SingleRunRequest request = World::by_itself("0.0.51");
    request.roll_back = false;
    REQUIRE(world.single(request)->exit_code == 1);
    CHECK(world.single(request)->exit_code == 0);
    CHECK(world.facts().unsettled.empty());
}

TEST_CASE("what is done already is not run once more by itself") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    REQUIRE(world.upgrade()->exit_code == 0);
    for (const bool record : {true, false}) {
        const auto report = world.single(World::by_itself("0.0.51", record));
        CHECK(report->exit_code == 0);
        CHECK(report->outcome == Outcome::nothing_to_do);
        REQUIRE(report->warnings.size() == 1);
        CHECK_THAT(report->warnings.front(), Contains("0.0.51 is done already") &&
                                                 Contains("runner state forget 0.0.51 --reason"));
    }
    CHECK(world.ledgers.look()->runs(9).size() == 1);
    CHECK(world.stage.effects["0.0.51: set x 1"] == 1);
}

TEST_CASE("a program that failed stands in the way of undoing what was done before it") {
    for (const std::size_t at : {1U, 2U}) {
        for (const char* target : {"", "0.0.50"}) {
            World world;
            world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
            world.publish(ScriptedUpgrade::of("0.0.52")
                              .step({.id = "one", .commands = {{"x", "1"}, {"y", "1"}}})
                              .executable()
                              .fails(HostPhase::apply, at));
            REQUIRE(world.upgrade()->exit_code == 1);
            RollbackRequest request = World::rollback_request(target);
            for (const bool dry_run : {true, false}) {
                request.dry_run = dry_run;
                const auto report = world.rollback(request);
                CHECK(report->exit_code == 6);
                CHECK(report->error->changed == "no");
                CHECK(report->outcome == Outcome::failed);
                CHECK_THAT(words(report), Contains("0.0.52 cannot be rolled back: it is an "
                                                   "executable upgrade"));
            }
            CHECK(world.done() == Strings{"0.0.51"});
            CHECK(world.file("a") == "0.0.51\n");
            world.ledgers.open()->forget("0.0.52", "somebody", "undone by hand");
            CHECK(world.rollback(request)->exit_code == 0);
            CHECK(world.done().empty());
        }
    }
}

TEST_CASE("what may use the network may have had other effects from its first step on") {
    for (const bool network : {true, false}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("a").edits("b");
        upgrade.manifest.permissions.network = network;
        upgrade.manifest.reversible = false;
        world.publish(upgrade);
        die_at(world, "after record_step");
        REQUIRE(world.facts().unsettled.size() == 1);
        CHECK(world.facts().unsettled.front().other_effects == network);
    }
}

TEST_CASE("each step with commands says so before its first one, and a finished one covers them") {
    for (const int step : {1, 2}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1").sets("y", "1"));
        die_at(world, "after record_other_effects", step);
        CHECK(world.facts().unsettled.at(0).other_effects);
        CHECK(world.facts().unsettled.at(0).finished_steps.size() ==
              static_cast<std::size_t>(step - 1));
    }
}

TEST_CASE("what a step that died has left beside its file goes when that is put back") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    die_at(world, "before file");
    REQUIRE(world.work_tree.temporaries.size() == 1);
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.work_tree.temporaries.empty());
    CHECK(world.file("a") == "old\n");
}

TEST_CASE("commands of a step that did not finish stand in the way, as nothing undoes them") {
    for (const bool ran : {true, false}) {
        for (const char* step : {"one", ""}) {
            World world;
            world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
            world.publish(ScriptedUpgrade::of("0.0.52")
                              .step({.id = step, .commands = {{"x", "1"}}})
                              .fails(HostPhase::apply, ran ? k_after_command : 2));
            REQUIRE(world.upgrade()->exit_code == 1);
            CHECK(world.facts().unsettled.at(0).other_effects == ran);
            const auto report = world.rollback(World::rollback_request());
            CHECK(report->exit_code == (ran ? 6 : 0));
            if (ran)
                CHECK_THAT(words(report),
                           Contains("0.0.52 cannot be rolled back: it runs commands"));
            CHECK(world.done() == (ran ? Strings{"0.0.51"} : Strings{}));
        }
    }
}

TEST_CASE("what stopped between two steps is undone step by step, though not declared reversible") {
    World world;
    world.now.outside["x"] = "0";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(
        ScriptedUpgrade::of("0.0.52")
            .sets("x", "1", "0")
            .sets("y", "1")
            .fails(HostPhase::apply, k_after_command + 1));  // the second step has not begun
    const auto failed = world.upgrade();
    REQUIRE(failed->exit_code == 1);
    REQUIRE(world.outside("x") == "1");
    CHECK(count(failed->error->commands, "runner rollback -c '/cluster/cluster.yaml'") == 1);
    CHECK(count(failed->error->commands, "runner upgrade -c '/cluster/cluster.yaml'") == 1);
    const auto report = world.rollback(World::rollback_request());
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.outside("x") == "0");
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.facts().unsettled.empty());
    REQUIRE(report->warnings.size() == 1);
    CHECK_THAT(report->warnings.front(), Contains("0.0.52 is not declared reversible"));
}

TEST_CASE("a rollback to the version of what is half undone finishes its undo") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52")
                      .sets("x", "1", "0")
                      .reversible()
                      .fails(HostPhase::rollback, k_after_command));
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.rollback(World::rollback_request())->exit_code == 1);
    const auto report = world.rollback(World::rollback_request("0.0.52"));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.version() == "0.0.51");
    CHECK(world.facts().unsettled.empty());
}

TEST_CASE("what was undone by hand and forgotten keeps nobody from undoing what was before it") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("a").sets("x", "1").fails(
        HostPhase::apply, k_after_command + 4));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    REQUIRE(world.file("a") == "old\n0.0.51\n0.0.52\n");
    world.now.files["a"] = "old\n0.0.51\n";
    world.ledgers.open()->forget("0.0.52", "somebody", "undone by hand");
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.file("a") == "old\n");
}

TEST_CASE("what was undone but for the commands of the step that failed says so") {
    World world;
    world.now.outside["x"] = "0";
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .sets("x", "1", "0")
                      .sets("y", "1", "0")
                      .reversible()
                      .fails(HostPhase::apply, 2 * k_after_command));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 8);
    CHECK(report->error->changed == "perhaps");
    CHECK(report->error->changes.commands == Strings{"set y 1"});
    CHECK_THAT(words(report), Contains("not undone, as the step that ran them did not finish: set "
                                       "y 1") &&
                                  !Contains("set x 1"));
    CHECK(world.outside("x") == "0");
    CHECK(world.outside("y") == "1");
    CHECK(world.facts().unsettled.empty());
}

TEST_CASE("a rollback warns of commands that the undo of steps does not undo") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .sets("x", "1", "0")
                      .sets("y", "1", "0")
                      .reversible()
                      .fails(HostPhase::apply, 2 * k_after_command));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    for (const bool dry_run : {true, false}) {
        RollbackRequest request = World::rollback_request();
        request.dry_run = dry_run;
        const auto report = world.rollback(request);
        CHECK(report->exit_code == 0);
        REQUIRE(report->warnings.size() == 1);
        CHECK_THAT(report->warnings.front(),
                   Contains("0.0.51 stopped amid commands that belong to no finished step") &&
                       Contains("runner logs 0.0.51"));
    }
    CHECK(world.outside("x") == "0");
}

TEST_CASE("how an upgrade stands is a word and a sentence") {
    struct Row {
        std::optional<Outcome> outcome;
        bool is_undo;
        bool done;
        Standing standing;
        const char* words;
    };
    for (const Row& row :
         {Row{std::nullopt, false, false, Standing::applying, "0.0.51 is being applied (run r1)"},
          Row{std::nullopt, true, true, Standing::applying, "0.0.51 is being rolled back (run r1)"},
          Row{Outcome::failed, false, false, Standing::failed,
              "0.0.51: its last attempt failed (run r1): why"},
          Row{Outcome::cancelled, false, false, Standing::failed,
              "0.0.51: its last attempt failed (run r1): why"},
          Row{Outcome::interrupted, false, false, Standing::interrupted,
              "0.0.51: its last attempt was interrupted (run r1): why"},
          Row{Outcome::interrupted, true, true, Standing::rollback_failed,
              "the rollback of 0.0.51 was interrupted (run r1): why"},
          Row{Outcome::interrupted, true, false, Standing::interrupted,
              "0.0.51: its last attempt was interrupted (run r1): why"},
          Row{Outcome::rollback_failed, false, false, Standing::rollback_failed,
              "the rollback of 0.0.51 failed half-way (run r1): why"}}) {
        UnsettledUpgrade upgrade;
        upgrade.version = "0.0.51";
        upgrade.run = "r1";
        upgrade.outcome = row.outcome;
        upgrade.is_undo = row.is_undo;
        upgrade.done = row.done;
        if (row.outcome) upgrade.message = "why";
        CHECK(standing_of(upgrade) == row.standing);
        CHECK(standing_words(upgrade) == row.words);
        CHECK(is_half_undone(upgrade) == (row.standing == Standing::rollback_failed));
        CHECK_FALSE(is_half_applied(upgrade));  // nothing of it is there
        upgrade.other_effects = true;
        const bool half_undone =
            row.is_undo ? row.outcome.has_value() : row.standing == Standing::rollback_failed;
        CHECK(is_half_undone(upgrade) == half_undone);
        CHECK(is_half_applied(upgrade) == (!row.done && !half_undone));
    }
}
