// SPDX-License-Identifier: Apache-2.0
// Disks that are full, refuse, lie or break in the middle: every call of the real program that
// changes something on disk fails once, is torn once, and is once the last thing that it does.
// Whatever happens, a plain rerun ends where an undisturbed run ends.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

const std::string k_all = "write+sync+rename+unlink+mkdir+create";

/// Three upgrades to run, again and again.
struct Disturbed : Sandbox {
    Disturbed() {
        release_plugin("puppet", "0.1.10001");
        release_plugin("files_only", "0.1.10002");
        release_plugin("puppet", "0.1.10003");
        reset();
        REQUIRE(upgrade().status == 0);
        expected = snapshot("repository");
    }

    /// As before the first run.
    void reset() const {
        std::filesystem::remove_all(path() / "state");
        std::filesystem::remove_all(repository());
        behaviour("0.1.10001 two-steps\n0.1.10003 note\n");
        write("repository/shared", "shared\n");
        write("repository/gone", "gone\n");
        write("repository/old", "old\n");
    }

    /// What must hold after a disturbed run, and after the plain one that follows.
    void check_and_finish(const test::ProgramResult& result, bool killed) {
        INFO(result.out << result.err);
        if (killed) {
            CHECK((result.status == 128 + SIGKILL || result.status == 0));
        } else {
            CHECK((result.status == 0 || result.status == 1 || result.status == 3 ||
                   result.status == 8));
            if (result.status != 0) CHECK_THAT(result.err, Contains("error: "));
        }
        const auto rerun = upgrade();
        INFO(rerun.out << rerun.err);
        CHECK(rerun.status == 0);
        const auto files = snapshot("repository");
        for (const auto& [name, content] : files) {
            INFO(name);
            CHECK(expected.count(name) == 1);
        }
        CHECK((files == expected));
        const auto state = run({"state", "show", "-o", "json"}).json();
        CHECK(state["upgrades"].size() == 3);
        CHECK(state["clusterVersion"] == "0.1.10003");
        CHECK(state["unfinishedRun"] == false);
        CHECK(run({"history", "-o", "json"}).json()["chain"]["intact"] == true);
        CHECK_THAT(upgrade().out, Contains("Nothing to do"));
    }

    /// The nth call for n = first, first + stride, … until a run is no longer disturbed.
    void sweep(const std::string& calls_named, const std::string& how, std::size_t first,
               std::size_t stride) {
        const bool kills = (how == "torn" || how == "before" || how == "after") &&
                           environment.count("RUNNER_FAULT_IN_HOST") == 0;
        std::size_t disturbed = 0;
        for (std::size_t at = first;; at += stride) {
            CAPTURE(calls_named, how, at);
            reset();
            const auto result = run_with_fault({"upgrade", "--yes"},
                                               calls_named + ':' + how + ':' + std::to_string(at));
            if (counted_calls() < at) break;
            ++disturbed;
            check_and_finish(result, kills);
        }
        CHECK(disturbed > 3);
    }

    static void in_file_process(const std::string& how) {
        constexpr std::size_t k_stride = 4;
        Disturbed disturbed;
        disturbed.environment["RUNNER_FAULT_IN_HOST"] = "1";
        disturbed.sweep(k_all, how, 1, k_stride);
    }

    std::map<std::string, std::string> expected;
};

/// One upgrade that changes files is done.
struct Upgraded : Sandbox {
    Upgraded() {
        write("repository/shared", "shared\n");
        write("repository/gone", "gone\n");
        release_plugin("files_only", "0.1.10001");
        before = snapshot("repository");
        REQUIRE(upgrade().status == 0);
    }
    std::map<std::string, std::string> before;
};

}  // namespace

