// SPDX-License-Identifier: Apache-2.0
// What stands in the way of undoing what is done.
#include <algorithm>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/sha256.hpp"
#include "support/two_files.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

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

TEST_CASE("a file whose mode alone somebody changed is named, and put back by force") {
    TwoFiles two;
    const FileIntent change = two.world.ledgers.look()->changed_files("0.0.52").at(0);
    CHECK(change.new_mode == FakeWorkTree::k_mode);
    CHECK(change.old_mode == FakeWorkTree::k_mode);
    two.world.work_tree.modes["conf"] = 0600;
    const auto report = undo(two.world);
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("0.0.52 cannot be rolled back: conf was changed by hand"));
    RollbackRequest request = World::rollback_request();
    request.force = true;
    CHECK(two.world.rollback(request)->exit_code == 0);
    CHECK(two.world.work_tree.modes.empty());
    CHECK(two.world.file("conf") == "old\n");
}

TEST_CASE("states of files are alike when nothing that is known of both differs") {
    const FileState file{runner::sha256("x"), 0644U};
    const FileState other{runner::sha256("y"), 0644U};
    const FileState unknown{file.digest, {}};
    const FileState executable{file.digest, 0755U};
    CHECK(file.is_like(file));
    CHECK(file.is_like(unknown));
    CHECK(unknown.is_like(executable));
    CHECK_FALSE(file.is_like(executable));
    CHECK_FALSE(file.is_like(other));
    CHECK_FALSE(file.is_like({}));
    CHECK(FileState().is_like({}));
}

TEST_CASE("a file that is edited while the question waits is not overwritten") {
    TwoFiles two;
    two.world.terminal.while_asked([&] { two.world.now.files["app"] = "mine\n"; });
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

TEST_CASE("a file that became a folder and a file again is put back in one undo") {
    for (const bool one_upgrade : {true, false}) {
        World world;
        const std::map<std::string, std::string> before{{"d", "old\n"}};
        world.now.files = before;
        std::vector<ScriptedUpgrade> upgrades{ScriptedUpgrade::of("0.0.51")};
        const auto next = [&](const std::string& version, std::vector<FileEdit> files) {
            if (!one_upgrade && version != "0.0.51")
                upgrades.push_back(ScriptedUpgrade::of(version));
            upgrades.back().step({version, std::move(files)});
        };
        next("0.0.51", {{.path = "d", .removes = true}});
        next("0.0.52", {{.path = "d/x/y"}});
        next("0.0.53", {{.path = "d/x/y", .removes = true}});
        next("0.0.54", {{.path = "d"}});
        for (const ScriptedUpgrade& upgrade : upgrades) world.publish(upgrade);
        const auto upgraded = world.upgrade();
        INFO(words(upgraded));
        REQUIRE(upgraded->exit_code == 0);
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
