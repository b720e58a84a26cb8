// SPDX-License-Identifier: Apache-2.0
// What the pipeline decides on the way from the look to the end: order, verdicts, what is asked,
// what is told when.
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using runner::HostPhase;
using runner::Outcome;
using runner::PhaseEnd;
using Strings = std::vector<std::string>;

namespace {

Strings applied(const World& world) {
    Strings versions;
    for (const std::string& phase : world.stage.phases) {
        if (phase.rfind("apply ", 0) == 0) versions.push_back(phase.substr(6));
    }
    return versions;
}

Judge nothing_to_do_while(const std::string& key, const std::string& value) {
    return [key, value](const SeenWorld& world) -> Judgement {
        if (world.outside(key) == value) return {PhaseEnd::nothing_to_do, key + " is " + value};
        return {};
    };
}

}  // namespace

TEST_CASE("what somebody else applied between the look and the lease is not applied twice") {
    const bool executable = GENERATE(false, true);
    World world;
    ScriptedUpgrade upgrade = for_good("0.0.51");
    if (executable) upgrade.executable();
    world.publish(upgrade);
    world.source.on_list = [&] {
        REQUIRE(run_upgrade(world.parts(), World::yes()).exit_code == 0);
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 0);
    CHECK(report->outcome == Outcome::nothing_to_do);
    CHECK(applied(world) == Strings{"0.0.51"});
    CHECK(world.stage.effects["0.0.51: set of 0.0.51 done"] == 1);
}

TEST_CASE("upgrades run in the order of their versions") {
    World world;
    for (const char* version : {"0.0.53", "0.0.52", "0.0.52.b", "0.0.51", "0.0.52.a"})
        world.publish(for_good(version));
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(applied(world) == Strings{"0.0.51", "0.0.52", "0.0.52.a", "0.0.52.b", "0.0.53"});
}

TEST_CASE("an upgrade that is blocked until another one has run is shown so, and runs") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(for_good("0.0.52").needs("image", "v2"));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("blocked until 0.0.51 has run"));
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.outside("of 0.0.52") == "done");
}

TEST_CASE("nothing to do for now is asked again when what comes before has run") {
    World world;
    world.now.outside["image"] = "v1";
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(for_good("0.0.52")).preflight = nothing_to_do_while("image", "v1");
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.told("nothing to do for now"));
    CHECK(world.outside("of 0.0.52") == "done");
}

TEST_CASE("an upgrade with nothing to do is done without having run") {
    World world;
    world.now.outside["image"] = "v1";
    world.publish(for_good("0.0.51")).preflight = nothing_to_do_while("image", "v1");
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(applied(world).empty());
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.reporter.told("recorded: 0.0.51 nothing_to_do"));
}

TEST_CASE("an upgrade that is blocked for good stops the run before anything is changed") {
    World world;
    world.publish(for_good("0.0.51"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("a").needs("image", "v2"));
    world.script("0.0.51").manifest.permissions.commands.clear();
    world.script("0.0.51").steps.clear();
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK(has(report->error->message, "0.0.52: it cannot run here"));
    CHECK(world.done().empty());
}

TEST_CASE("with --keep-going the rest runs, and the version stays below what is blocked") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("a").needs("image", "v2"));
    auto needs_it = ScriptedUpgrade::of("0.0.53").edits("a");
    needs_it.manifest.needed_upgrades = {"0.0.52"};
    world.publish(needs_it);
    world.publish(ScriptedUpgrade::of("0.0.54").edits("a"));
    auto request = World::yes();
    request.keep_going = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.54"});
    CHECK(world.version() == "0.0.51");
}

TEST_CASE("a verdict that changed while the question waited stops the run") {
    World world;
    world.publish(for_good("0.0.51").needs("image", ""));
    world.terminal.while_asked([&] { world.now.outside["image"] = "v2"; });
    const auto report = world.upgrade(World::asking());
    CHECK(report->exit_code == 3);
    CHECK(has(report->error->message, "changed since it was shown"));
    CHECK(applied(world).empty());
    CHECK(report->error->changed == "no");
}

