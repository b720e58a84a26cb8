// SPDX-License-Identifier: Apache-2.0
// What is asked and told of a run: where the cluster stands, what it ran, what a plan was made
// from.
#include "engine/advice.hpp"
#include "engine/documents.hpp"
#include "engine/escape_hatch.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"
#include "support/text.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

TEST_CASE("an export is read as it was written, with every kind of declaration") {
    LedgerDump dump;
    dump.identity = {"prod", "eu-1", "123"};
    dump.original_version = SemanticVersion::parse("0.0.50");
    dump.cluster_version = SemanticVersion::parse("0.0.52");
    DoneRecord done;
    done.version = "0.0.51";
    done.tag = "u/0.0.51";
    done.platform = "linux-amd64";
    done.run = "r1";
    done.digest = std::string(64, 'a');
    dump.done = {done};
    dump.skipped = {{"0.0.53", "never", "erna"}};
    dump.pins = {{"0.0.51", "linux-amd64", std::string(64, 'a')}};
    dump.steps = {{"0.0.51", "one"}};
    dump.values = {{{"0.0.51", "key"}, "value"}};
    dump.parameters = {{"size", "20Gi"}};
    dump.declared = {{"write", "a"}, {"command", "sh"}, {"network", ""}, {"parameter", "size"}};
    const Json written = export_document(dump);
    Json read = export_document(parse_export(dump_json(written), "dump.json"));
    for (Json& one : read["upgrades"]) one["how"] = written["upgrades"][0]["how"];
    CHECK(read == written);
    for (const auto& [key, value] : written.items()) CHECK_FALSE(value.empty());
    Json other = written;
    other["declared"][0]["kind"] = "wish";
    CHECK_THROWS_WITH(parse_export(dump_json(other), "dump.json"),
                      Contains("must be write, command, network or parameter"));
}

TEST_CASE("one upgrade by itself tells where the cluster stands, however it ends") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.53").edits("conf"));
    for (const bool dry : {true, false}) {
        SingleRunRequest request = World::by_itself("0.0.53");
        request.dry_run = dry;
        const auto report = world.single(request);
        CHECK(report->exit_code == 0);
        CHECK(report->cluster_version == "0.0.51");
        CHECK(report->original_version == "0.0.50");
        CHECK(upgrade_document(*report)["clusterVersion"] == "0.0.51");
    }
}

TEST_CASE("what became of the cluster while the lease was waited for is what a run goes by") {
    World world;
    world.config.original_version.reset();
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.54").edits("conf"));
    world.lock_by_hand();
    world.signals.while_waiting = [&] {
        world.signals.while_waiting = nullptr;
        const auto ledger = world.ledgers.open();
        ledger->unlock_by_hand("erna");
        ledger->set_identity({"demo", "", ""});
        ledger->set_original_version(SemanticVersion::parse("0.0.53"));
    };
    SingleRunRequest request = World::by_itself("0.0.54");
    request.wait = std::chrono::minutes(1);
    const auto report = world.single(request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(report->original_version == "0.0.53");
    CHECK(report->cluster_version == "0.0.53");

    // By what was read before, this one could run.
    World late;
    late.config.original_version.reset();
    late.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    late.lock_by_hand();
    late.signals.while_waiting = [&] {
        late.signals.while_waiting = nullptr;
        const auto ledger = late.ledgers.open();
        ledger->unlock_by_hand("erna");
        ledger->set_identity({"demo", "", ""});
        ledger->set_original_version(SemanticVersion::parse("0.0.53"));
    };
    request.upgrade = "0.0.51";
    const auto refused = late.single(request);
    CHECK(refused->exit_code == 6);
    CHECK_THAT(words(refused), Contains("0.0.51 is not above the original version 0.0.53"));
    CHECK(late.now.files.empty());
}

TEST_CASE("a rollback that fails names the files and the commands that its undo ran") {
    World world;
    world.publish(
        ScriptedUpgrade::of("0.0.51").edits("app").sets("a", "1").sets("b", "1").reversible().fails(
            HostPhase::rollback, 4));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto failed = world.rollback(World::rollback_request());
    REQUIRE(failed->exit_code == 1);
    CHECK(failed->error->changes.commands == Strings{"set b ''"});
    CHECK(failed->error->changes.files == Strings{"app"});
    CHECK_THAT(words(failed), Contains("commands run: set b"));
    CHECK(upgrade_document(*failed)["error"]["commandsRun"].size() == 1);
}

TEST_CASE("an upgrade whose own undo fails names the commands of both") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .sets("a", "1", "0")
                      .sets("b", "1", "0")
                      .reversible()
                      .fails(HostPhase::apply, 6)
                      .fails(HostPhase::rollback, 3));  // after the undo of the step of a
    const auto failed = world.upgrade();
    REQUIRE(failed->exit_code == 1);
    const Strings& commands = failed->error->changes.commands;
    INFO(words(failed));
    CHECK(commands == Strings{"set a 1", "set b 1", "set a 0"});
}

