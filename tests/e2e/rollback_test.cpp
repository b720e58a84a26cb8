// SPDX-License-Identifier: Apache-2.0
// What fails is undone where that leaves nothing of it; what is done can be undone later.
#include <signal.h>
#include <sys/stat.h>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

/// A repository that each upgrade of reversible.cpp has something to change in.
void prepare(Sandbox& sandbox) {
    sandbox.write("repository/shared", "shared\n");
    sandbox.write("repository/gone", "gone\n");
    sandbox.write("repository/old", "old\n");
    REQUIRE(::chmod((sandbox.path() / "repository/gone").c_str(), 0750) == 0);
}

runner::Json state(Sandbox& sandbox) {
    return sandbox.run({"state", "show", "-o", "json"}).json();
}

}  // namespace

TEST_CASE("an upgrade that fails is undone, down to the mode of a removed file: exit 8") {
    for (const char* plugin : {"reversible", "files_only"}) {
        INFO(plugin);
        Sandbox sandbox;
        prepare(sandbox);
        sandbox.release_plugin("noop", "0.1.10001");
        sandbox.release_plugin(plugin, "0.1.10002");
        sandbox.release_plugin("noop", "0.1.10003");
        sandbox.write("repository/fail", "");
        const auto before = sandbox.snapshot("repository");
        const auto failed = sandbox.run({"upgrade", "--yes", "-o", "json"});
        CHECK(failed.status == 3);  // its simulation fails already: nothing was changed
        CHECK(sandbox.snapshot("repository") == before);
    }
}

TEST_CASE("a failure after changes is rolled back, and a rerun after mending does it all") {
    for (const char* plugin : {"reversible", "files_only"}) {
        INFO(plugin);
        Sandbox sandbox;
        prepare(sandbox);
        sandbox.release_plugin("noop", "0.1.10001");
        sandbox.release_plugin(plugin, "0.1.10002");
        sandbox.release_plugin("noop", "0.1.10003");
        sandbox.write("repository/fail-for-real", "");
        const auto before = sandbox.snapshot("repository");
        const auto failed = sandbox.run({"upgrade", "--yes", "-o", "json"});
        INFO(failed.err);
        CHECK(failed.status == 8);
        const runner::Json document = failed.json();
        CHECK(document["outcome"] == "rolled_back");
        CHECK(document["error"]["code"] == "rolled_back");
        CHECK(document["error"]["changed"] == "undone");
        CHECK(document["due"][0]["outcome"] == "succeeded");
        CHECK(document["due"][1]["outcome"] == "rolled_back");
        CHECK(document["clusterVersion"] == "0.1.10001");
        CHECK(sandbox.snapshot("repository") == before);
        struct stat status {};
        REQUIRE(::stat((sandbox.path() / "repository/gone").c_str(), &status) == 0);
        CHECK((status.st_mode & 07777U) == 0750);
        CHECK(!sandbox.exists("repository/folder"));
        CHECK(!sandbox.exists("repository/made-0.1.10002"));
        CHECK(state(sandbox)["upgrades"].size() == 1);
        std::filesystem::remove(sandbox.path() / "repository/fail-for-real");
        CHECK(sandbox.upgrade().status == 0);
        CHECK(sandbox.read("repository/shared") == "shared\n0.1.10002\ntwice\n");
    }
}

