// SPDX-License-Identifier: Apache-2.0
// What a run comes to at the edge of each rule, where the next one begins.
#include "engine/documents.hpp"
#include "engine/phase_events.hpp"
#include "engine/saved_plan.hpp"
#include "engine/standing.hpp"
#include "host/frame.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

/// Ready while `key` is not `value`, nothing to do then.
Judge until(const std::string& key, const std::string& value) {
    return [=](const SeenWorld& seen) -> Judgement {
        if (seen.outside(key) != value) return {};
        return {PhaseEnd::nothing_to_do, key + " is " + value};
    };
}

ScriptedUpgrade with_parameter(const std::string& version, bool secret) {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits("app");
    Parameter parameter;
    parameter.name = "size";
    parameter.secret = secret;
    parameter.required = true;
    upgrade.manifest.parameters = {parameter};
    return upgrade;
}

}  // namespace

// Which cluster, which version.

TEST_CASE("a ledger of the same name and region in another account is another cluster's") {
    World world;
    world.config.region = "eu-north-1";
    world.config.account_id = "1";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.config.account_id = "2";
    CHECK(world.upgrade()->exit_code == 6);
}

TEST_CASE("a rollback to a version between two upgrades stands at that version") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.54").edits("conf"));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = world.rollback(World::rollback_request("0.0.52"));
    CHECK(report->exit_code == 0);
    CHECK(world.version() == "0.0.52");
    CHECK(report->cluster_version == "0.0.52");
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a run that was given an id is in the history, also with nothing to do") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    UpgradeRequest request = World::yes();
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.ledgers.look()->runs(9).size() == 1);
    request.run_id = "by-a-program";
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.ledgers.look()->runs(1).front().start.id == "by-a-program");
}

// Verdicts.

TEST_CASE("a simulation that fails behind one that was shown stops the run, commands or not") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").fails(HostPhase::simulate, 1));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("0.0.52: its simulation failed"));
    CHECK(world.outside("x").empty());
}

TEST_CASE("what a command before it has made needless is recorded as nothing to do") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app")).preflight = until("x", "1");
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.now.files.count("app") == 0);
}

TEST_CASE("what uses the network may change what later ones find, as a command may") {
    World world;
    ScriptedUpgrade first = ScriptedUpgrade::of("0.0.51").edits("app");
    first.manifest.permissions.network = true;
    world.publish(first);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("conf").needs("x", "1"));
    world.stage.before_phase = [&](const std::string& version, HostPhase phase) {
        if (version == "0.0.51" && phase == HostPhase::apply) world.now.outside["x"] = "1";
    };
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("blocked until 0.0.51 has run"));
}

TEST_CASE("a saved plan with --yes stops before what nobody has seen, and without it asks") {
    for (const bool yes : {true, false}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
        REQUIRE(world.upgrade()->exit_code == 0);
        world.publish(ScriptedUpgrade::of("0.0.52").sets("x", "1"));
        world.publish(ScriptedUpgrade::of("0.0.53").edits("app").needs("x", "1"));
        UpgradeRequest request = world.by_saved_plan();
        request.yes = yes;
        const auto report = world.upgrade(request);
        INFO(words(report));
        CHECK(report->exit_code == (yes ? 1 : 0));
        CHECK(world.now.files.count("app") == (yes ? 0 : 1));
        if (yes) CHECK_THAT(words(report), Contains("could not be shown when the plan was saved"));
    }
}

TEST_CASE("a file that is not rendered is held to what was shown, also beside one that is") {
    World world;
    world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "one", .edits = {{.path = "made", .line = "x", .rendered = true}}});
    upgrade.step({.id = "two", .edits = {{.path = "app", .line = "x", .instead = "conf"}}});
    world.publish(upgrade);
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code != 0);
    CHECK_THAT(words(report), Contains("did not show that conf would be changed"));
    CHECK(world.file("conf") == "old\n");
}

// How an upgrade stands.

TEST_CASE("what failed before it had done anything stands in nobody's way") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app").fails(HostPhase::apply, 0));
    REQUIRE(world.upgrade()->exit_code != 0);
    REQUIRE(world.facts().unsettled.size() <= 1);
    world.withdraw("0.0.51");
    world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.52"});
}

TEST_CASE("what was changed outside of steps is half applied, and is undone first") {
    World world;
    world.now.files["app"] = "old\n";
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "", .edits = {{.path = "app", .line = "x"}}});
    upgrade.verify = bad(PhaseEnd::failed, "not good");
    world.publish(upgrade);
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    REQUIRE(world.file("app") == "old\nx\n");
    REQUIRE(world.facts().unsettled.front().finished_steps.empty());
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.file("app") == "old\n");
}

TEST_CASE("what used the network and is not reversible is not undone by its files alone") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
    upgrade.manifest.permissions.network = true;
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.rollback(World::rollback_request())->exit_code == 6);
    CHECK(world.file("app") == "0.0.51\n");
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("an attempt that is closed is not closed again by what stops the run after it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app")).preflight =
        [](const SeenWorld& seen) -> Judgement {
        if (seen.outside("x").empty()) return {};
        return {PhaseEnd::failed, "its preflight is broken"};
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    const std::vector<RunRecord> runs = world.ledgers.look()->runs(1);
    REQUIRE(runs.front().attempts.size() == 1);
    CHECK(runs.front().attempts.front().outcome == "succeeded");
    CHECK(runs.front().attempts.front().message.empty());
    REQUIRE(report->due.size() == 2);
    CHECK(report->due.front().outcome == Outcome::succeeded);
}

