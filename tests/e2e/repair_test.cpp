// SPDX-License-Identifier: Apache-2.0
// A ledger with something in it that should not be there: explained, asked about, put right.
#include <SQLiteCpp/SQLiteCpp.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

void release_and_run(Sandbox& sandbox, const std::string& version) {
    sandbox.release_plugin("puppet", version);
    REQUIRE(sandbox.upgrade().status == 0);
}

/// Overwrites every page but the first, as a broken disk would.
void damage(const Sandbox& sandbox) {
    std::fstream file(sandbox.ledger(), std::ios::in | std::ios::out | std::ios::binary);
    const auto size = std::filesystem::file_size(sandbox.ledger());
    file.seekp(4096);
    const std::string garbage(size - 4096, '\x5A');
    file.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
}

}  // namespace

TEST_CASE("with nothing wrong, repair says so and changes nothing") {
    Sandbox sandbox;
    CHECK(sandbox.run({"state", "repair"}).status == 3);  // there is no ledger
    release_and_run(sandbox, "0.1.10001");
    const auto before = sandbox.snapshot("state");
    const auto result = sandbox.run({"state", "repair", "--yes"});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Contains("Nothing is wrong with the ledger."));
    CHECK(sandbox.snapshot("state") == before);
}

TEST_CASE("repair names a rollback that was killed, before any run has been there since") {
    Sandbox sandbox;
    release_and_run(sandbox, "0.1.10001");
    SQLite::Database(sandbox.ledger().string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE attempt SET outcome = NULL, finished_at = NULL, settled = 0, is_undo = 1");
    const auto look = sandbox.run({"state", "repair", "--dry-run"});
    INFO(look.out << look.err);
    CHECK_THAT(look.out, Contains("the rollback of 0.1.10001 was interrupted") &&
                             Contains("undone in part") && Contains("runner rollback"));
}

TEST_CASE("a damaged ledger is named by every command, and a copy takes its place") {
    Sandbox sandbox;
    sandbox.behaviour("all-note");
    for (const char* version : {"0.1.10001", "0.1.10002", "0.1.10003"})
        release_and_run(sandbox, version);
    damage(sandbox);
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"state", "show"}, {"plan"}, {"upgrade", "--yes"}, {"history"}}) {
        const auto result = sandbox.run(command);
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("cannot be used") && Contains("runner state repair"));
    }
    const auto look = sandbox.run({"state", "repair", "--dry-run"});
    CHECK(look.status == 0);
    CHECK_THAT(look.out,
               Contains("is damaged") && Contains("attempted after that copy was made: 0.1.10003"));
    CHECK(sandbox.run({"state", "repair"}).status == 2);  // nobody to ask
    CHECK(sandbox.run_on_terminal({"state", "repair"}, "n\n", "Repair it?").status == 4);
    for (const char* file : {"state/state.db-wal", "state/state.db-shm"}) sandbox.write(file, "x");
    const auto repaired = sandbox.run_on_terminal({"state", "repair"}, "y\n", "Repair it?");
    CHECK(repaired.status == 0);
    CHECK_THAT(repaired.out, Contains("the damaged file is kept"));
    std::set<std::string> aside;  // what belongs to the damaged file must not lie beside the copy
    for (const auto& entry : std::filesystem::directory_iterator(sandbox.path() / "state")) {
        const std::string name = entry.path().filename().string();
        if (name.rfind("state.db.damaged-", 0) == 0)
            aside.insert(entry.path().extension().string());
    }
    CHECK(aside.size() == 3);
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.10002");
    CHECK(sandbox.run({"history", "-o", "json"}).json()["chain"]["intact"] == true);
    // The last one is due again.
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"state", "repair"}).status == 0);
}

TEST_CASE("a damaged ledger without a whole copy says what is left to do") {
    Sandbox sandbox;
    release_and_run(sandbox, "0.1.10001");
    damage(sandbox);
    const auto result = sandbox.run({"state", "repair", "--yes", "-o", "json"});
    CHECK(result.status == 3);
    CHECK(result.json()["damaged"] == true);
    CHECK(result.json()["copy"].is_null());
    CHECK_THAT(result.json()["findings"][0]["remedy"].get<std::string>(),
               Contains("from a backup"));
}

