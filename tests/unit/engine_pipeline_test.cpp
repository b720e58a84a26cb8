// SPDX-License-Identifier: Apache-2.0
// What the pipeline decides: what runs, what is asked, and what is said when.
#include <algorithm>

#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

// The plan.

TEST_CASE("what somebody else has applied between look and lease is not applied again") {
    for (const bool executable : {false, true}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("image", "v1");
        if (executable) upgrade.executable();
        world.publish(upgrade);
        world.lock_by_hand();
        world.signals.while_waiting = [&] {
            world.signals.while_waiting = nullptr;
            world.ledgers.open()->unlock_by_hand("erna");
            CHECK(run_upgrade(world.parts(), World::yes()).exit_code == 0);
        };
        UpgradeRequest request = World::yes();
        request.wait = std::chrono::minutes(1);
        const auto report = world.upgrade(request);
        INFO(words(report));
        CHECK(report->exit_code == 0);
        CHECK(report->outcome == Outcome::nothing_to_do);
        CHECK(world.stage.effects["0.0.51: set image v1"] == 1);
        CHECK(world.done() == Strings{"0.0.51"});
    }
}

TEST_CASE("what is half undone by a run that died is seen after recovery") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    die_at(world, "after record_step_undone", 1,
           [&] { return world.rollback(World::rollback_request()); });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("0.0.51") && Contains("undone in part"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.outside("a").empty());
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

// What is said when.

TEST_CASE("recorded is not told when the commit fails") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    world.process.at_point = [n = 0](const std::string& point) mutable {
        if (point == "before advance" && ++n >= 2) fail_disk();
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK(report->error->changed == "perhaps");
    CHECK(world.reporter.told("apply good: 0.0.51: applied; recording"));
    CHECK_FALSE(world.reporter.told("recorded:"));
    CHECK(world.done().empty());
}

TEST_CASE("recorded is told after the commit, and after the words of the phase") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    std::vector<std::size_t> commits;
    world.process.at_point = [&](const std::string& point) {
        if (point == "after advance") commits.push_back(world.reporter.events.size());
    };
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(commits.size() == 3);
    CHECK(place_of(world, "apply good: 0.0.51") < commits[1]);
    CHECK(place_of(world, "recorded: 0.0.51 succeeded done") == commits[1]);
    CHECK(place_of(world, "apply begins: 0.0.52") > commits[1]);
    CHECK(place_of(world, "recorded: 0.0.52 succeeded done") == commits[2]);
}

TEST_CASE("an upgrade is recorded when the next one is refused right before it begins") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    ScriptedUpgrade next = ScriptedUpgrade::of("0.0.52").edits("app");
    next.preflight = good_for(1, PhaseEnd::blocked, "not any more");
    world.publish(next);
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.52") && Contains("it was not begun"));
    CHECK(world.reporter.told("recorded: 0.0.51 succeeded done"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(count(world.stage.phases, "apply 0.0.52") == 0);
    CHECK(world.ledgers.look()->loose_ends().open_attempts == 0);
}

TEST_CASE("an upgrade is recorded before the next one is judged again") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("image", "v1"));
    std::vector<Strings> done;
    world.stage.before_phase = [&](const std::string& version, HostPhase phase) {
        if (version == "0.0.52" && phase == HostPhase::preflight) done.push_back(world.done());
    };
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(done.size() >= 2);
    CHECK(done[0].empty());
    CHECK(done[1] == Strings{"0.0.51"});
}