// Values.

TEST_CASE("a value that is given beside a saved plan is not ignored") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(with_parameter("0.0.52", false));
    UpgradeRequest request = World::yes();
    request.parameters.values["size"] = "20Gi";
    request.saved_plan = world.save_plan(request);
    request.parameters.values["size"] = "500Gi";
    const auto refused = world.upgrade(request);
    CHECK(refused->exit_code == 6);
    CHECK_THAT(words(refused), Contains("size"));
    request.parameters.values.clear();
    CHECK(world.upgrade(request)->exit_code == 0);
}

TEST_CASE("a saved plan is refused when something was attempted since, whatever came of it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").fails(HostPhase::apply, 0));
    UpgradeRequest request = World::yes();
    const SavedPlan plan = world.save_plan(request);
    REQUIRE(world.upgrade(request)->exit_code != 0);
    request.saved_plan = plan;
    CHECK(world.upgrade(request)->exit_code == 6);
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a value fits its pattern as a whole, or is refused") {
    for (const char* value : {"abc1", "1x", "", "1\n2"}) {
        World world;
        ScriptedUpgrade upgrade = with_parameter("0.0.51", false);
        upgrade.manifest.parameters.front().pattern = "[0-9]+";
        world.publish(upgrade);
        UpgradeRequest request = World::yes();
        request.parameters.values["size"] = value;
        CAPTURE(value);
        CHECK(world.upgrade(request)->exit_code == 3);
        request.parameters.values["size"] = "12";
        CHECK(world.upgrade(request)->exit_code == 0);
    }
}

TEST_CASE("the state's document tells of a run that died between two steps") {
    LedgerFacts facts;
    facts.has_unfinished_run = true;
    CHECK(state_document(facts, {}, std::nullopt)["unfinishedRun"] == true);
    facts.has_unfinished_run = false;
    facts.has_unfinished_files = true;
    CHECK(state_document(facts, {}, std::nullopt)["unfinishedRun"] == false);
}

TEST_CASE("a plan that cannot hide a secret is not saved") {
    World world;
    world.publish(with_parameter("0.0.51", true));
    UpgradeRequest request = World::yes();
    request.parameters.secrets["size"] = Secret("hunter2hunter2");
    request.dry_run = request.pin_work = true;
    std::string told;
    try {
        const PlanReport plan = plan_upgrade(world.parts(), request);
        told = dump_json(saved_plan_document(plan.report, plan.facts, {"demo", "", ""}, {}));
    } catch (const Error& error) {
        told = error.what();
    }
    CHECK(told.find("hunter2") == std::string::npos);
    CHECK_FALSE(told.empty());
}

TEST_CASE("what is new in a plan is new once") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.53").sets("y", "1"));
    const RunReport plan = make_plan_report(world.parts(), {});
    REQUIRE(plan.due.size() == 2);
    CHECK(plan.due[0].news.size() == 1);
    CHECK(plan.due[1].news.empty());
}

// Signals and time.

TEST_CASE("an undo that follows a cancelled upgrade is not cancelled by the same signals") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1", "0").reversible().edits("app"));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.signals.signals = 2;
    };
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 143);
    CHECK(world.newest_run() == "rolled_back");
}

TEST_CASE("the heart beats while a soak waits between two checks") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app")).verify = good();
    int beats = 0;
    world.process.at_point = [&](const std::string& point) {
        if (point == "before heartbeat") ++beats;
    };
    UpgradeRequest request = World::yes();
    request.soak = std::chrono::minutes(5);
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(beats > 5);
}

// What an upgrade says.

TEST_CASE("a secret in the remedy of an upgrade that is blocked is masked") {
    World world;
    world.publish(with_parameter("0.0.51", true)).preflight = [](const SeenWorld&) -> Judgement {
        return {PhaseEnd::blocked, "no hunter2hunter2", "set it to hunter2hunter2"};
    };
    UpgradeRequest request = World::yes();
    request.parameters.secrets["size"] = Secret("hunter2hunter2");
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 3);
    CHECK_THAT(report->error->next, Contains("set it to "));
    CHECK_FALSE(has(report->error->next + report->error->message, "hunter2"));
    CHECK_FALSE(world.reporter.told("hunter2"));
}