TEST_CASE("what a killed run left is found and put right without running anything") {
    Sandbox sandbox;
    release_and_run(sandbox, "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.behaviour("0.1.10002 hang\n");
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("--- running"));
    const auto meanwhile = sandbox.run({"state", "repair", "--yes"});
    CHECK(meanwhile.status == 3);
    CHECK_THAT(meanwhile.out, Contains("a run is under way"));
    run->signal(SIGKILL);
    run->wait();
    const auto look = sandbox.run({"state", "repair", "--dry-run", "-o", "json"}).json();
    REQUIRE(look["findings"].size() == 2);
    CHECK_THAT(look["findings"][0]["what"].get<std::string>(), Contains("its holder is gone"));
    CHECK(look["findings"][1]["what"] == "a run was interrupted");
    const auto result = sandbox.run({"state", "repair", "--yes"});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Contains("the ledger as it was: "));
    CHECK_THAT(sandbox.run({"state", "repair"}).out, Contains("Nothing is wrong"));
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["unfinishedRun"] == false);
}

TEST_CASE("an attempt that is open though its run is over is closed, and found no more") {
    Sandbox sandbox;
    release_and_run(sandbox, "0.1.10001");
    SQLite::Database(sandbox.ledger().string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE attempt SET outcome = NULL, finished_at = NULL, settled = 0");
    CHECK_THAT(sandbox.run({"state", "repair", "--dry-run"}).out,
               Contains("1 attempt of runs that"));
    CHECK(sandbox.run({"state", "repair", "--yes"}).status == 0);
    CHECK_THAT(sandbox.run({"state", "repair"}).out, Contains("Nothing is wrong"));
}

TEST_CASE("a history that was changed, and rows that name others that are gone, are told") {
    Sandbox sandbox;
    release_and_run(sandbox, "0.1.10001");
    {
        SQLite::Database database(sandbox.ledger().string(), SQLite::OPEN_READWRITE);
        database.exec("UPDATE history SET detail = '{}' WHERE seq = 3");
        database.exec("PRAGMA foreign_keys = OFF");
        database.exec("UPDATE attempt SET run = 'nobody', outcome = NULL");
    }
    const auto result = sandbox.run({"state", "repair", "--yes", "-o", "json"});
    CHECK(result.status == 3);
    const auto findings = result.json()["findings"];
    REQUIRE(findings.size() == 2);
    CHECK(findings[0]["what"] == "1 reference to rows that are gone");
    CHECK_THAT(findings[1]["what"].get<std::string>(), Contains("from event 3 on"));
    CHECK(findings[1]["repairable"] == false);
}

TEST_CASE("what is exported and imported is the same, but for how it is known") {
    Sandbox sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.release_plugin("reversible", "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.release_plugin("puppet", "0.1.10003");
    sandbox.behaviour("0.1.10002 two-steps\n0.1.10003 fail-second\n");
    REQUIRE(sandbox.run({"skip", "0.1.10009", "--reason", "never"}).status == 0);
    CHECK(sandbox.upgrade({"--no-auto-rollback"}).status == 1);
    REQUIRE(sandbox.run({"state", "export", "dump.json"}).status == 0);
    std::filesystem::rename(sandbox.path() / "state", sandbox.path() / "old");
    REQUIRE(sandbox.run({"state", "import", "dump.json"}).status == 0);
    auto before = runner::Json::parse(sandbox.read("dump.json"));
    const auto after = sandbox.run({"state", "export"}).json();
    for (auto& upgrade : before["upgrades"]) {
        CHECK(upgrade["how"] == "upgrade");
        upgrade["how"] = "import";
    }
    CHECK(after == before);
    CHECK(before["steps"].size() == 5);
    CHECK(before["values"].size() == 1);
    CHECK(before["skipped"].size() == 1);
    CHECK(before["pins"].size() == 3);
    CHECK(before["declared"].size() == 3);
}

TEST_CASE("files of a step that died are put back by the next run, also when nothing is due") {
    Sandbox sandbox;
    sandbox.release_plugin("shaky", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    REQUIRE(sandbox.exists("repository/made/0.1.10001"));
    // As a rollback that was killed leaves it, once its run was marked by somebody else.
    SQLite::Database(sandbox.ledger().string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE file_change SET finished = 0 WHERE path = 'made/0.1.10001'");
    CHECK_THAT(sandbox.run({"verify"}).err, Contains("was interrupted"));
    const auto result = sandbox.upgrade();
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    CHECK_FALSE(sandbox.exists("repository/made/0.1.10001"));
    CHECK_THAT(result.out, Contains("put back 1 file that an unfinished step of 0.1.10001"));
    CHECK(sandbox.upgrade().out.find("put back") == std::string::npos);
}
