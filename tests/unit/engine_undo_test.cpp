// SPDX-License-Identifier: Apache-2.0
// Undoing what is done, and in which order.
#include <algorithm>

#include "engine/undo_order.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/two_files.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

// Which, and in which order.

TEST_CASE("rollback undoes the newest one, and to a version all above it") {
    TwoFiles two;
    CHECK(undo(two.world)->exit_code == 0);
    CHECK(undone(two.world) == Strings{"0.0.52"});
    CHECK(two.world.done() == Strings{"0.0.51"});
    CHECK(two.world.version() == "0.0.51");
    CHECK(two.world.file("conf") == "old\n");

    TwoFiles all;
    const auto report = undo(all.world, "0.0.50");
    CHECK(report->exit_code == 0);
    CHECK(report->outcome == Outcome::rolled_back);
    CHECK(undone(all.world) == Strings{"0.0.52", "0.0.51"});
    CHECK(all.world.done().empty());
    CHECK(all.world.version() == "0.0.50");
    CHECK(all.world.now.files ==
          std::map<std::string, std::string>{{"app", "old\n"}, {"conf", "old\n"}});
    CHECK(all.world.newest_run() == "rolled_back");
    CHECK(undo(all.world)->outcome == Outcome::nothing_to_do);
}

TEST_CASE("a target below the original version is refused") {
    TwoFiles two;
    CHECK(undo(two.world, "0.0.49")->exit_code == 6);
    CHECK(undo(two.world, "nonsense")->exit_code == 2);
    CHECK(two.world.done().size() == 2);
}

TEST_CASE("what touched the same file later is undone first, whatever its version") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52.cc").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.file("app") == "old\n0.0.51\n0.0.53\n0.0.52.cc\n");
    const auto report = undo(world, "0.0.52");
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.52.cc", "0.0.53"});
    CHECK(world.file("app") == "old\n0.0.51\n");
    CHECK(world.version() == "0.0.52");  // it did not rise for the hotfix, and does not fall for it
    CHECK(world.reporter.told("0.0.52.cc is undone first, as it has changed app after 0.0.53"));
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.file("app") == "old\n0.0.51\n0.0.52.cc\n0.0.53\n");
}

TEST_CASE("what has to go before another one goes before it, however many there are") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    for (const char* version : {"0.0.51.a", "0.0.52.b"}) {
        world.publish(ScriptedUpgrade::of(version).edits("app"));
        REQUIRE(world.upgrade()->exit_code == 0);
    }
    std::vector<UpgradeInRun> candidates;
    for (const char* version : {"0.0.53", "0.0.51.a", "0.0.52.b"}) {
        candidates.emplace_back();
        candidates.back().version = version;
    }
    const auto ledger = world.ledgers.look();
    const UndoOrder order = order_to_undo(*ledger, candidates, {"0.0.53"});
    CHECK(order.versions == Strings{"0.0.52.b", "0.0.51.a", "0.0.53"});
}

TEST_CASE("what touched other files later stays") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52.cc").edits("conf"));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(undo(world, "0.0.52")->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.53"});
    CHECK(world.done() == Strings{"0.0.52.cc"});
}

