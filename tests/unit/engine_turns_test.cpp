// SPDX-License-Identifier: Apache-2.0
// Upgrades that stopped half-way and went on in turns, and runs that died in between: what a
// rollback, or the next run, says of them is what is there.
#include "engine/lease_holder.hpp"
#include "engine/standing.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

UpgradeRequest only(const std::string& version) {
    UpgradeRequest request = World::without_rollback();
    request.selection.only = {version};
    return request;
}

/// Changes one file, then another, in a step each.
ScriptedUpgrade in_two_steps(const std::string& version, const std::string& one,
                             const std::string& other) {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version);
    upgrade.step({.id = "one", .edits = {{.path = one, .line = version + " one"}}});
    upgrade.step({.id = "two", .edits = {{.path = other, .line = version + " two"}}});
    return upgrade;
}

constexpr std::size_t k_after_first_step = 5;

Strings versions_of(const std::optional<RunReport>& report) {
    Strings versions;
    for (const PlannedUpgrade& due : report->due) versions.push_back(due.version);
    return versions;
}

bool names_changes(const std::optional<RunReport>& report) {
    return !report->error->changes.files.empty() || !report->error->changes.commands.empty();
}

/// 0.0.52 is blocked, and 0.0.53 needs the version that it would bring.
void publish_chain_with_a_gap(World& world) {
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("g").needs("k", "1"));
    ScriptedUpgrade third = ScriptedUpgrade::of("0.0.53").edits("h");
    third.manifest.minimum_from = "0.0.52";
    world.publish(third);
}

}  // namespace

TEST_CASE("two upgrades that have changed two files in turns are named, and nobody else") {
    World world;
    world.now.files = {{"b", "old\n"}, {"c", "old\n"}};
    world.publish(in_two_steps("0.0.51", "b", "c").fails(HostPhase::apply, k_after_first_step));
    world.publish(in_two_steps("0.0.52", "b", "c"));
    REQUIRE(world.upgrade(only("0.0.51"))->exit_code == 1);
    REQUIRE(world.upgrade(only("0.0.52"))->exit_code == 0);
    REQUIRE(world.upgrade()->exit_code == 0);
    const Surroundings before = world.now;
    const auto report = world.rollback(World::rollback_request("0.0.50"));
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("0.0.51") && Contains("0.0.52") && !Contains("by hand"));
    CHECK_THAT(report->error->next, Contains("undo both by hand"));
    CHECK(world.now == before);
}

TEST_CASE("a half-applied upgrade between two changes of another one is named, and nobody else") {
    World world;
    world.now.files["f"] = "old\n";
    world.publish(in_two_steps("0.0.51", "f", "f").fails(HostPhase::apply, k_after_first_step));
    world.publish(in_two_steps("0.0.52", "f", "g").fails(HostPhase::apply, k_after_first_step));
    REQUIRE(world.upgrade(only("0.0.51"))->exit_code == 1);
    REQUIRE(world.upgrade(only("0.0.52"))->exit_code == 1);
    REQUIRE(world.upgrade(only("0.0.51"))->exit_code == 0);
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("0.0.52 has changed f") && !Contains("by hand"));
}

TEST_CASE("an upgrade is not undone at once over what another one has changed after it") {
    World world;
    world.now.files = {{"b", "old\n"}, {"c", "old\n"}};
    auto upgrade = in_two_steps("0.0.51", "b", "c");
    upgrade.fails(HostPhase::apply, k_after_first_step);
    upgrade.verify = bad(PhaseEnd::failed, "not good");
    world.publish(upgrade);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
    REQUIRE(world.upgrade(only("0.0.51"))->exit_code == 1);
    REQUIRE(world.upgrade(only("0.0.52"))->exit_code == 0);
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report),
               Contains("it was not rolled back: 0.0.51 cannot be rolled back: 0.0.52 "
                        "has changed b after it"));
    CHECK(world.file("b") == "old\n0.0.51 one\n0.0.52\n");
}

TEST_CASE("after a death a dry rollback names what the real one undoes") {
    const bool with_command = GENERATE(false, true);
    die_everywhere(
        [&](World& world) {
            world.now.files["f"] = "old\n";
            world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
            REQUIRE(world.upgrade()->exit_code == 0);
            ScriptedUpgrade next = ScriptedUpgrade::of("0.0.52").edits("f");
            if (with_command) next.sets("x", "1", "0");
            world.publish(next.edits("g"));
        },
        [](World& world) { return world.upgrade().has_value(); },
        [](World& world) {
            RollbackRequest request = World::rollback_request();
            request.dry_run = true;
            const Surroundings before = world.now;
            const auto dry = world.rollback(request);
            CHECK(world.now == before);
            const auto real = world.rollback(World::rollback_request());
            INFO(words(dry) << " / " << words(real));
            CHECK(dry->exit_code == real->exit_code);
            CHECK(versions_of(dry) == versions_of(real));
        });
}