TEST_CASE("a full disk at every call: a clear error, nothing lost, a rerun finishes") {
    Disturbed().sweep(k_all, "ENOSPC", 1, 3);
}
TEST_CASE("a failing fsync at every call: nothing that was not synced counts as done") {
    Disturbed().sweep("sync", "EIO", 1, 1);
}
TEST_CASE("a disk that turns read-only: a clear error, a rerun finishes") {
    Disturbed().sweep(k_all, "EROFS", 2, 3);
}
TEST_CASE("a write that is torn by the end of the process, at every write") {
    Disturbed().sweep("write", "torn", 1, 2);
}
TEST_CASE("killed before every commit, rename and file that is made") {
    Disturbed().sweep("sync+rename+create+unlink", "before", 1, 1);
}
TEST_CASE("killed after every commit, rename and file that is made") {
    Disturbed().sweep("sync+rename+create+unlink", "after", 1, 1);
}

TEST_CASE("the process that changes files is killed before many of its calls") {
    Disturbed::in_file_process("before");
}
TEST_CASE("the process that changes files is killed after many of its calls") {
    Disturbed::in_file_process("after");
}
TEST_CASE("the disk of the process that changes files is full at many of its calls") {
    Disturbed::in_file_process("ENOSPC");
}

TEST_CASE("an undo that dies leaves no file beside those that it puts back") {
    std::size_t died = 0;
    for (int at = 1; at < 30; ++at) {
        Upgraded world;
        const auto killed = world.run_with_fault(
            {"rollback", "--yes"}, "rename:before:" + std::to_string(at) + ":repository");
        if (killed.status == 0) break;
        ++died;
        CHECK(world.run({"rollback", "--yes"}).status == 0);
        CHECK(world.snapshot("repository") == world.before);
    }
    CHECK(died > 0);
}

TEST_CASE("without the repository nothing is put back, and nothing is forgotten") {
    for (const bool died : {false, true}) {
        CAPTURE(died);
        Upgraded world;
        if (died)
            REQUIRE(
                world.run_with_fault({"rollback", "--yes"}, "rename:before:1:repository").status ==
                128 + SIGKILL);
        std::filesystem::rename(world.repository(), world.path() / "elsewhere");
        const auto without = world.run({"rollback", "--yes"});
        INFO(without.out << without.err);
        CHECK(without.status != 0);
        CHECK_THAT(without.err, Contains("cannot open the folder"));
        std::filesystem::rename(world.path() / "elsewhere", world.repository());
        const auto back = world.run({"rollback", "--yes"});
        INFO(back.out << back.err);
        CHECK(back.status == 0);
        CHECK(world.snapshot("repository") == world.before);
    }
}

TEST_CASE(
    "a file that becomes a folder, disturbed at every call, is there in the end, or put back") {
    for (const char* how : {"before", "after", "ENOSPC"}) {
        for (const char* command : {"upgrade", "rollback"}) {
            const bool undo = std::string_view(command) == "rollback";
            std::size_t disturbed = 0;
            for (int at = 1; at < 60; ++at) {
                CAPTURE(how, command, at);
                Sandbox world;
                world.write("repository/shared", "shared\n");
                world.write("repository/turns", "a file\n");
                world.release_plugin("files_only", "0.1.10001");
                const auto before = world.snapshot("repository");
                if (undo) REQUIRE(world.upgrade().status == 0);
                // Upgrades' files are changed by a process of their own.
                if (!undo) world.environment["RUNNER_FAULT_IN_HOST"] = "1";
                const auto result = world.run_with_fault(
                    {command, "--yes"}, std::string("mkdir+rename+create") +
                                            (std::string_view(how) == "ENOSPC" ? ":" : "+unlink:") +
                                            how + ':' + std::to_string(at) + ":repository");
                if (world.counted_calls() < static_cast<std::size_t>(at)) break;
                ++disturbed;
                const auto rerun = world.run({command, "--yes"});
                INFO(result.err << rerun.out << rerun.err);
                CHECK(rerun.status == 0);
                CHECK(std::filesystem::is_directory(world.repository() / "turns") != undo);
                if (undo) CHECK(world.snapshot("repository") == before);
            }
            CHECK(disturbed > 2);
        }
    }
}