TEST_CASE("an upgrade is told as recorded when a file of the next one was changed") {
    World world;
    world.now.files["conf"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
    world.at("before file", 1, [&] { world.now.files["conf"] = "mine\n"; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.52 changed since it was shown: conf"));
    CHECK(world.reporter.told("recorded: 0.0.51 succeeded done"));
    CHECK(world.done() == Strings{"0.0.51"});
}

// What is left out.

TEST_CASE("what is left out at its turn is not applied, nor what requires it, nor soaked") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    ScriptedUpgrade blocked = ScriptedUpgrade::of("0.0.52").edits("app");
    blocked.preflight = good_for(1, PhaseEnd::blocked, "not any more");
    blocked.verify = bad(PhaseEnd::failed, "not there");
    world.publish(blocked);
    ScriptedUpgrade dependent = ScriptedUpgrade::of("0.0.53").edits("conf");
    dependent.manifest.needed_upgrades = {"0.0.52"};
    world.publish(dependent);
    ScriptedUpgrade last = ScriptedUpgrade::of("0.0.54").edits("other");
    last.verify = good();
    world.publish(last);
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    request.soak = std::chrono::seconds(1);
    const auto report = world.upgrade(request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.54"});
    CHECK(world.version() == "0.0.51");
    CHECK(report->cluster_version == "0.0.51");
    for (const char* phase : {"apply 0.0.52", "verify 0.0.52", "rollback 0.0.52", "apply 0.0.53"})
        CHECK(count(world.stage.phases, phase) == 0);
    CHECK(count(world.stage.phases, "verify 0.0.54") > 0);
    CHECK(world.newest_run() == "succeeded");
}

TEST_CASE("the version stays below both, left out in the rehearsal and at its turn") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app").needs("never", "there"));
    world.publish(ScriptedUpgrade::of("0.0.52").sets("image", "v1"));
    ScriptedUpgrade late = ScriptedUpgrade::of("0.0.53").edits("app");
    late.preflight = good_for(1, PhaseEnd::blocked, "not any more");
    world.publish(late);
    world.publish(ScriptedUpgrade::of("0.0.54").edits("other"));
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.52", "0.0.54"});
    CHECK(world.version() == "0.0.50");
    world.now.outside["never"] = "there";
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() == "0.0.52");
}

// Hooks and questions.

TEST_CASE("onFailure is run for what failed after the question, and for nothing else") {
    const auto programs = [](const std::function<void(World&, UpgradeRequest&)>& change) {
        World world;
        world.config.hooks.on_failure.command = {"alarm"};
        world.config.hooks.after.command = {"cheer"};
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        UpgradeRequest request = World::yes();
        change(world, request);
        world.upgrade(request);
        return world.processes.programs;
    };
    CHECK(programs([](World&, UpgradeRequest&) {}) == Strings{"cheer"});
    CHECK(programs([](World& world, UpgradeRequest&) {
              world.script("0.0.51").fails(HostPhase::apply, 1);
          }) == Strings{"alarm"});
    CHECK(programs([](World& world, UpgradeRequest&) {
              world.script("0.0.51").fails(HostPhase::simulate, 1);
          }).empty());
    CHECK(programs([](World& world, UpgradeRequest&) {
              world.config.policy.write.emplace();
          }).empty());
    CHECK(programs([](World& world, UpgradeRequest& request) {
              request.yes = false;
              world.terminal.answer = [](const std::string&) { return std::optional("n"); };
          }).empty());
    CHECK(programs([](World&, UpgradeRequest& request) { request.dry_run = true; }).empty());
}

TEST_CASE("a hook before the work that fails stops it") {
    World world;
    world.config.hooks.before.command = {"prepare"};
    world.config.hooks.snapshot.command = {"snapshot"};
    world.processes.exit_statuses["prepare"] = 7;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("the hook 'before' failed: it ended with exit status 7"));
    CHECK(world.processes.programs == Strings{"prepare"});
    CHECK(world.now.files.empty());
    world.processes.exit_statuses.clear();
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.processes.programs == Strings{"prepare", "prepare", "snapshot"});
}

TEST_CASE("a file that cannot be written stops its upgrade before the first effect") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("conf/b"));
    world.work_tree.read_only = {"conf/b"};
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK(report->error->changed == "no");
    CHECK_THAT(words(report),
               Contains("conf/b would be changed, and its folder cannot be written"));
    CHECK(world.now.files.empty());
}