TEST_CASE("what a death has left unfinished is put back by a rollback that finds nothing else") {
    World world;
    world.now.files["f"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    die_at(world, "after file");
    REQUIRE(world.file("f") != "old\n");
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 0);
    CHECK(world.file("f") == "old\n");
}

TEST_CASE("commands of an earlier attempt that nothing undoes are said to stay") {
    World world;
    world.now.outside = {{"x", "0"}, {"y", "0"}};
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51");
    upgrade.sets("x", "1", "0").sets("y", "1", "0").reversible();
    upgrade.fails(HostPhase::apply, 6);  // amid the second step, whose command has run
    world.publish(upgrade);
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    REQUIRE(world.outside("y") == "1");
    world.script("0.0.51").faults = {{HostPhase::apply, 1, PhaseEnd::failed, 1}};
    const auto report = world.upgrade();
    CHECK(report->exit_code == 8);
    CHECK(report->error->changed == "perhaps");
    CHECK_THAT(words(report), Contains("commands that an earlier attempt ran amid a step are not "
                                       "undone: 'runner logs 0.0.51' shows them"));
}

TEST_CASE("what needs a version that a left-out upgrade would have brought is left out, too") {
    World world;
    publish_chain_with_a_gap(world);
    ScriptedUpgrade fourth = ScriptedUpgrade::of("0.0.54").edits("i");
    fourth.manifest.minimum_from = "0.0.51";
    world.publish(fourth);
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    const auto report = world.upgrade(request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.54"});
    CHECK(world.version() == "0.0.51");
    CHECK(
        world.reporter.told("0.0.53 is left out: 0.0.53 needs a cluster that has reached 0.0.52"));
}

TEST_CASE("a changed release is taken when the question was answered, not before") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f").fails(HostPhase::apply, 2));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code != 0);
    ScriptedUpgrade changed = ScriptedUpgrade::of("0.0.51").edits("g");
    changed.content = "2";
    world.publish(changed);
    UpgradeRequest request = World::asking();
    request.accept_changed = {"0.0.51"};
    world.terminal.answer = [](const std::string&) { return std::optional<std::string>("n"); };
    REQUIRE(world.upgrade(request)->exit_code == 4);
    CHECK(world.upgrade()->exit_code == 3);
    world.terminal.answer = nullptr;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a release is kept as long as the originals of its upgrade, and no longer") {
    World world;
    world.now.files["f"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.1.1").edits("f").sets("x", "1", "0").reversible());
    for (int i = 2; i < 120; ++i) {
        const std::string n = std::to_string(i);
        world.publish(ScriptedUpgrade::of("0.1." + n).sets("k" + n, "1").reversible());
    }
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.ledgers.look()->changed_files("0.1.1").front().kept);
    CHECK(world.folder.kept.stored.count(world.script("0.1.1").tag()) == 1);
    CHECK(world.folder.kept.stored.count(world.script("0.1.2").tag()) == 0);
    CHECK(world.folder.kept.stored.size() == 101);
    world.withdraw("0.1.1");
    CHECK(world.rollback(World::rollback_request("0.1.0"))->exit_code == 0);
    CHECK(world.file("f") == "old\n");
}

TEST_CASE("an error amid an attempt names what was changed by then, and what is done") {
    for (const char* point : {"before record_step", "before record_files"}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.50.z"));
        world.publish(ScriptedUpgrade::of("0.0.51").edits("e"));
        world.publish(ScriptedUpgrade::of("0.0.52").edits("f").sets("x", "1").edits("g"));
        world.at(point, 4, fail_disk);
        if (std::string(point) == "before record_files") world.at(point, 3, fail_disk);
        const auto report = world.upgrade(World::without_rollback());
        INFO(point << ": " << words(report));
        REQUIRE(report->exit_code == 1);
        CHECK(names_changes(report));
        CHECK_THAT(words(report), Contains("files changed: f") &&
                                      Contains("commands run: set x 1") &&
                                      Contains("; done: 0.0.51"));
    }
}

TEST_CASE("what ends a run between two upgrades names what is done") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("g"));
    world.at("after record_step", 1, [&] { world.signals.signals = 1; });
    CHECK_THAT(words(world.upgrade()), Contains("none of them begun; done: 0.0.51"));

    World other;
    other.now.files["g"] = "old\n";
    other.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    other.publish(ScriptedUpgrade::of("0.0.52").edits("g"));
    other.terminal.while_asked([&] { other.now.files["g"] = "by a person\n"; });
    const auto report = other.upgrade(World::asking());
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("it was not begun; done: 0.0.51"));
}

TEST_CASE("an undo that asks something is answered by whoever asked for the undo") {
    World world;
    world.terminal.there = false;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("x", "1", "0").reversible();
    upgrade.steps.front().question = "really?";
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
}