TEST_CASE("what requires it is undone with it, and before it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    ScriptedUpgrade dependent = ScriptedUpgrade::of("0.0.51.b").edits("conf");
    dependent.manifest.needed_upgrades = {"0.0.52"};
    world.publish(dependent);
    ScriptedUpgrade further = ScriptedUpgrade::of("0.0.51.c").edits("other");
    further.manifest.needed_upgrades = {"0.0.51.b"};
    world.publish(further);
    const auto upgraded = world.upgrade();
    INFO(words(upgraded));
    REQUIRE(upgraded->exit_code == 0);
    CHECK(undo(world, "0.0.51")->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.51.c", "0.0.51.b", "0.0.52"});
    CHECK(world.done().empty());
    CHECK(world.version() == "0.0.51");
}

TEST_CASE("what is half applied is undone first, and the version stays") {
    TwoFiles two;
    World& world = two.world;
    world.publish(
        ScriptedUpgrade::of("0.0.53").edits("app").edits("conf").fails(HostPhase::apply, 6));
    UpgradeRequest request = World::yes();
    request.roll_back = false;
    REQUIRE(world.upgrade(request)->exit_code == 1);
    REQUIRE(world.file("app") == "old\n0.0.51\n0.0.53\n");
    CHECK(undo(world)->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.53"});
    CHECK(world.file("app") == "old\n0.0.51\n");
    CHECK(world.version() == "0.0.52");
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

TEST_CASE("what is half applied goes with every rollback to a version") {
    TwoFiles two;
    World& world = two.world;
    world.publish(ScriptedUpgrade::of("0.0.53").edits("x").edits("y").fails(HostPhase::apply, 6));
    UpgradeRequest request = World::yes();
    request.roll_back = false;
    REQUIRE(world.upgrade(request)->exit_code == 1);
    CHECK(undo(world, "0.0.51")->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.53", "0.0.52"});
    CHECK(world.file("x") == "-");
    CHECK(world.version() == "0.0.51");
}

TEST_CASE("undoing what is half applied lowers no version that rose by itself") {
    TwoFiles two;
    World& world = two.world;
    UpgradeRequest request = World::yes();
    request.roll_back = false;
    request.selection.target = "0.0.60";
    REQUIRE(world.upgrade(request)->exit_code == 0);
    REQUIRE(world.version() == "0.0.60");
    world.publish(ScriptedUpgrade::of("0.0.53").edits("x").edits("y").fails(HostPhase::apply, 6));
    REQUIRE(world.upgrade(request)->exit_code == 1);
    CHECK(undo(world)->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.53"});
    CHECK(world.file("x") == "-");
    CHECK(world.version() == "0.0.60");
}

TEST_CASE("what is half applied waits for the undo of what changed its files after it") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(
        ScriptedUpgrade::of("0.0.52").edits("app").edits("conf").fails(HostPhase::apply, 6));
    UpgradeRequest request = World::yes();
    request.roll_back = false;
    REQUIRE(world.upgrade(request)->exit_code == 1);
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    request.selection.only = {"0.0.51"};
    REQUIRE(world.upgrade(request)->exit_code == 0);
    REQUIRE(world.file("app") == "old\n0.0.52\n0.0.51\n");
    const auto report = undo(world);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.51", "0.0.52"});
    CHECK(world.file("app") == "old\n");
}

// Releases.

namespace {

World& with_reversible(World& world) {
    world.now.files["app"] = "old\n";
    world.publish(
        ScriptedUpgrade::of("0.0.51").sets("image", "v1", "v0").edits("app").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.folder.kept.stored.size() == 1);
    world.source.fetched.clear();
    world.source.lists = 0;
    return world;
}

}  // namespace

TEST_CASE("what is kept beside the ledger undoes an upgrade whose release is gone") {
    World world;
    with_reversible(world).withdraw("0.0.51");
    const auto report = undo(world);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.outside("image") == "v0");
    CHECK(world.file("app") == "old\n");
    CHECK(world.source.fetched.empty());
}

TEST_CASE("what is kept and damaged gives way to the source") {
    const std::string damaged = GENERATE("", ".tar.gz");  // all of it, or the archive alone
    World world;
    with_reversible(world);
    for (auto& [name, bytes] : world.folder.kept.stored.begin()->second.files) {
        const bool is_meant = name.find(damaged) != std::string::npos;
        if (is_meant && name.find(".sha256") == std::string::npos && bytes.size() > 10)
            bytes[5] ^= 1;
    }
    const auto report = undo(world);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.outside("image") == "v0");
    CHECK_FALSE(world.source.fetched.empty());
}

TEST_CASE("what is kept of another digest than what was applied gives way to the source") {
    World world;
    with_reversible(world);
    ScriptedUpgrade other = world.script("0.0.51");
    other.content = "2";
    world.folder.kept.publish(other);
    const auto report = undo(world);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.outside("image") == "v0");
    CHECK_FALSE(world.source.fetched.empty());
}

TEST_CASE("what is kept of an upgrade that is half applied stays, however much is kept") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.52").sets("a", "1").sets("b", "1").reversible().fails(
        HostPhase::apply, 5));
    UpgradeRequest request = World::yes();
    request.roll_back = false;
    REQUIRE(world.upgrade(request)->exit_code == 1);
    REQUIRE(world.folder.kept.stored.count("0.0.52") == 1);
    for (int i = 0; i < 100; ++i) world.folder.kept.stored["old-" + std::to_string(i)];
    world.publish(ScriptedUpgrade::of("0.0.51").edits("conf"));
    request.selection.only = {"0.0.51"};
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(world.folder.kept.stored.size() == 1);
    CHECK(world.folder.kept.stored.count("0.0.52") == 1);
}

TEST_CASE("without its release an upgrade with an undo of its own is not begun to be undone") {
    World world;
    with_reversible(world).withdraw("0.0.51");
    world.folder.kept.stored.clear();
    const auto report = undo(world);
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("its release is gone from the source"));
    CHECK(world.outside("image") == "v1");
}

TEST_CASE("a release that was changed after it was applied undoes nothing") {
    World world;
    with_reversible(world);
    world.folder.kept.stored.clear();
    ScriptedUpgrade other = world.script("0.0.51");
    other.content = "2";
    world.publish(other);
    const auto report = undo(world);
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("its release was changed after it was applied"));
    CHECK(world.outside("image") == "v1");
}

TEST_CASE("what changed only files is undone without a release") {
    TwoFiles two;
    two.world.withdraw("0.0.51");
    two.world.withdraw("0.0.52");
    two.world.source.fetched.clear();
    CHECK(undo(two.world, "0.0.50")->exit_code == 0);
    CHECK(two.world.source.fetched.empty());
    CHECK(two.world.stage.phases.empty());
    CHECK(two.world.done().empty());
}

