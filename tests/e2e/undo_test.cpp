// SPDX-License-Identifier: Apache-2.0
// Undo goes in the reverse order of application, is shown and checked as a whole before its first
// effect, and needs no release for what is beside the ledger.
#include "support/catch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

std::vector<std::string> due_of(const runner::Json& document) {
    std::vector<std::string> versions;
    for (const runner::Json& upgrade : document["due"]) versions.push_back(upgrade["version"]);
    return versions;
}

std::vector<std::string> done_of(WorldlySandbox& world) {
    std::vector<std::string> versions;
    const runner::Json state = world.state();
    for (const runner::Json& upgrade : state["upgrades"]) versions.push_back(upgrade["version"]);
    return versions;
}

/// 10001 and 10003 are done, then the late hotfix 10002; all three edit one file.
struct LateHotfix : WorldlySandbox {
    explicit LateHotfix(const std::string& late = "files_only") {
        write("repository/shared", "shared\n");
        release_plugin("files_only", "0.1.10001");
        release_plugin("files_only", "0.1.10003");
        REQUIRE(upgrade().status == 0);
        release_plugin(late, "0.1.10002");
        REQUIRE(upgrade().status == 0);
    }
};

using Versions = std::vector<std::string>;

}  // namespace

TEST_CASE("a rollback undoes first what was applied later to the same files, and it is due again") {
    LateHotfix sandbox;
    const auto before = sandbox.snapshot("repository");
    const auto looked = sandbox.run({"rollback", "--to", "0.1.10002", "--dry-run", "-o", "json"});
    CHECK(looked.status == 0);
    CHECK(due_of(looked.json()) == Versions{"0.1.10002", "0.1.10003"});
    CHECK(sandbox.snapshot("repository") == before);
    const auto result = sandbox.run({"rollback", "--to", "0.1.10002", "--yes"});
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("0.1.10002 is undone first, as it has changed ") &&
                               Contains(" after 0.1.10003; it is due again") &&
                               !Contains("by hand"));
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10001\ntwice\n");
    CHECK(done_of(sandbox) == Versions{"0.1.10001"});
    CHECK(sandbox.state()["clusterVersion"] == "0.1.10002");  // it did not rise for the hotfix
    CHECK(sandbox.run({"verify"}).status == 0);
    // What is done by the ledger is in the file, and the other way round.
    CHECK(due_of(sandbox.run({"plan", "-o", "json"}).json()) == Versions{"0.1.10002", "0.1.10003"});
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/shared") ==
          "shared\n0.1.10001\ntwice\n0.1.10002\ntwice\n0.1.10003\ntwice\n");
}

TEST_CASE("on a terminal it is asked with what would be undone, and a no changes nothing") {
    LateHotfix sandbox;
    const auto before = sandbox.snapshot("repository");
    const auto declined =
        sandbox.run_on_terminal({"rollback", "--to", "0.1.10002"}, "n\n", "[y/N]");
    CHECK(declined.status == 4);
    CHECK_THAT(declined.out,
               Contains("2 upgrades to roll back") && Contains("0.1.10002 is undone first"));
    CHECK(sandbox.snapshot("repository") == before);
    CHECK(done_of(sandbox).size() == 3);
}

TEST_CASE(
    "the newest upgrade is the one that was applied last, not the one of the highest version") {
    LateHotfix sandbox;
    const auto result = sandbox.run({"rollback", "--yes"});
    CHECK(result.status == 0);
    CHECK(done_of(sandbox) == Versions{"0.1.10001", "0.1.10003"});
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10001\ntwice\n0.1.10003\ntwice\n");
}

TEST_CASE("a later upgrade that cannot be undone is named, and nothing is changed") {
    LateHotfix sandbox("irreversible");
    const auto before = sandbox.snapshot("repository");
    for (const char* how : {"--yes", "--dry-run"}) {
        const auto refused = sandbox.run({"rollback", "--to", "0.1.10002", how});
        CHECK(refused.status == 6);
        CHECK_THAT(refused.err, Contains("0.1.10002 cannot be rolled back") &&
                                    Contains("nothing was changed") && !Contains("by hand since"));
        CHECK(sandbox.snapshot("repository") == before);
        CHECK(done_of(sandbox).size() == 3);
    }
}