TEST_CASE("modes are shown before, kept by the upgrade, and come back with the rollback") {
    Sandbox sandbox;
    prepare(sandbox);
    sandbox.write("repository/old", "secret\n");
    std::filesystem::create_directory(sandbox.repository() / "folder");
    const auto chmod = [&](const std::string& path, mode_t mode) {
        REQUIRE(::chmod((sandbox.repository() / path).c_str(), mode) == 0);
    };
    chmod("old", 0600);
    chmod("shared", 0640);
    chmod("folder", 0710);
    sandbox.release_plugin("files_only", "0.1.10001");
    const auto plan = sandbox.run({"upgrade", "--dry-run"});
    CHECK_THAT(plan.out, Contains("diff --git a/moved b/moved\n  new file mode 100600\n"));
    CHECK_THAT(plan.out, Contains("diff --git a/old b/old\n  deleted file mode 100600\n"));
    CHECK_THAT(plan.out, !Contains("old mode"));
    REQUIRE(sandbox.upgrade().status == 0);
    CHECK(sandbox.mode_of("moved") == 0600U);
    CHECK(sandbox.mode_of("shared") == 0640U);
    CHECK(sandbox.run({"verify"}).status == 0);
    const auto shown = sandbox.run({"rollback", "--dry-run"});
    CHECK_THAT(shown.out, Contains("diff --git a/old b/old\n  new file mode 100600\n"));
    REQUIRE(sandbox.run({"rollback", "--yes"}).status == 0);
    CHECK(sandbox.mode_of("old") == 0600U);
    CHECK(sandbox.mode_of("shared") == 0640U);
    CHECK(sandbox.mode_of("folder") == 0710U);  // it was there, and empty
    CHECK(std::filesystem::is_empty(sandbox.repository() / "folder"));
}

TEST_CASE("what cannot be undone keeps its finished steps, and so does --no-auto-rollback") {
    for (const bool told : {false, true}) {
        Sandbox sandbox;
        prepare(sandbox);
        sandbox.release_plugin(told ? "reversible" : "irreversible", "0.1.10002");
        sandbox.write("repository/fail-for-real", "");
        std::vector<std::string> command{"upgrade", "--yes"};
        if (told) command.emplace_back("--no-auto-rollback");
        const auto failed = sandbox.run(command);
        CHECK(failed.status == 1);
        CHECK_THAT(failed.err, Contains("its finished steps stay: one, two"));
        CHECK(sandbox.read("repository/shared") == "shared\n0.1.10002\ntwice\n");
        std::filesystem::remove(sandbox.path() / "repository/fail-for-real");
        CHECK(sandbox.upgrade().status == 0);
        CHECK(sandbox.read("repository/shared") == "shared\n0.1.10002\ntwice\n");
    }
}

TEST_CASE("a rollback that fails says what is left, and a rerun goes on") {
    Sandbox sandbox;
    prepare(sandbox);
    sandbox.release_plugin("reversible", "0.1.10002");
    sandbox.write("repository/fail-for-real", "");
    sandbox.write("repository/fail-undo", "");
    const auto failed = sandbox.run({"upgrade", "--yes", "-o", "json"});
    CHECK(failed.status == 1);
    CHECK(failed.json()["outcome"] == "rollback_failed");
    CHECK_THAT(failed.err,
               Contains("could not be rolled back") && Contains("told to fail its undo"));
    std::filesystem::remove(sandbox.path() / "repository/fail-for-real");
    const auto refused = sandbox.upgrade();
    CHECK(refused.status == 6);
    CHECK_THAT(refused.err, Contains("the rollback of 0.1.10002 failed half-way"));
    CHECK(sandbox.run({"verify"}).status == 6);
    CHECK(sandbox.run({"check"}).status == 6);
    CHECK(sandbox.run({"rollback", "--yes"}).status ==
          3);  // its simulation shows that it fails still
    std::filesystem::remove(sandbox.path() / "repository/fail-undo");
    CHECK(sandbox.run({"rollback", "--yes"}).status == 0);
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10002\ntwice\n");
}

TEST_CASE("a rollback that fails half-way leaves whole steps: those undone run again, once") {
    Sandbox sandbox;
    prepare(sandbox);
    sandbox.release_plugin("reversible", "0.1.10002");
    sandbox.write("repository/fail-for-real", "");
    sandbox.write("repository/fail-first-undo", "");
    const auto failed = sandbox.upgrade();
    CHECK(failed.status == 1);
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10002\n");  // the second is undone
    CHECK(sandbox.read("repository/gone") == "gone\n");
    CHECK(!sandbox.exists("repository/made-0.1.10002"));
    for (const char* file : {"fail-for-real", "fail-first-undo"})
        std::filesystem::remove(sandbox.path() / "repository" / file);
    CHECK(sandbox.run({"rollback", "--yes"}).status == 0);
    CHECK(sandbox.read("repository/shared") == "shared\n");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10002\ntwice\n");
}

