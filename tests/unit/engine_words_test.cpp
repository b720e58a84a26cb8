// SPDX-License-Identifier: Apache-2.0
// What is told along the way, and kept of it: phases, outcomes, recipes, reasons.
#include <algorithm>

#include "engine/standing.hpp"
#include "host/host.hpp"
#include "support/asked_gate.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"
#include "support/two_files.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

AttemptRecord newest_attempt(World& world) {
    return world.ledgers.look()->runs(1).front().attempts.back();
}

std::size_t count_lines(const std::optional<RunReport>& report, const std::string& line) {
    return count(report->error->commands, line);
}

}  // namespace

TEST_CASE("what is shown late is told as what was shown before") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("x", "1"));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.count("simulate begins: 0.0.52 2 of 2") == 2);
    CHECK(world.reporter.count("simulate good: 0.0.52: simulated") == 1);
}

TEST_CASE("a check after an upgrade is a state of its run") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app")).verify = good();
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.count("moved: applying to verifying") == 1);
}

TEST_CASE("what is only tried is told as not recorded") {
    for (const bool record : {false, true}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51.a").edits("app"));
        REQUIRE(world.single(World::by_itself("0.0.51.a", record))->exit_code == 0);
        CHECK(newest_attempt(world).message == (record ? "" : "not recorded as done"));
        CHECK(newest_attempt(world).tag == "0.0.51+a");
    }
}

TEST_CASE("of a program that fails the files are named that were written since it began") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("before"));
    world.publish(ScriptedUpgrade::of("0.0.52")
                      .edits("by-program")
                      .edits("never")
                      .executable()
                      .fails(HostPhase::apply, 2));
    const auto report = world.upgrade();
    REQUIRE(report->exit_code == 1);
    CHECK(report->error->changes.files == Strings{"by-program"});
    CHECK_THAT(words(report), Contains("which commands it ran is not known"));
}

TEST_CASE("the outcome of what cannot run tells blocked and failed apart") {
    for (const bool blocked : {false, true}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app")).preflight =
            bad(blocked ? PhaseEnd::blocked : PhaseEnd::failed, "no room");
        const auto report = world.upgrade();
        REQUIRE(report->exit_code == 3);
        CHECK(report->due.at(0).outcome == (blocked ? Outcome::blocked : Outcome::failed));
        CHECK(report->error->next == "mend the cause, or leave the upgrade out with --skip");
        CHECK_THAT(words(report), Contains(blocked ? "0.0.51: it cannot run here: no room"
                                                   : "0.0.51: its preflight failed: no room"));
    }
}

TEST_CASE("what is stopped right before it begins is told as failed, with why") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.terminal.while_asked([&] { world.now.files["app"] = "mine\n"; });
    const auto report = world.upgrade(World::asking());
    REQUIRE(report->exit_code == 3);
    CHECK(report->due.at(0).outcome == Outcome::failed);
    CHECK_THAT(report->due.at(0).message, Contains("app is not as when it was shown"));
}

TEST_CASE("an attempt that an error ends keeps its words") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.at("before record_step", 1, fail_disk);
    const auto report = world.upgrade();
    CHECK(newest_attempt(world).message == "the disk is full");
    CHECK(report->due.at(0).message == "the disk is full");
    CHECK(report->due.at(0).outcome == Outcome::failed);
}

TEST_CASE("a run that is interrupted before it changes anything is in the history as that") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.terminal.while_asked([&] { world.signals.signals = 1; });
    REQUIRE(world.upgrade(World::asking())->exit_code == 143);
    CHECK(world.ledgers.look()->runs(1).front().message == "interrupted");
}

TEST_CASE("each signal tells once what it leads to") {
    World world;
    world.publish(for_good("0.0.51"));
    world.at("before command", 1, [&] { world.signals.signals = 1; });
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.count("stopping after 0.0.51; a second signal cancels it") == 1);
    CHECK_FALSE(world.reporter.told("cancelling"));
    World cancelled;
    cancelled.publish(for_good("0.0.51"));
    cancelled.at("before command", 1, [&] { cancelled.signals.signals = 2; });
    REQUIRE(cancelled.upgrade()->exit_code == 143);
    CHECK(cancelled.reporter.count("cancelling 0.0.51; a third signal kills it") == 1);
    World killed;
    killed.publish(for_good("0.0.51"));
    killed.at("before command", 1, [&] { killed.signals.signals = 3; });
    REQUIRE(killed.upgrade()->exit_code == 143);
    CHECK_FALSE(killed.reporter.told("cancelling"));
}

TEST_CASE("each undo is shown with what it puts back, in its place of the run") {
    TwoFiles two;
    World& world = two.world;
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app").sets("x", "1", "0").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    RollbackRequest request = World::rollback_request("0.0.51");
    request.dry_run = true;
    world.reporter.events.clear();
    const auto report = world.rollback(request);
    REQUIRE(report->exit_code == 0);
    CHECK(report->target == "0.0.51");
    CHECK(report->warnings.empty());
    CHECK(world.reporter.told("simulate begins: 0.0.53 1 of 2"));
    CHECK(world.reporter.told("simulate good: 0.0.53: 1 file to put back, after its own rollback"));
    CHECK(world.reporter.told("simulate begins: 0.0.52 2 of 2"));
    CHECK(std::count(world.reporter.events.begin(), world.reporter.events.end(),
                     "simulate good: 0.0.52: 1 file to put back") == 1);
    CHECK(world.reporter.count("would be undone") == 2);  // the steps of its own rollback
}