TEST_CASE(
    "what a person has changed is named as that, in each upgrade, before anything is undone") {
    LateHotfix sandbox;
    // Of the one that would be undone last.
    sandbox.write("repository/folder/0.1.10003/new", "by hand\n");
    const auto before = sandbox.snapshot("repository");
    for (const char* how : {"--dry-run", "--yes"}) {
        const auto refused = sandbox.run({"rollback", "--to", "0.1.10002", how});
        CHECK(refused.status == 6);
        CHECK_THAT(refused.err,
                   Contains("0.1.10003 cannot be rolled back: folder/0.1.10003/new was changed by "
                            "hand since") &&
                       Contains("nothing was changed") && Contains("--force"));
        CHECK(sandbox.snapshot("repository") == before);
        CHECK(done_of(sandbox).size() == 3);
    }
    CHECK(sandbox.run({"rollback", "--to", "0.1.10002", "--yes", "--force"}).status == 0);
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10001\ntwice\n");
}

TEST_CASE("a dry run shows the commands of the undo and the files, newest upgrade first") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v2 v3 blocked\n");
    REQUIRE(world.upgrade().status == 0);
    const auto before = std::pair(world.snapshot("repository"), world.snapshot("state"));
    const auto looked = world.run({"rollback", "--to", "0.1.0", "--dry-run"});
    CHECK(looked.status == 0);
    const std::size_t newer = looked.out.find("would run: world set image v2");
    const std::size_t older = looked.out.find("would run: world set image v1");
    CHECK(newer != std::string::npos);
    CHECK(older != std::string::npos);
    CHECK(newer < older);
    CHECK_THAT(looked.out, Contains("-0.1.10002") && Contains("-0.1.10001"));
    CHECK(std::pair(world.snapshot("repository"), world.snapshot("state")) == before);
    CHECK(world.run({"rollback", "--to", "0.1.0", "--yes"}).status == 0);
    CHECK(world.get("image") == "v1");
    CHECK_FALSE(world.exists("repository/notes"));
}

TEST_CASE("an undo that would fail is found before the first effect, by the dry run and for real") {
    WorldlySandbox world;
    world.write("repository/shared", "shared\n");
    world.release_plugin("reversible", "0.1.10001");
    world.release_plugin("files_only", "0.1.10002");
    REQUIRE(world.upgrade().status == 0);
    world.write("repository/fail-undo", "");
    const auto before = world.snapshot("repository");
    for (const char* how : {"--dry-run", "--yes"}) {
        const auto refused = world.run({"rollback", "--to", "0.1.0", how});
        CHECK(refused.status == 3);
        CHECK_THAT(refused.err, Contains("0.1.10001 cannot be rolled back") &&
                                    Contains("told to fail its undo") &&
                                    Contains("nothing was changed"));
        CHECK(world.snapshot("repository") == before);
        CHECK(done_of(world).size() == 2);
    }
    CHECK(world.run({"verify"}).status == 0);
}

TEST_CASE("a file that is edited while the question of a rollback waits is not overwritten") {
    LateHotfix sandbox;
    std::map<std::string, std::string> before;
    const auto result = sandbox.run_on_terminal({"rollback"}, "y\n", "[y/N]", [&] {
        sandbox.write("repository/shared", "by a person\n");
        before = sandbox.snapshot("repository");
    });
    CHECK(result.status == 3);
    CHECK_THAT(result.out, Contains("changed since it was shown: 0.1.10002 cannot be rolled back: "
                                    "shared was changed by hand since"));
    CHECK(sandbox.snapshot("repository") == before);
    CHECK(done_of(sandbox).size() == 3);
}

TEST_CASE("what changed only files is rolled back without its release, or anything kept of it") {
    LateHotfix sandbox;
    for (const char* version : {"0.1.10001", "0.1.10002", "0.1.10003"})
        sandbox.remove_release(version);
    std::filesystem::remove_all(sandbox.path() / "state/releases");
    std::filesystem::remove_all(sandbox.path() / "cache");
    CHECK(sandbox.run({"rollback", "--to", "0.1.0", "--yes"}).status == 0);
    CHECK(sandbox.read("repository/shared") == "shared\n");
    CHECK(done_of(sandbox).empty());
}

TEST_CASE("a release that has vanished hinders neither the check nor the undo of what is done") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n");
    REQUIRE(world.upgrade().status == 0);
    world.remove_release("0.1.10001");
    std::filesystem::remove_all(world.path() / "cache");
    CHECK(world.run({"verify"}).status == 0);
    world.set("image", "v7");
    CHECK_THAT(world.run({"verify"}).out, Contains("unhealthy: it runs v7"));
    world.set("image", "v2");
    CHECK(world.run({"rollback", "--yes"}).status == 0);
    CHECK(world.get("image") == "v1");
    CHECK_FALSE(world.exists("repository/notes"));
}