TEST_CASE("going back asks one question, also of what causes downtime") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
    upgrade.manifest.downtime = true;
    world.publish(upgrade);
    UpgradeRequest request = World::yes();
    request.confirm_downtime = true;
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(world.rollback(RollbackRequest{})->exit_code == 0);
    CHECK(world.terminal.questions.size() == 1);
    CHECK(world.done().empty());
}

TEST_CASE("a version that rose without an upgrade is told as that") {
    World world;
    UpgradeRequest request = World::yes();
    request.selection.target = "0.0.60";
    const auto report = world.upgrade(request);
    CHECK(report->raised_from == "0.0.50");
    CHECK(report->cluster_version == "0.0.60");
    CHECK(world.upgrade(request)->raised_from.empty());
}

TEST_CASE("a target that is held back as a pre-release is told as that") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    ScriptedUpgrade candidate = ScriptedUpgrade::of("0.0.52-rc.1").edits("app");
    world.publish(candidate);
    world.source.stored.at(candidate.tag()).release.prerelease = true;
    Selection selection;
    for (const std::string target : {"0.0.52-rc.1", "0.0.52-rc"}) {
        selection.target = target;
        const auto warnings = make_plan_report(world.parts(), selection).warnings;
        REQUIRE(warnings.size() == 1);
        CHECK(warnings[0] == "the target " + target +
                                 " is a pre-release, which the channel stable leaves out; the "
                                 "newest is 0.0.51");
    }
    selection.target = "0.0.53";
    CHECK_THAT(make_plan_report(world.parts(), selection).warnings.at(0),
               Contains("no release has 0.0.53"));
}

TEST_CASE("a signature that is not good is told in the same words, whatever looks at it") {
    const std::string words_of_all =
        "its tag is signed by nobody known; going on, because trust.verification is warn";
    World world;
    world.config.verification = Verification::warn;
    world.source.judges = true;
    world.source.problem_with_signatures = "its tag is signed by nobody known";
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("a", "1").reversible();
    upgrade.verify = good();
    world.publish(upgrade);
    CHECK_THAT(make_plan_report(world.parts(), {}).warnings.back(), Contains(words_of_all));
    const auto told = [&](const std::function<void()>& run) {
        world.reporter.events.clear();
        run();
        return world.reporter.count("warning: ") == 1 && world.reporter.told(words_of_all);
    };
    SingleRunRequest dry = World::by_itself("0.0.51");
    dry.dry_run = true;
    CHECK(told([&] { world.single(dry); }));
    CHECK(told([&] { world.upgrade(); }));
    CHECK(told([&] { run_verify(world.parts(), {}); }));
    CHECK(told([&] { world.rollback(World::rollback_request()); }));
}