TEST_CASE(
    "runner rollback undoes the newest upgrade, then the one before, and they are due again") {
    Sandbox sandbox;
    prepare(sandbox);
    const auto before = sandbox.snapshot("repository");
    sandbox.release_plugin("reversible", "0.1.10001");
    sandbox.release_plugin("files_only", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    const auto after = sandbox.snapshot("repository");

    const auto looked = sandbox.run({"rollback", "--dry-run"});
    CHECK(looked.status == 0);
    CHECK_THAT(looked.out, Contains("-0.1.10002") && Contains("put back"));
    CHECK(sandbox.snapshot("repository") == after);
    CHECK(sandbox.run({"rollback"}).status == 2);  // no terminal, no --yes

    const auto newest = sandbox.run({"rollback", "--yes", "--reason", "does not start"});
    INFO(newest.err);
    CHECK(newest.status == 0);
    CHECK_THAT(newest.out, Contains("The cluster version is now 0.1.10001"));
    CHECK(sandbox.read("repository/shared") == "shared\n0.1.10001\ntwice\n");
    CHECK(state(sandbox)["clusterVersion"] == "0.1.10001");
    const auto history = sandbox.run({"history", "-o", "json"}).json();
    CHECK(history["runs"][0]["command"] == "rollback");
    CHECK(history["runs"][0]["outcome"] == "rolled_back");
    CHECK_THAT(sandbox.run({"history"}).out, Contains("rolled_back"));

    CHECK(sandbox.run({"rollback", "--yes"}).status == 0);
    CHECK(sandbox.snapshot("repository") == before);
    CHECK(!sandbox.exists("repository/made-0.1.10001"));
    CHECK(state(sandbox)["upgrades"].empty());
    CHECK(state(sandbox)["clusterVersion"] == "0.1.0");
    const auto nothing = sandbox.run({"rollback", "--yes"});
    CHECK(nothing.status == 0);
    CHECK_THAT(nothing.out, Contains("Nothing to do"));

    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.snapshot("repository") == after);
    CHECK(sandbox.run({"rollback", "--to", "0.1.0", "--yes"}).status == 0);
    CHECK(sandbox.snapshot("repository") == before);
}