TEST_CASE("who asked for an undo or a check has answered what an upgrade asks in it") {
    PhaseRunnerOptions options;
    REQUIRE_FALSE(options.yes);
    confirm_everything(options);
    CHECK(options.yes);
}

TEST_CASE("a value that an upgrade declares reaches each of its phases") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
    Parameter size;
    size.name = "size";
    upgrade.manifest.parameters = {size};
    upgrade.verify = good();
    world.publish(upgrade);
    UpgradeRequest request = World::yes();
    request.parameters.values["size"] = "20Gi";
    REQUIRE(world.upgrade(request)->exit_code == 0);
    REQUIRE(world.stage.requests.size() == 3);
    for (const SeenRequest& seen : world.stage.requests) {
        REQUIRE(seen.request.parameters.size() == 1);
        CHECK(seen.request.parameters.at("size")->reveal() == "20Gi");
    }
}

TEST_CASE("a plan names the digest of each release that is due") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    const Digest digest = world.source.stored.at("0.0.51").release.digest.value();
    const RunReport plan = make_plan_report(world.parts(), {});
    CHECK(plan.due.at(0).digest == digest.to_string());
}

TEST_CASE("a saved plan beside which nothing was released warns of nothing") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    UpgradeRequest request = world.by_saved_plan();
    const auto report = world.upgrade(request);
    REQUIRE(report->exit_code == 0);
    CHECK(report->warnings.empty());
}

TEST_CASE("nothing is told as put back where nothing had to be") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    die_at(world, "after record_files");
    REQUIRE(world.upgrade()->exit_code == 0);
    for (const std::string& event : world.reporter.events) CHECK_THAT(event, !Contains("put back"));
}

TEST_CASE("the recipe by hand has a line for each way to go on") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app").edits("b").fails(HostPhase::apply, 5));
    const auto report = world.upgrade(World::without_rollback());
    REQUIRE(report->exit_code == 1);
    for (const char* line :
         {"# what it printed", "runner logs 0.0.51 -c '/cluster/cluster.yaml'",
          "# undo it: its finished steps and its files",
          "runner rollback -c '/cluster/cluster.yaml'", "# finished by hand: count it as done",
          "runner state record 0.0.51 --reason 'finished by hand' -c '/cluster/cluster.yaml'",
          "# undo it by hand: its files, then its records"})
        CHECK(count_lines(report, line) == 1);
    World without_files;
    without_files.publish(for_good("0.0.51").fails(HostPhase::apply, 3));
    CHECK(count_lines(without_files.upgrade(), "# undone by hand: its records") == 1);
}

TEST_CASE("the recipe by hand for what is half undone is to finish that") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1").reversible().fails(
        HostPhase::rollback, 4));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = undo(world);
    REQUIRE(report->exit_code == 1);
    CHECK(count_lines(report, "# finish its undo, before which nothing else runs") == 1);
    CHECK(count_lines(report, "runner rollback -c '/cluster/cluster.yaml'") == 1);
    CHECK(count_lines(report, "runner upgrade -c '/cluster/cluster.yaml'") == 0);
}

TEST_CASE("a way out that several refusals share is told once") {
    World world;
    world.config.policy.network = false;
    for (const char* version : {"0.0.51", "0.0.52"}) {
        ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits("app");
        upgrade.manifest.permissions.network = true;
        world.publish(upgrade);
    }
    const auto report = world.upgrade();
    REQUIRE(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("0.0.51 wants") && Contains("0.0.52 wants"));
    CHECK(report->error->next ==
          "leave the upgrade out with --skip, or allow it under 'policy' in the config");
}

TEST_CASE("a risk is refused with the options that confirm it") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("1.0.0").edits("app");
    upgrade.manifest.downtime = true;
    world.publish(upgrade);
    UpgradeRequest request = World::yes();
    CHECK(world.upgrade(request)->error->next ==
          "add --confirm-downtime and --confirm-major when that is meant");
    request.confirm_downtime = true;
    CHECK(world.upgrade(request)->error->next == "add --confirm-major when that is meant");
    request.confirm_downtime = false;
    request.confirm_major = true;
    CHECK(world.upgrade(request)->error->next == "add --confirm-downtime when that is meant");
}

TEST_CASE("a cluster is described by what is known of it") {
    Asked asked;
    asked.facts.identity = ClusterIdentity{"other", "", ""};
    CHECK_THAT(asked("identity"),
               Contains("is of the cluster 'other', the config") && Contains("is of 'demo'"));
}

TEST_CASE("hooks get the environment of upgrades") {
    World world;
    world.config.hooks.before.command = {"before"};
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.processes.specs.at("before").environment ==
          plugin_environment(world.config.environment));
}

TEST_CASE("an upgrade that stands half-way without a message has none in its sentence") {
    UnsettledUpgrade upgrade;
    upgrade.version = "0.0.51";
    upgrade.run = "r1";
    upgrade.outcome = Outcome::failed;
    CHECK(standing_words(upgrade) == "0.0.51: its last attempt failed (run r1)");
    upgrade.message = "no room";
    CHECK(standing_words(upgrade) == "0.0.51: its last attempt failed (run r1): no room");
}