TEST_CASE("what was shown as nothing to do does not run, and the other way round") {
    const bool ready_first = GENERATE(false, true);
    World world;
    world.now.outside["image"] = ready_first ? "v1" : "v2";
    world.publish(for_good("0.0.51")).preflight = nothing_to_do_while("image", "v2");
    world.terminal.while_asked([&] { world.now.outside["image"] = ready_first ? "v2" : "v1"; });
    const auto report = world.upgrade(World::asking());
    CHECK(report->exit_code == 3);
    CHECK(has(report->error->message, "changed since it was shown"));
    CHECK(applied(world).empty());
    CHECK(world.done().empty());
}

TEST_CASE("a verdict that changed after something was done is a failure, with what is done kept") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("a").needs("image", ""));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.now.outside["image"] = "v2";
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK(report->error->changed == "perhaps");
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.reporter.told("recorded: 0.0.51 succeeded"));
    CHECK(world.file("a") == "0.0.51\n");
}

TEST_CASE("what could not be shown before is shown and asked for when its turn comes") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(for_good("0.0.52").needs("image", "v2"));
    const bool goes_on = GENERATE(false, true);
    world.terminal.answer = [&](const std::string& question) {
        return has(question, "This is what 0.0.52 will do") && !goes_on ? "n" : "y";
    };
    const auto report = world.upgrade(World::asking());
    CHECK(world.terminal.questions.size() == 2);
    CHECK(report->exit_code == (goes_on ? 0 : 1));
    CHECK(world.done() == (goes_on ? Strings{"0.0.51", "0.0.52"} : Strings{"0.0.51"}));
    CHECK(place_of(world, "would run: set 'of 0.0.52' done") > place_of(world, "recorded: 0.0.51"));
}

TEST_CASE("a file that is edited while the question waits is not overwritten") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.terminal.while_asked([&] { world.now.files["a"] = "old\nby hand\n"; });
    const auto report = world.upgrade(World::asking());
    CHECK(report->exit_code == 3);
    CHECK(has(report->error->message, "a is not as when it was shown"));
    CHECK(world.file("a") == "old\nby hand\n");
    CHECK(applied(world).empty());
}

TEST_CASE("what differs from what was shown is not written") {
    const bool another_file = GENERATE(false, true);
    const bool first = GENERATE(false, true);
    World world;
    world.now.files["a"] = "old\n";
    if (!first) world.publish(ScriptedUpgrade::of("0.0.50.before").edits("b"));
    if (!first) world.publish(ScriptedUpgrade::of("0.0.51").edits("b"));
    FileEdit edit{.path = "a", .line = "good"};
    if (another_file) {
        edit.instead = "c";
    } else {
        edit.really = "evil";
    }
    auto upgrade = ScriptedUpgrade::of("0.0.52");
    world.publish(upgrade.step({.id = "one", .edits = {edit}}));
    const auto report = world.upgrade();
    CHECK(report->exit_code == (first ? 3 : 1));
    CHECK(report->error->changed == (first ? "no" : "perhaps"));
    CHECK(has(report->error->message, "changed since it was shown"));
    CHECK(world.file("a") == "old\n");
    CHECK(world.file("c") == "-");
    CHECK(world.done() == (first ? Strings{} : Strings{"0.0.51"}));
}

TEST_CASE("a file that is edited when its upgrade has begun is not removed") {
    World world;
    world.now.files["a"] = "old\n";
    auto upgrade = ScriptedUpgrade::of("0.0.51");
    world.publish(upgrade.step({.id = "one", .edits = {{.path = "a", .removes = true}}}));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.now.files["a"] = "by hand\n";
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK(has(report->error->message, "a is not as it was when that was shown"));
    CHECK(world.file("a") == "by hand\n");
    world.stage.before_phase = nullptr;
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.file("a") == "-");
}

