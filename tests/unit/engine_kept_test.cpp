// SPDX-License-Identifier: Apache-2.0
// What a run keeps of itself and of its upgrades, and what it does not: copies, values, answers.
#include "engine/phase_events.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"
#include "upgrade/abi.h"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

TEST_CASE("the ledger is copied before a run on it, and a new one has nothing to copy") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    CHECK(world.upgrade()->ledger_copy.empty());
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
    CHECK_FALSE(world.upgrade()->ledger_copy.empty());
}

TEST_CASE("values of an upgrade whose check failed are not kept") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "", .values = {{"color", "green"}}});
    upgrade.verify = bad(PhaseEnd::failed, "not good");
    world.publish(upgrade);
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    CHECK_FALSE(world.ledgers.look()->state_value(0, "0.0.51", "color"));
}

TEST_CASE("an automatic undo that failed leaves what it takes to finish it") {
    World world;
    world.now.files["a"] = "old\n";
    world.now.outside["x"] = "0";
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("a").sets("x", "1", "0");
    upgrade.reversible().verify = bad(PhaseEnd::failed, "not good");
    upgrade.fails(HostPhase::rollback, 2);
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 1);
    REQUIRE(world.facts().unsettled.size() == 1);
    CHECK(world.file("a") == "old\n0.0.51\n");
    CHECK(world.ledgers.look()->changed_files("0.0.51").size() == 1);
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.file("a") == "old\n");
    CHECK(world.outside("x") == "0");
}

TEST_CASE("what cannot be loaded fails the run after those before it were shown") {
    for (int i = 0; i < 20; ++i) {  // the images are made ready meanwhile
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        ScriptedUpgrade strange = ScriptedUpgrade::of("0.0.52").edits("b");
        strange.strange_archive = true;
        world.publish(strange);
        const auto report = world.upgrade();
        INFO(words(report));
        REQUIRE(report->exit_code == 3);
        REQUIRE(world.reporter.told("simulate good: 0.0.51"));
        REQUIRE(world.done().empty());
    }
}

TEST_CASE("on a new cluster its original version is asked for once") {
    World world;
    world.config.original_version.reset();
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.terminal.answer = [](const std::string& question) {
        return std::optional<std::string>(has(question, "With which version") ? "0.0.50" : "y");
    };
    REQUIRE(world.upgrade(World::asking())->exit_code == 0);
    const auto& asked = world.terminal.questions;
    CHECK(std::count_if(asked.begin(), asked.end(), [](const std::string& question) {
              return has(question, "With which version");
          }) == 1);
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE(
    "an upgrade's question is a no where nobody can be asked, and its debug lines are asked for") {
    for (const bool debug : {false, true}) {
        World world;
        world.terminal.there = false;
        const EngineParts parts = world.parts();
        const auto ledger = world.ledgers.open();
        UpgradeInRun upgrade;
        upgrade.version = "0.0.51";
        PhaseRunnerOptions options;
        options.debug = debug;
        const Redactor redactor;
        PhaseEvents events(parts, options, redactor, *ledger, upgrade, HostPhase::apply, {});
        CHECK_FALSE(events.confirm("really?"));
        world.terminal.there = true;
        CHECK(events.confirm("really?"));
        events.on_log(UPGRADE_LOG_DEBUG, "a detail");
        events.on_log(UPGRADE_LOG_INFO, "a line");
        events.end_of_output();
        CHECK(world.reporter.told("a detail") == debug);
        CHECK(world.reporter.told("a line"));
    }
}

TEST_CASE("a parameter that nobody needs is not asked for") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("a");
    Parameter optional_one;
    optional_one.name = "size";
    upgrade.manifest.parameters = {optional_one};
    world.publish(upgrade);
    CHECK(world.upgrade(World::asking())->exit_code == 0);
    for (const std::string& question : world.terminal.questions) CHECK_FALSE(has(question, "size"));
}