TEST_CASE("a lease of another host with a fresh heartbeat is live, whatever runs here") {
    const FakeClock clock;
    LeaseInfo lease = make_lease_owner("run");
    lease.heartbeat_at = clock.wall();
    lease.pid = 999999999;  // no process has it
    CHECK_FALSE(is_live(lease, clock));
    lease.host = "another";
    CHECK(is_live(lease, clock));
    clock.advance(k_lease_expiry);
    CHECK_FALSE(is_live(lease, clock));
}

TEST_CASE("a rollback that finds nothing above its target says what that means for the version") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    UpgradeRequest request = World::yes();
    request.selection.target = "0.0.53";
    REQUIRE(world.upgrade(request)->exit_code == 0);
    REQUIRE(world.version() == "0.0.53");
    CHECK(world.rollback(World::rollback_request("0.0.52"))->exit_code == 0);
    CHECK(world.version() == "0.0.53");
    CHECK(world.reporter.told("nothing that is done is above 0.0.52; the cluster version stays"));
    CHECK(world.rollback(World::rollback_request("0.0.54"))->exit_code == 0);
    CHECK(world.reporter.told("--to 0.0.54 is above the cluster version 0.0.53"));
}

TEST_CASE(
    "a rise of the version is told in the history, and a question that changes none says so") {
    World world;
    UpgradeRequest request = World::yes();
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    REQUIRE(world.upgrade()->exit_code == 0);
    request.selection.target = "0.0.60";
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(world.ledgers.look()->runs(1).front().message ==
          "the cluster version was raised from 0.0.51 to 0.0.60");
    world.publish(ScriptedUpgrade::of("0.0.52.hot").edits("g"));
    REQUIRE(world.upgrade(World::asking())->exit_code == 0);
    CHECK_THAT(
        world.terminal.questions.back(),
        Contains("This will run 1 upgrade on the cluster 'demo'; its version stays 0.0.60."));
}

TEST_CASE("a rollback that failed half-way comes with the recipe by hand") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f").sets("x", "1", "0").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.script("0.0.51").fails(HostPhase::rollback, 2);
    const auto report = world.rollback(World::rollback_request());
    REQUIRE(report->exit_code == 1);
    REQUIRE_FALSE(report->error->commands.empty());
    const Strings& lines = report->error->commands;
    CHECK(count(lines, "# finish its undo, before which nothing else runs") == 1);
}

TEST_CASE("undoing a hotfix leaves the version where it was when the hotfix came") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    world.publish(ScriptedUpgrade::of("0.0.54").edits("g"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52.hot").edits("h"));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 0);
    CHECK(report->cluster_version == "0.0.54");
    CHECK(world.version() == "0.0.54");
    CHECK(world.done() == Strings{"0.0.51", "0.0.54"});
    REQUIRE(world.upgrade()->exit_code == 0);  // it is due again
    CHECK(world.done() == Strings{"0.0.51", "0.0.54", "0.0.52.hot"});
    CHECK(world.rollback(World::rollback_request("0.0.51"))->exit_code == 0);
    CHECK(world.version() == "0.0.51");
}

TEST_CASE("an undo that is refused when it begins leaves why the upgrade failed, and its files") {
    World world;
    world.now.files["f"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f").edits("g").fails(HostPhase::apply, 8));
    world.at("after advance", 2, [&] { world.now.files["f"] = "mine\n"; });  // the undo is opened
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("it could not be rolled back: f was changed by hand since"));
    CHECK_THAT(words(report), Contains("0.0.51: apply failed"));
    CHECK(world.newest_run() == "rollback_failed");
    CHECK(world.file("f") == "mine\n");
    CHECK_FALSE(report->error->commands.empty());
    world.process.at_point = nullptr;
    CHECK_FALSE(is_half_undone(world.facts().unsettled.front()));
}

TEST_CASE("a rollback that ends by an error names the commands that it has run") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1", "0").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.at("before record_step_undone", 1, fail_disk);
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 1);
    CHECK(report->outcome == Outcome::rollback_failed);
    CHECK_THAT(words(report), Contains("the disk is full") && Contains("commands run: set x 0"));
}

TEST_CASE("what requires a left-out upgrade is left out before anything is asked") {
    World world;
    publish_chain_with_a_gap(world);
    ScriptedUpgrade fourth = ScriptedUpgrade::of("0.0.54").edits("i");
    fourth.manifest.needed_upgrades = {"0.0.53"};
    world.publish(fourth);
    UpgradeRequest request = World::yes();
    request.keep_going = request.dry_run = true;
    CHECK(versions_of(world.upgrade(request)) == Strings{"0.0.51"});
    CHECK(world.reporter.told("0.0.54 is left out: blocked: it requires 0.0.53"));
}

TEST_CASE("what is left out as blocked is told with what its author says to do") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("f"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("g")).preflight =
        [](const SeenWorld&) -> Judgement {
        return {PhaseEnd::blocked, "there is no room", "add a disk"};
    };
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(
        world.reporter.told("warning: 0.0.52 is left out: blocked: there is no room; add a disk"));
}