TEST_CASE("a file with a program's output may hold something else than was shown") {
    World world;
    auto upgrade = ScriptedUpgrade::of("0.0.51");
    FileEdit edit{.path = "a", .line = "", .rendered = true, .instead = "rendered"};
    world.publish(upgrade.step({.id = "one", .edits = {edit}}));
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.file("rendered") == "\n");
}

TEST_CASE("done is told after the commit that makes it so, and never when that fails") {
    World world;
    world.publish(for_good("0.0.51"));
    int advances = 0;
    world.process.at_point = [&](const std::string& point) {
        if (point == "before advance" && ++advances >= 2)
            throw runner::Error(runner::Failure::preparation, "the disk is full");
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK(world.reporter.told("0.0.51: applied; recording"));
    CHECK_FALSE(world.reporter.told("recorded: 0.0.51 succeeded"));
    CHECK(world.done().empty());
    CHECK(has(report->error->message, "the disk is full"));
}

TEST_CASE("each way in which an attempt can end has its outcome and its exit code") {
    struct Row {
        PhaseEnd end;
        const char* outcome;
        int code;
    };
    const auto row = GENERATE(values<Row>({{PhaseEnd::failed, "failed", 1},
                                           {PhaseEnd::aborted, "aborted", 1},
                                           {PhaseEnd::transient, "failed", 1},
                                           {PhaseEnd::not_loaded, "failed", 1},
                                           {PhaseEnd::exit_status, "failed", 1},
                                           {PhaseEnd::killed_by_signal, "failed", 1},
                                           {PhaseEnd::timed_out, "failed", 1},
                                           {PhaseEnd::protocol_violation, "failed", 1},
                                           {PhaseEnd::output_limit, "failed", 1},
                                           {PhaseEnd::nothing_to_do, "failed", 1},
                                           {PhaseEnd::blocked, "failed", 1}}));
    World world;
    world.publish(for_good("0.0.51").fails(HostPhase::apply, 2, row.end, 99));
    world.publish(for_good("0.0.52"));
    const auto report = world.upgrade();
    INFO(row.outcome << ' ' << static_cast<int>(row.end) << ' ' << report->error->message);
    CHECK(report->exit_code == row.code);
    const auto runs = world.ledgers.look()->runs(1);
    CHECK(runs.front().attempts.at(0).outcome == row.outcome);
    CHECK(report->error->changed == "perhaps");
    CHECK(applied(world).back() == "0.0.51");
    CHECK(world.done().empty());
    CHECK(world.newest_run() == "failed");
}

TEST_CASE("what passes is tried again, as often as the config says") {
    World world;
    world.publish(for_good("0.0.51").fails(HostPhase::apply, 0, PhaseEnd::transient, 2));
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(applied(world).size() == 3);
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("an upgrade that fails is rolled back, where nothing of it is left then") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b").fails(HostPhase::apply, 6));
    const bool wanted = GENERATE(true, false);
    auto request = World::yes();
    request.roll_back = wanted;
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == (wanted ? 8 : 1));
    CHECK(report->error->changed == (wanted ? "undone" : "perhaps"));
    CHECK(world.file("a") == (wanted ? "old\n" : "old\n0.0.51\n"));
    CHECK(world.newest_run() == (wanted ? "rolled_back" : "failed"));
    if (!wanted) CHECK(has(report->error->message, "its finished steps stay: edit a"));
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.file("a") == "old\n0.0.51\n");
}

TEST_CASE("an automatic rollback that fails is said so, and stands until it is settled") {
    World world;
    auto upgrade = ScriptedUpgrade::of("0.0.51").sets("x", "1").edits("a").reversible();
    upgrade.fails(HostPhase::apply, 5).fails(HostPhase::rollback, 1);
    world.publish(upgrade);
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK(world.newest_run() == "rollback_failed");
    CHECK(has(report->error->message, "it could not be rolled back"));
    CHECK(world.facts().unsettled.size() == 1);
}