TEST_CASE("what an upgrade's process names is what its manifest allows, or breaks the protocol") {
    World world;
    const EngineParts parts = world.parts();
    const auto ledger = world.ledgers.open();
    UpgradeInRun upgrade;
    upgrade.version = "0.0.51";
    upgrade.known.manifest.permissions.write = {"conf", "x"};
    PhaseRunnerOptions options;
    options.hold_to_shown = false;
    const Redactor redactor;
    PhaseEvents events(parts, options, redactor, *ledger, upgrade, HostPhase::apply,
                       {ledger.get(), "run"});
    world.work_tree.statuses["conf/link"] = {upgrade::services::PathKind::link, 0};
    const std::string digest(64, 'a');
    const std::string originals = world.folder.originals_of("0.0.51").string();
    const std::vector<HostFileChange> forged{
        {"../x", "../.x.upgrade-1", "", digest},
        {"/etc/passwd", "/etc/.passwd.upgrade-1", "", digest},
        {"conf/../y", "conf/../.y.upgrade-1", "", digest},
        {"y", ".y.upgrade-1", "", digest},
        {"configuration", ".configuration.upgrade-1", "", digest},
        {"x/below/../../y", ".y.upgrade-1", "", digest},
        {"conf/link", "conf/.link.upgrade-1", "", digest},
        {"x", "../.x.upgrade-1", "", digest},
        {"x", "/etc/.x.upgrade-1", "", digest},
        {"x", "conf/.x.upgrade-1", "", digest},
        {"x", ".y.upgrade-1", "", digest},
        {"x", ".x.upgrade-", "", digest},
        {"x", ".x.upgrade-1/../y", "", digest},
        {"x", "y", "", digest},
        {"x", ".x.upgrade-1", "/etc/passwd", digest},
        {"x", ".x.upgrade-1", originals + "/../0.0.50/1", digest},
        {"x", ".x.upgrade-1", originals, digest},
        {"x", ".x.upgrade-1", "", ""},
        {"x", ".x.upgrade-1", "", "no digest"},
        {"x", "", "", digest},
    };
    for (const HostFileChange& change : forged) {
        CAPTURE(change.path, change.temporary, change.backup, change.digest);
        CHECK_THROWS_AS(events.record_files("step", {change}), ProtocolError);
    }
    CHECK(ledger->changed_files("0.0.51").empty());
}

// What is asked, told and kept.

TEST_CASE("a dry run needs nobody to ask") {
    World world;
    world.terminal.there = false;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    UpgradeRequest request = World::asking();
    CHECK(world.upgrade(request)->exit_code == 2);
    request.dry_run = true;
    CHECK(world.upgrade(request)->exit_code == 0);
}

TEST_CASE("a first run with nothing due is recorded without a question") {
    World world;
    const auto report = world.upgrade(World::asking());
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.terminal.questions.empty());
    CHECK(world.version() == "0.0.50");
}

TEST_CASE("what an upgrade may touch that none before might is new in its run, too") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").sets("x", "1"));
    const auto report = world.upgrade();
    REQUIRE(report->due.size() == 1);
    REQUIRE(report->due.front().news.size() == 1);
    CHECK(report->due.front().news.front().kind == "command");
}

TEST_CASE("what has become needless is recorded, also when its files were changed before it") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app")).preflight = until("x", "1");
    world.process.at_point = [&](const std::string& point) {
        if (point == "after command") world.now.files["app"] = "by the command\n";
    };
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.file("app") == "by the command\n");
}

TEST_CASE("a program may have done anything, whatever its manifest declares") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    ScriptedUpgrade program = ScriptedUpgrade::of("0.0.52").edits("conf");
    program.executable().fails(HostPhase::apply, 1);
    program.manifest.permissions.network = false;
    world.publish(program);
    REQUIRE(world.upgrade()->exit_code == 1);
    CHECK(world.facts().unsettled.front().other_effects);
    const auto refused = world.rollback(World::rollback_request());
    CHECK(refused->exit_code == 6);
    CHECK_THAT(words(refused), Contains("0.0.52 cannot be rolled back"));
}

TEST_CASE("a lock by hand makes nothing live of what has died") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    die_at(world, "after record_files");
    world.lock_by_hand();
    const auto view = world.ledgers.look();
    const LedgerFacts facts = facts_as_of_now(*view, world.clock);
    REQUIRE(facts.unsettled.size() == 1);
    CHECK(standing_of(facts.unsettled.front()) == Standing::interrupted);
}

TEST_CASE("what was released since a plan was saved is told, and does not run") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("left-out"));
    UpgradeRequest request = World::yes();
    request.selection.skip = {"0.0.53"};
    request.saved_plan = world.save_plan(request);
    world.publish(ScriptedUpgrade::of("0.0.52.b").edits("later"));
    request.selection = {};
    const auto report = world.upgrade(request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("due by now, and not part of the saved plan: 0.0.52.b"));
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

TEST_CASE("the history's document has the times of work and check apart") {
    RunRecord run;
    run.attempts.emplace_back();
    run.attempts.front().apply_time = std::chrono::milliseconds(12);
    run.attempts.front().verify_time = std::chrono::milliseconds(34);
    const Json attempt = history_document({run}, {}, std::nullopt)["runs"][0]["upgrades"][0];
    CHECK(attempt["applyMs"] == 12);
    CHECK(attempt["verifyMs"] == 34);
}

TEST_CASE("a state value that is set outside of steps is kept when the upgrade is done") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.step({.id = "", .values = {{"color", "green"}}});
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.ledgers.look()->state_value(0, "0.0.51", "color") == "green");
}