TEST_CASE("an original version that the config names later is fixed in the ledger then") {
    World world;
    world.config.original_version.reset();
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    REQUIRE(world.single(World::by_itself("0.0.51", true))->exit_code == 0);
    REQUIRE(world.facts().identity);
    REQUIRE_FALSE(world.facts().cluster.original_version);
    world.config.original_version = SemanticVersion::parse("0.0.50");
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.facts().cluster.original_version == SemanticVersion::parse("0.0.50"));
}

TEST_CASE("a parameter of several upgrades is asked for once, and is the same for all") {
    World world;
    Parameter parameter;
    parameter.name = "size";
    parameter.required = true;
    for (const char* version : {"0.0.51", "0.0.52"}) {
        ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits(version);
        upgrade.manifest.parameters = {parameter};
        world.publish(upgrade);
    }
    std::size_t asked = 0;
    world.terminal.answer = [&](const std::string& question) -> std::optional<std::string> {
        if (!has(question, "'size'")) return "y";
        return std::to_string(++asked);
    };
    REQUIRE(world.upgrade(World::asking())->exit_code == 0);
    CHECK(asked == 1);
    CHECK(world.facts().parameter_values.at("size") == "1");
}

TEST_CASE("a release is kept for what undoing or checking its upgrade takes, and for no other") {
    struct Row {
        const char* what;
        std::size_t kept;
        void (*make)(World& world, ScriptedUpgrade& upgrade);
    };
    for (const Row& row :
         {Row{"files alone", 0, [](World&, ScriptedUpgrade&) {}},
          Row{"an undo of its own", 1, [](World&, ScriptedUpgrade&one) { one.reversible(); }},
          Row{"a check", 1, [](World&, ScriptedUpgrade&one) { one.verify = good(); }},
          Row{"a program", 0,
              [](World&, ScriptedUpgrade&one) {
                  one.verify = good();
                  one.executable();
              }},
          Row{"judged by its source alone", 0, [](World&world, ScriptedUpgrade&one) {
                  one.reversible();
                  world.source.judges = true;
              }}}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("a");
        row.make(world, upgrade);
        world.publish(upgrade);
        INFO(row.what);
        CHECK(world.upgrade()->exit_code == 0);
        CHECK(world.folder.kept.stored.size() == row.kept);
    }
}

TEST_CASE("a release that cannot be kept is a warning, and its upgrade runs") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").reversible());
    world.at("keep release", 1, fail_disk);
    const auto report = world.upgrade();
    CHECK(report->exit_code == 0);
    CHECK(
        world.reporter.told("warning: the release of 0.0.51 is not kept beside the ledger (the "
                            "disk is full): undoing or checking it later needs the source"));
}

TEST_CASE("a release is taken as changed where it is, and not because it was named") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 1));
    REQUIRE(world.upgrade()->exit_code != 0);
    UpgradeRequest request = World::yes();
    request.accept_changed = {"0.0.51"};
    const bool changed = GENERATE(false, true);
    if (changed) {
        ScriptedUpgrade other = ScriptedUpgrade::of("0.0.51").edits("a");
        other.content = "2";
        world.publish(other);
    }
    REQUIRE(world.upgrade(request)->exit_code == 0);
    const auto& history = world.ledgers.history();
    CHECK(std::count_if(history.begin(), history.end(), [](const auto& event) {
              return has(event.kind, "accept");
          }) == (changed ? 1 : 0));
}

TEST_CASE("the history has how long an upgrade and its check took, each by itself") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a")).verify = good();
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.clock.advance(std::chrono::minutes(3));
        if (phase == HostPhase::verify) world.clock.advance(std::chrono::minutes(7));
    };
    REQUIRE(world.upgrade()->exit_code == 0);
    const AttemptRecord attempt = world.ledgers.look()->runs(1).front().attempts.at(0);
    CHECK(attempt.apply_time / std::chrono::minutes(1) == 3);
    CHECK(attempt.verify_time / std::chrono::minutes(1) == 7);
    CHECK(attempt.log == "logs/" + attempt.run + "/0.0.51.log");
}
