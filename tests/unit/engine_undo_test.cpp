// SPDX-License-Identifier: Apache-2.0
// Undoing what is done, in which order and what stands in its way.
#include <algorithm>

#include "engine/undo_order.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

std::optional<RunReport> undo(World& world, const std::string& target = "") {
    return world.rollback(World::rollback_request(target));
}

/// What was undone, in order.
Strings undone(const World& world) {
    Strings versions;
    const std::string begin = "rollback begins: ";
    for (const std::string& event : world.reporter.events) {
        if (event.rfind(begin, 0) == 0)
            versions.push_back(
                event.substr(begin.size(), event.find(' ', begin.size()) - begin.size()));
    }
    return versions;
}

/// 0.0.51 edits `app`, 0.0.52 edits `conf`; both are done.
struct TwoFiles {
    World world;
    TwoFiles() {
        world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
        if (world.upgrade()->exit_code != 0) throw std::runtime_error("not done");
        world.stage.phases.clear();
    }
};

}  // namespace

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

// What stands in the way.

TEST_CASE("a file of the second one changed by hand is refused before the first effect") {
    for (const bool dry_run : {false, true}) {
        TwoFiles two;
        two.world.now.files["app"] = "mine\n";
        RollbackRequest request = World::rollback_request("0.0.50");
        request.dry_run = dry_run;
        const auto report = two.world.rollback(request);
        CHECK(report->exit_code == 6);
        CHECK_THAT(words(report),
                   Contains("0.0.51 cannot be rolled back: app was changed by hand"));
        CHECK(two.world.file("conf") == "old\n0.0.52\n");
        CHECK(two.world.done() == Strings{"0.0.51", "0.0.52"});
        CHECK(undone(two.world).empty());
        request.force = true;
        CHECK(two.world.rollback(request)->exit_code == 0);
        CHECK(two.world.file("app") == (dry_run ? "mine\n" : "old\n"));
    }
}

TEST_CASE("a file that somebody put back as it was found is not changed by hand") {
    TwoFiles two;
    two.world.now.files["conf"] = "old\n";
    CHECK(undo(two.world)->exit_code == 0);
    CHECK(two.world.file("conf") == "old\n");
    CHECK(two.world.done() == Strings{"0.0.51"});
}

TEST_CASE("a file that is edited while the question waits is not overwritten") {
    TwoFiles two;
    two.world.terminal.answer = [&](const std::string&) {
        two.world.now.files["app"] = "mine\n";
        return std::optional<std::string>("y");
    };
    RollbackRequest request;
    request.target = "0.0.50";
    const auto report = two.world.rollback(request);
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("changed since it was shown: 0.0.51 cannot be rolled back"));
    CHECK(report->error->changed == "no");
    CHECK(two.world.file("app") == "mine\n");
    CHECK(two.world.file("conf") == "old\n0.0.52\n");
}

TEST_CASE("a missing or damaged original is refused before the first effect") {
    for (const bool damaged : {false, true}) {
        TwoFiles two;
        auto& originals = two.world.work_tree.originals;
        REQUIRE(originals.size() == 2);
        for (auto& [name, text] : originals) {
            if (name.find("0.0.51") != std::string::npos) text = "damaged\n";
        }
        if (!damaged)
            std::erase_if(originals, [](const auto& one) { return one.second == "damaged\n"; });
        const auto report = undo(two.world, "0.0.50");
        CHECK(report->exit_code == 6);
        CHECK_THAT(words(report),
                   Contains("0.0.51 cannot be rolled back: the original of app " +
                            std::string(damaged ? "is not as it was kept" : "cannot be read")));
        CHECK(two.world.file("conf") == "old\n0.0.52\n");
        RollbackRequest request = World::rollback_request("0.0.50");
        request.force = true;  // is for what was changed by hand
        CHECK(two.world.rollback(request)->exit_code == 6);
    }
}