TEST_CASE("a saved plan has the facts that it was made from, whatever happens meanwhile") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    const auto before = world.facts().last_attempt;
    world.at("phase", 1, [&] {
        const auto ledger = world.ledgers.open();
        ledger->record_skip({"0.0.53", "meanwhile", "erna"});
    });
    UpgradeRequest request;
    request.dry_run = request.pin_work = true;
    const PlanReport plan = plan_upgrade(world.parts(), request);
    CHECK(plan.report.due.size() == 1);
    CHECK(world.facts().cluster.skipped.size() == 1);
    CHECK(plan.facts.cluster.skipped.empty());
    CHECK(plan.facts.last_attempt == before);
}

TEST_CASE("the recipe by hand begins with rollback where that can undo it, and names commands") {
    const auto recipe = [](ScriptedUpgrade upgrade, std::size_t at) {
        World world;
        world.publish(upgrade.fails(HostPhase::apply, at));
        UpgradeRequest request = World::yes();
        request.roll_back = false;
        return world.upgrade(request)->error->commands;
    };
    const auto count = [](const Strings& lines, const std::string& line) {
        return std::count(lines.begin(), lines.end(), line);
    };
    const std::string rollback = "runner rollback -c '/cluster/cluster.yaml'";
    const Strings whole =
        recipe(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1").reversible(), 5);
    CHECK(count(whole, rollback) == 1);
    CHECK(count(whole, "#   set a 1") == 1);
    CHECK(count(whole, "# undo by hand what these did, which it has run:") == 1);
    CHECK(count(whole, "# go on after its last finished step") == 1);
    CHECK(count(whole, "# run it again, from its start") == 0);
    CHECK(std::find(whole.begin(), whole.end(), rollback) <
          std::find(whole.begin(), whole.end(), "runner upgrade -c '/cluster/cluster.yaml'"));
    // With nothing of it there, rollback would undo another upgrade.
    const Strings nothing = recipe(ScriptedUpgrade::of("0.0.51").edits("a"), 0);
    CHECK(count(nothing, rollback) == 0);
    CHECK(count(nothing, "# run it again, from its start") == 1);
    CHECK(count(nothing, "# undo by hand what these did, which it has run:") == 0);
    // What it cannot undo is said.
    const Strings commands = recipe(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1"), 6);
    CHECK(count(commands, rollback) == 0);
    CHECK(count(commands,
                "# 'runner rollback' cannot undo it: it runs commands, and its manifest does not "
                "say that it is reversible") == 1);
    CHECK(count(commands, "#   set a 1") == 1);
    for (const Strings& lines : {whole, nothing, commands}) {
        CHECK(lines.back() ==
              "runner state forget 0.0.51 --reason 'undone by hand' -c '/cluster/cluster.yaml'");
    }
}

TEST_CASE("the recipe by hand copies back the oldest original of a file") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .step({.id = "one", .edits = {{.path = "app", .line = "one"}}})
                      .step({.id = "two", .edits = {{.path = "app", .line = "two"}}})
                      .edits("conf")
                      .fails(HostPhase::apply, 10));
    UpgradeRequest request = World::yes();
    request.roll_back = false;
    const Strings lines = world.upgrade(request)->error->commands;
    REQUIRE(world.work_tree.originals.size() == 2);
    for (const auto& [name, text] : world.work_tree.originals) {
        const std::string line = "cp -p " + shell_quoted(name) + " '/cluster/app'";
        CHECK(std::count(lines.begin(), lines.end(), line) == (text == "old\n" ? 1 : 0));
    }
}

TEST_CASE("of a long list the first are named, and how many more there are") {
    CHECK(first_names({}, 3).empty());
    CHECK(first_names({"a", "b", "c"}, 3) == "a, b, c");
    CHECK(first_names({"a", "b", "c", "d"}, 3) == "a, b, c and 1 more");
    CHECK(first_names({"a", "b", "c", "d", "e"}, 3) == "a, b, c and 2 more");
    CHECK(first_names({"a", "b"}, 0) == "a and 1 more");
}