TEST_CASE("a kept release that was changed is not run") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n");
    REQUIRE(world.upgrade().status == 0);
    world.remove_release("0.1.10001");
    std::filesystem::remove_all(world.path() / "cache");
    std::size_t archives = 0;
    for (const auto& [name, bytes] : world.snapshot("state/releases")) {
        if (name.find(".tar.gz") == std::string::npos) continue;
        world.write(name, bytes.substr(0, bytes.size() - 1) + "x");
        ++archives;
    }
    REQUIRE(archives == 1);
    const auto result = world.run({"rollback", "--yes"});
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("0.1.10001"));
    CHECK(world.get("image") == "v2");
    CHECK(done_of(world).size() == 1);
}

TEST_CASE("releases are kept as long as originals: those of the newest 100 upgrades") {
    WorldlySandbox world;
    world.write("repository/shared", "shared\n");
    for (int i = 10001; i <= 10102; ++i)
        world.release_plugin("reversible", "0.1." + std::to_string(i));
    REQUIRE(world.upgrade().status == 0);
    for (const char* folder : {"state/releases/", "state/originals/"}) {
        INFO(folder);
        CHECK_FALSE(world.exists(folder + std::string("0.1.10001")));
        CHECK_FALSE(world.exists(folder + std::string("0.1.10002")));
        CHECK(world.exists(folder + std::string("0.1.10003")));
        CHECK(world.exists(folder + std::string("0.1.10102")));
    }
}

TEST_CASE(
    "a file that is undone has its mode, times and, where that is permitted, its owner back") {
    WorldlySandbox world;
    world.write("repository/shared", "shared\n");
    world.release_plugin("files_only", "0.1.10001");
    const std::string path = (world.repository() / "shared").string();
    if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), 12, 34) == 0);
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    const std::array<timespec, 2> times{timespec{1'000'000'000, 5}, timespec{1'000'000'000, 7}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
    struct stat before {};
    REQUIRE(::stat(path.c_str(), &before) == 0);
    REQUIRE(world.upgrade().status == 0);
    REQUIRE(world.read("repository/shared") != "shared\n");
    REQUIRE(world.run({"rollback", "--yes"}).status == 0);
    struct stat after {};
    REQUIRE(::stat(path.c_str(), &after) == 0);
    CHECK(world.read("repository/shared") == "shared\n");
    CHECK(after.st_mode == before.st_mode);
    CHECK(after.st_uid == before.st_uid);
    CHECK(after.st_gid == before.st_gid);
    CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
    CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

TEST_CASE("a folder that somebody replaced by a link is named, and nothing behind it is touched") {
    LateHotfix sandbox;
    const auto there = sandbox.path() / "repository/folder";
    REQUIRE(std::filesystem::is_directory(there));
    std::filesystem::rename(there, sandbox.path() / "elsewhere");
    std::filesystem::create_directory_symlink(sandbox.path() / "elsewhere", there);
    const auto outside = sandbox.snapshot("elsewhere");
    const auto verify = sandbox.run({"verify"});
    CHECK(verify.status == 9);
    CHECK_THAT(verify.out, Contains("folder/") && Contains("changed"));
    for (const bool force : {false, true}) {
        std::vector<std::string> command{"rollback", "--yes"};
        if (force) command.emplace_back("--force");
        const auto result = sandbox.run(command);
        INFO(result.out << result.err);
        CHECK(result.status == 6);
        CHECK_THAT(result.err, Contains("leads through a symbolic link at 'folder'"));
    }
    CHECK(sandbox.snapshot("elsewhere") == outside);
    CHECK(done_of(sandbox).size() == 3);
}

TEST_CASE("a pipe in a file's place hangs nobody, and counts as changed") {
    LateHotfix sandbox;
    const auto file = sandbox.path() / "repository/shared";
    std::filesystem::remove(file);
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    CHECK(sandbox.run({"verify"}).status == 9);
    const auto refused = sandbox.run({"rollback", "--yes"});
    CHECK(refused.status == 6);
    CHECK_THAT(refused.err, Contains("shared was changed by hand since"));
    CHECK(sandbox.run({"rollback", "--yes", "--force"}).status == 0);
    CHECK(std::filesystem::is_regular_file(file));
}