TEST_CASE("each risk is asked by itself, and one no is enough") {
    for (std::size_t no = 0; no <= 3; ++no) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("1.0.0").edits("app");
        upgrade.manifest.downtime = true;
        world.publish(upgrade);
        world.terminal.answer = [&](const std::string&) -> std::optional<std::string> {
            return world.terminal.questions.size() == no + 1 ? "n" : "y";
        };
        const auto report = world.upgrade(World::asking());
        CHECK(report->exit_code == (no < 3 ? 4 : 0));
        CHECK(world.terminal.questions.size() == std::min<std::size_t>(no + 1, 3));
        CHECK(world.done().size() == (no < 3 ? 0 : 1));
        CHECK(world.newest_run() == (no < 3 ? "aborted" : "succeeded"));
        if (no < 2) continue;
        CHECK_THAT(world.terminal.questions[0], Contains("This will upgrade the cluster 'demo'"));
        CHECK_THAT(world.terminal.questions[1], Contains("Downtime is caused by 1.0.0."));
        CHECK_THAT(world.terminal.questions[2], Contains("to another major version, 1.0.0"));
    }
}

TEST_CASE("without a terminal and without a yes nothing is even listed") {
    World world;
    world.terminal.there = false;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    CHECK(world.upgrade(World::asking())->exit_code == 2);
    CHECK(world.source.lists == 0);
}

TEST_CASE("a rise without upgrades is asked for, too") {
    World world;
    UpgradeRequest request;
    request.selection.target = "0.0.99";
    world.terminal.answer = [](const std::string&) { return std::optional("n"); };
    CHECK(world.upgrade(request)->exit_code == 4);
    REQUIRE(world.terminal.questions.size() == 1);
    CHECK_THAT(world.terminal.questions[0],
               Contains("No upgrade runs") && Contains("0.0.50") && Contains("0.0.99"));
    CHECK(world.version() != "0.0.99");
    world.terminal.answer = nullptr;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() == "0.0.99");
    CHECK(world.upgrade(request)->exit_code == 0);  // nothing to ask
    CHECK(world.terminal.questions.size() == 2);
}

TEST_CASE("a rise to another major version is confirmed by its option") {
    World world;
    UpgradeRequest request = World::yes();
    request.selection.target = "1.0.0";
    CHECK(world.upgrade(request)->exit_code == 3);
    CHECK(world.version() != "1.0.0");
    request.confirm_downtime = true;
    CHECK(world.upgrade(request)->exit_code == 3);
    request.dry_run = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() != "1.0.0");
    request.dry_run = false;
    request.confirm_major = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() == "1.0.0");
    CHECK(world.terminal.questions.empty());
}

// Going on.

TEST_CASE("before it is tried again the files of an unfinished step are put back") {
    World world;
    world.now.files = {{"a", "old\n"}, {"b", "old\n"}};
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .step({.id = "both", .edits = {{"a", "x"}, {"b", "x"}}})
                      .fails(HostPhase::apply, 4, PhaseEnd::transient));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("put back 1 file"));
    CHECK(world.file("a") == "old\nx\n");
    CHECK(world.file("b") == "old\nx\n");
    CHECK(count(world.stage.phases, "apply 0.0.51") == 2);
}

TEST_CASE("transient failures are tried as often as the config says") {
    for (const int attempts : {1, 2, 4}) {
        World world;
        world.config.retry.attempts = attempts;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 1,
                                                                     PhaseEnd::transient, 100));
        CHECK(world.upgrade()->exit_code == 8);
        CHECK(count(world.stage.phases, "apply 0.0.51") == static_cast<std::size_t>(attempts));
    }
}

TEST_CASE("an upgrade that goes on is not judged by its preflight again") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("image", "v1").edits("app");
    upgrade.preflight = [](const SeenWorld& seen) -> Judgement {
        if (seen.outside("image").empty()) return {};
        return {PhaseEnd::nothing_to_do, "it is there"};
    };
    world.publish(upgrade.fails(HostPhase::apply, 5));
    REQUIRE(world.upgrade()->exit_code == 1);
    REQUIRE(world.outside("image") == "v1");
    const std::size_t judged = count(world.stage.phases, "preflight 0.0.51");
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(count(world.stage.phases, "preflight 0.0.51") == judged);
    CHECK(world.file("app") == "0.0.51\n");
    CHECK(world.stage.effects["0.0.51: set image v1"] == 1);
}