TEST_CASE("advice can be pasted: a reason is given, and every word is quoted") {
    CHECK(record_by_hand("0.0.51") == "runner state record 0.0.51 --reason 'finished by hand'");
    CHECK(forget_by_hand("0.0.51", "it's gone", "a b.yaml") ==
          "runner state forget 0.0.51 --reason 'it'\\''s gone' -c 'a b.yaml'");
    CHECK_THAT(ways_out_of_half_undone("0.0.51"),
               Contains("runner state record 0.0.51 --reason 'put right by hand'") &&
                   Contains("runner state forget 0.0.51 --reason 'undone by hand'"));
}

TEST_CASE("what an interrupted run was at, and had finished, is told by the next one") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
    die_at(world, "after file", 2);
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.told(
        " was interrupted in 0.0.52 after 1 finished upgrade; going on from there"));
    die_at(world, "before file", 1, [&] { return world.rollback(World::rollback_request()); });
    REQUIRE(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.reporter.told(" was interrupted while it undid 0.0.52 after 0 finished upgrades"));
    CHECK(world.reporter.count("going on from there") == 1);
}

TEST_CASE("a failure says how many were done before it, and how many were not begun") {
    World world;
    for (const char* version : {"0.0.51", "0.0.52"})
        world.publish(ScriptedUpgrade::of(version).edits(version));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("f").fails(HostPhase::apply, 1));
    world.publish(ScriptedUpgrade::of("0.0.54").edits("g"));
    CHECK_THAT(words(world.upgrade()),
               Contains("; 2 upgrades before it done, 1 upgrade after it not begun"));
}

TEST_CASE("the next step after a failure is told by what the upgrade has left") {
    struct Row {
        const char* next;
        void (*make)(ScriptedUpgrade& upgrade, UpgradeRequest& request);
    };
    for (const Row& row :
         {Row{"mend the cause and run it again; 'runner logs 0.0.51'",
              [](ScriptedUpgrade&one, UpgradeRequest&) {
                  one.edits("a").fails(HostPhase::apply, 1);
              }},
          Row{"mend the cause and run it again: it goes on after the last finished step; 'runner",
              [](ScriptedUpgrade&one, UpgradeRequest&request) {
                  one.edits("a").edits("b").fails(HostPhase::apply, 5);
                  request.roll_back = false;
              }},
          Row{"mend the cause and run it again: it begins from its start; 'runner logs",
              [](ScriptedUpgrade&one, UpgradeRequest&request) {
                  one.edits("a").fails(HostPhase::apply, 1);
                  request.roll_back = false;
              }},
          Row{"it begins from its start, as it keeps no steps; 'runner logs",
              [](ScriptedUpgrade&one, UpgradeRequest&) {
                  one.edits("a").executable().fails(HostPhase::apply, 1);
              }},
          Row{"run it again, and look at what it shows now; 'runner logs",
              [](ScriptedUpgrade&one, UpgradeRequest&) {
                  one.step({.id = "a", .edits = {{.path = "a", .line = "x", .really = "y"}}});
              }},
          Row{"mend the cause and run it again: it goes on after the last finished step; 'runner",
              [](ScriptedUpgrade&one, UpgradeRequest&request) {
                  one.edits("a").step(
                      {.id = "b", .edits = {{.path = "b", .line = "x", .really = "y"}}});
                  request.roll_back = false;
              }},
          Row{"run it again, and look at what it shows now; 'runner logs",
              [](ScriptedUpgrade&one, UpgradeRequest&) {
                  one.edits("a").step(
                      {.id = "b", .edits = {{.path = "b", .line = "x", .really = "y"}}});
              }},
          Row{"mend the cause and finish it with 'runner rollback', or put right by hand",
              [](ScriptedUpgrade&one, UpgradeRequest&) {
                  one.sets("a", "1").sets("b", "1").reversible();
                  one.fails(HostPhase::apply, 6).fails(HostPhase::rollback, 1);
              }}}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
        UpgradeRequest request = World::yes();
        row.make(upgrade, request);
        world.publish(upgrade);
        const auto report = world.upgrade(request);
        INFO(words(report));
        CHECK_THAT(report->error->next, Contains(row.next));
    }
}