// Going wrong.

TEST_CASE("a rollback that failed half-way stops everything until it is finished") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1").reversible().fails(
        HostPhase::rollback, 4));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    const auto failed = undo(world);
    CHECK(failed->exit_code == 1);
    CHECK(failed->outcome == Outcome::rollback_failed);
    CHECK(failed->error->changed == "perhaps");
    CHECK(world.newest_run() == "rollback_failed");
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.outside("b").empty());
    CHECK(world.outside("a") == "1");
    CHECK(world.upgrade()->exit_code == 6);
    CHECK_THROWS_AS(run_verify(world.parts(), {}), Error);
    CHECK(undo(world)->exit_code == 0);
    CHECK(world.outside("a").empty());
    CHECK(world.stage.effects["0.0.51: set b "] == 1);
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

TEST_CASE("a rollback that fails at the second one keeps the first undone") {
    World world;
    world.publish(
        ScriptedUpgrade::of("0.0.51").sets("a", "1").reversible().fails(HostPhase::rollback, 0));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = undo(world, "0.0.50");
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.51 could not be rolled back") &&
                                  Contains("1 upgrade before it rolled back"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.version() == "0.0.51");
    CHECK(report->cluster_version == "0.0.51");
    CHECK(world.told_too_early.empty());
}

TEST_CASE("a rollback that stops at a file changed meanwhile says what was undone before it") {
    for (const int at : {1, 2}) {
        TwoFiles two;
        World& world = two.world;
        world.at("after advance", at,
                 [&] { world.now.files[at == 1 ? "conf" : "app"] = "mine\n"; });
        const auto report = undo(world, "0.0.50");
        INFO(words(report));
        CHECK(report->exit_code == (at == 1 ? 6 : 1));
        CHECK(report->outcome == Outcome::failed);
        CHECK(report->error->changed == (at == 1 ? "no" : "perhaps"));
        CHECK(world.done() == (at == 1 ? Strings{"0.0.51", "0.0.52"} : Strings{"0.0.51"}));
        CHECK(world.file(at == 1 ? "conf" : "app") == "mine\n");
    }
}

TEST_CASE("a rollback can die between any two effects, and the next one goes on") {
    die_everywhere(
        [](World& world) {
            world.now.files["app"] = "old\n";
            world.publish(ScriptedUpgrade::of("0.0.51").edits("app").sets("a", "1").reversible());
            world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
            REQUIRE(world.upgrade()->exit_code == 0);
        },
        [](World& world) { return undo(world, "0.0.50"); },
        [](World& world) {
            const auto report = undo(world, "0.0.50");
            INFO(words(report));
            REQUIRE(report->exit_code == 0);
            REQUIRE(world.done().empty());
            REQUIRE(world.file("app") == "old\n");
            REQUIRE(world.outside("a").empty());
            REQUIRE(world.version() == "0.0.50");
        });
}

TEST_CASE("a dry rollback shows commands and files, and changes nothing") {
    World world;
    with_reversible(world);
    const Surroundings before = world.now;
    RollbackRequest request;
    request.dry_run = true;
    const auto report = world.rollback(request);
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("would run: set image v0"));
    CHECK(world.reporter.told("diff: "));
    CHECK(world.now == before);
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.terminal.questions.empty());
    world.script("0.0.51").fails(HostPhase::simulate_rollback, 1);
    CHECK(world.rollback(request)->exit_code == 3);
}

TEST_CASE("a rollback is asked for, and no leaves everything as it is") {
    TwoFiles two;
    two.world.terminal.answer = [](const std::string&) { return std::optional("n"); };
    CHECK(two.world.rollback(RollbackRequest{})->exit_code == 4);
    REQUIRE(two.world.terminal.questions.size() == 1);
    CHECK_THAT(two.world.terminal.questions[0],
               Contains("roll the cluster 'demo' back to 0.0.51."));
    CHECK(two.world.done().size() == 2);
}

TEST_CASE("by force a file that was changed by hand is put back, also after an undo of its own") {
    World world;
    world.now.files["app"] = "old\n";
    world.now.outside["x"] = "0";
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("x", "1", "0");
    upgrade.step({.id = "", .edits = {{.path = "app", .line = "x"}}});  // outside of its steps
    upgrade.reversible();
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    world.now.files["app"] = "by hand\n";
    CHECK(undo(world)->exit_code == 6);
    RollbackRequest request = World::rollback_request();
    request.force = true;
    const auto report = world.rollback(request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.file("app") == "old\n");
    CHECK(world.outside("x") == "0");
}

TEST_CASE("a run that died is told to end before the next one begins") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    die_at(world, "after file");
    world.process.start();
    world.reporter.events.clear();
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.told("moved: applying to interrupted"));
}