TEST_CASE("a file that cannot be put back is refused before the first effect, also by force") {
    for (const bool force : {false, true}) {
        TwoFiles two;
        two.world.work_tree.read_only = {"app"};
        RollbackRequest request = World::rollback_request("0.0.50");
        request.force = force;
        const auto report = two.world.rollback(request);
        CHECK(report->exit_code == 6);
        CHECK_THAT(words(report), Contains("0.0.51 cannot be rolled back: app cannot be put back"));
        CHECK(two.world.file("conf") == "old\n0.0.52\n");
        CHECK(undone(two.world).empty());
    }
}

TEST_CASE("what stands in the way of a file is named before the first effect, also by force") {
    struct Case {
        std::map<std::string, std::string> files;  ///< made by hand since
        std::string gone;                          ///< by hand
        std::string words;
    };
    const std::vector<Case> cases{
        {{{"dir", "by hand\n"}}, "dir/deep/app", "dir is a file now, not a folder"},
        {{{"dir/deep", "by hand\n"}}, "dir/deep/app", "dir/deep is a file now, not a folder"},
        {{{"dir/deep/app/file", "by hand\n"}}, "dir/deep/app", "a folder is there"},
    };
    for (const Case& one : cases) {
        for (const bool dry : {false, true}) {
            CAPTURE(one.words, dry);
            World world;
            world.now.files = {{"dir/deep/app", "old\n"}, {"conf", "old\n"}};
            world.publish(ScriptedUpgrade::of("0.0.51").edits("dir/deep/app"));
            world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
            REQUIRE(world.upgrade()->exit_code == 0);
            world.now.files.erase(one.gone);
            world.now.files.insert(one.files.begin(), one.files.end());
            RollbackRequest request = World::rollback_request("0.0.50");
            request.force = true;
            request.dry_run = dry;
            const auto report = world.rollback(request);
            CHECK(report->exit_code == 6);
            CHECK_THAT(words(report), Contains("dir/deep/app cannot be put back: " + one.words));
            CHECK(world.file("conf") == "old\n0.0.52\n");
        }
    }
}

TEST_CASE("a file that has become a folder is put back, and a folder that has become a file") {
    for (const bool one_upgrade : {true, false}) {
        World world;
        const std::map<std::string, std::string> before{
            {"app", "old\n"}, {"dir/a", "old\n"}, {"dir/b", "old\n"}};
        world.now.files = before;
        ScriptedUpgrade first = ScriptedUpgrade::of("0.0.51");
        first.step({"go",
                    {{.path = "app", .removes = true},
                     {.path = "dir/a", .removes = true},
                     {.path = "dir/b", .removes = true}}});
        ScriptedUpgrade second = ScriptedUpgrade::of("0.0.52");
        (one_upgrade ? first : second).edits("app/new/x").edits("dir");
        world.publish(first);
        if (!one_upgrade) world.publish(second);
        const auto upgraded = world.upgrade();
        INFO(words(upgraded));
        REQUIRE(upgraded->exit_code == 0);
        REQUIRE(world.now.files.count("app/new/x") == 1);
        REQUIRE(world.now.files.count("dir") == 1);
        const auto report = undo(world, "0.0.50");
        INFO(words(report));
        CHECK(report->exit_code == 0);
        CHECK(world.now.files == before);
    }
}

TEST_CASE("what was recorded by hand cannot be undone") {
    TwoFiles two;
    DoneRecord record;
    record.version = "0.0.53";
    record.how = "record";
    two.world.ledgers.open()->record_done(record, "erna", "by hand");
    const auto report = undo(two.world);
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("0.0.53") && Contains("it was recorded by hand ('record')"));
    CHECK(two.world.done().size() == 3);
}

TEST_CASE("what ran commands and is not reversible, or is executable, cannot be undone") {
    for (const bool executable : {false, true}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("image", "v1");
        if (executable) upgrade.executable();
        world.publish(upgrade);
        REQUIRE(world.upgrade()->exit_code == 0);
        const auto report = undo(world);
        CHECK(report->exit_code == 6);
        CHECK_THAT(words(report), Contains("0.0.51 cannot be rolled back"));
        CHECK(world.outside("image") == "v1");
    }
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