TEST_CASE("a file that was changed by hand since is named, and overwritten only with --force") {
    Sandbox sandbox;
    prepare(sandbox);
    const auto before = sandbox.snapshot("repository");
    sandbox.release_plugin("reversible", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    sandbox.write("repository/shared", "by hand\n");
    const auto refused = sandbox.run({"rollback", "--yes"});
    CHECK(refused.status == 6);
    CHECK_THAT(refused.err, Contains("shared was changed by hand since") && Contains("--force"));
    CHECK(sandbox.read("repository/shared") == "by hand\n");
    CHECK(sandbox.exists("repository/made-0.1.10001"));
    CHECK(sandbox.run({"rollback", "--yes", "--force"}).status == 0);
    CHECK(sandbox.snapshot("repository") == before);
}

TEST_CASE("what cannot be rolled back is refused with the reason and the way out") {
    Sandbox sandbox;
    prepare(sandbox);
    sandbox.release_plugin("irreversible", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    const auto refused = sandbox.run({"rollback", "--yes"});
    CHECK(refused.status == 6);
    CHECK_THAT(refused.err, Contains("does not say that it is reversible") &&
                                Contains("state forget 0.1.10001"));
    CHECK(sandbox.run({"rollback", "--to", "0.0.9", "--yes"}).status == 6);
    CHECK(sandbox.run({"rollback", "--to", "0.1.0.a", "--yes"}).status == 2);
    sandbox.release_plugin("reversible", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    // Its own rollback needs its library, which is neither kept nor released any more.
    std::filesystem::remove_all(sandbox.path() / "state/releases");
    sandbox.remove_release("0.1.10002");
    const auto gone = sandbox.run({"rollback", "--yes"});
    CHECK(gone.status == 3);
    CHECK_THAT(gone.err, Contains("0.1.10002 cannot be rolled back: its release is gone"));
    sandbox.release_plugin("noop", "0.1.10002");
    const auto changed = sandbox.run({"rollback", "--yes"});
    CHECK(changed.status == 3);
    CHECK_THAT(changed.err, Contains("was changed after it was applied"));
    CHECK(sandbox.run({"state", "record", "0.1.10009", "--reason", "by hand"}).status == 0);
    const auto recorded = sandbox.run({"rollback", "--yes"});
    CHECK(recorded.status == 6);
    CHECK_THAT(recorded.err, Contains("was recorded by hand"));
    REQUIRE(sandbox
                .run({"run", TEST_PLUGINS_FOLDER "/reversible.so", "--dry-run=false", "--confirm",
                      "--record"})
                .status == 0);
    const auto from_file = sandbox.run({"rollback", "--yes"});
    CHECK(from_file.status == 6);
    CHECK_THAT(from_file.err,
               Contains("was run from a file") && Contains("runner state forget 0.1.10000"));
}

TEST_CASE("the originals of the newest 100 upgrades are kept, and older ones are said to be gone") {
    Sandbox sandbox;
    for (int i = 10001; i <= 10102; ++i)
        sandbox.release_plugin("files_only", "0.1." + std::to_string(i));
    sandbox.write("repository/shared", "shared\n");
    REQUIRE(sandbox.upgrade().status == 0);
    CHECK_FALSE(sandbox.exists("state/originals/0.1.10002"));
    CHECK(sandbox.exists("state/originals/0.1.10003"));
    CHECK(sandbox.exists("state/originals/0.1.10102"));
    const auto result = sandbox.run({"rollback", "--to", "0.1.10001", "--yes"});
    CHECK(result.status == 6);
    CHECK_THAT(result.err, Contains("0.1.10002 cannot be rolled back: the original of") &&
                               Contains("the newest 100 upgrades"));
}

TEST_CASE("a signal before the first change ends a rollback, and one upgrade by itself: exit 130") {
    Sandbox sandbox;
    CHECK(sandbox.run({"rollback", "--yes"}).out == "Nothing to do.\n");
    sandbox.release_plugin("noop", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    const auto outcome = [&] {
        return sandbox.run({"history", "-o", "json"}).json()["runs"][0]["outcome"];
    };
    REQUIRE(sandbox.run({"state", "lock", "--reason", "maintenance; of the network"}).status == 0);
    const auto waiting = sandbox.start({"rollback", "--yes", "--wait", "10m"});
    REQUIRE(waiting->wait_for_output("waiting up to 10m: the lease is held by"));
    waiting->signal(SIGINT);
    const auto ended = waiting->wait();
    CHECK(ended.status == 130);
    CHECK_THAT(ended.out + ended.err, Contains("maintenance; of the network)\n"));
    REQUIRE(sandbox.run({"state", "unlock"}).status == 0);
    CHECK(outcome() == "succeeded");

    const std::string interrupt = "\x03";
    const auto asked = sandbox.run_on_terminal({"rollback"}, interrupt, "[y/N]");
    CHECK(asked.status == 130);
    CHECK_THAT(asked.out, Contains("interrupted; nothing was changed"));
    CHECK(outcome() == "interrupted");
    CHECK(sandbox.run_on_terminal({"rollback"}, "n\n", "[y/N]").status == 4);
    CHECK(outcome() == "aborted");
    sandbox.release_plugin("noop", "0.1.10002");
    const std::vector<std::string> by_itself{"run", "0.1.10002", "--dry-run=false"};
    CHECK(sandbox.run_on_terminal(by_itself, interrupt, "[y/N]").status == 130);
    CHECK(outcome() == "interrupted");
    const auto declined = sandbox.run_on_terminal(by_itself, "n\n", "[y/N]");
    CHECK(declined.status == 4);
    CHECK(outcome() == "aborted");
    CHECK(state(sandbox)["upgrades"].size() == 1);
}
