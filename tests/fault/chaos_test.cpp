// SPDX-License-Identifier: Apache-2.0
// Seeded chaos with the real program: upgrades and rollbacks that fail, are killed at commits, run
// into full disks, jumping clocks, stolen leases and each other, while releases come. After each:
// what the ledger says is what the repository holds. At the end a plain run brings everything in
// order.
#include <SQLiteCpp/SQLiteCpp.h>
#include <signal.h>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>

#include "support/catch.hpp"
#include "support/moves.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

constexpr int k_operations = 100;

class Chaos : public Sandbox {
 public:
    explicit Chaos(unsigned seed) : m_random(seed) {
        for (int i = 0; i < 3; ++i) publish();
    }

    void one_operation() {
        if (pick(3) == 0) publish();
        switch (pick(14)) {
            case 0:
                note("upgrade", run({"upgrade", "--yes", "--events", "events.jsonl"}).status);
                break;
            case 1:
                note("upgrade, kept",
                     run({"upgrade", "--yes", "--no-auto-rollback", "--soak", "1ms"}).status);
                break;
            case 2:
            case 3:
                note("upgrade, killed", disturbed({"upgrade", "--yes"}, true));
                break;
            case 4:
                note("upgrade, disk", disturbed({"upgrade", "--yes"}, false));
                break;
            case 5:
                note("rollback", run({"rollback", "--yes"}).status);
                break;
            case 6:
                note("rollback, killed", disturbed({"rollback", "--yes"}, true));
                break;
            case 7:
                publish();
                break;
            case 8:
                misbehave();
                break;
            case 9:
                behaviour("");
                break;
            case 10:
                interrupt();
                break;
            case 11:
                second_runner();
                break;
            case 12:
                note("upgrade, clock",
                     run_with_fault({"upgrade", "--yes"}, "", (pick(2000) - 1000) * 3600L).status);
                break;
            default:
                steal_lease();
                break;
        }
    }

    /// What must hold after every operation.
    void check() {
        INFO(m_story.str());
        const auto state = run({"state", "show", "-o", "json"});
        REQUIRE(state.status == 0);
        const runner::Json document = state.json();
        const std::vector<std::string> order = lines();
        CHECK(std::set<std::string>(order.begin(), order.end()).size() == order.size());
        // What a rollback has begun and not finished may be there or not.
        std::set<std::string> half_undone;
        for (const runner::Json& one : document["unsettled"]) half_undone.insert(one["version"]);
        for (const runner::Json& upgrade : document["upgrades"]) {
            const std::string version = upgrade["version"];
            if (half_undone.count(version) != 0) continue;
            CAPTURE(version);
            CHECK(std::find(order.begin(), order.end(), version) != order.end());
            CHECK(exists("repository/made/" + version));
        }
        if (document["upgrades"].empty() && document["cluster"].is_null()) return;
        const auto history = run({"history", "-o", "json"}).json();
        CHECK(history["chain"]["intact"] == true);
        for (std::size_t i = 1; i < history["runs"].size(); ++i)
            CHECK_FALSE(history["runs"][i]["outcome"].is_null());  // at most the newest is open
    }

    /// A plain run brings everything in order, once a rollback that died is finished.
    void finish() {
        INFO(m_story.str());
        behaviour("");
        auto result = upgrade({"--events", "events.jsonl"});
        if (result.status == 6) {
            CHECK_THAT(result.err, Contains("undone in part") && Contains("runner rollback"));
            CHECK(run({"verify"}).status == 6);
            const auto finished = run({"rollback", "--yes", "--events", "events.jsonl"});
            INFO(finished.out << finished.err);
            CHECK(finished.status == 0);
            result = upgrade({"--events", "events.jsonl"});
        }
        INFO(result.out << result.err);
        CHECK(result.status == 0);
        check();
        std::vector<std::string> order = lines();
        std::sort(order.begin(), order.end());
        CHECK(order == std::vector<std::string>(m_released.begin(), m_released.end()));
        const auto state = run({"state", "show", "-o", "json"}).json();
        CHECK(state["upgrades"].size() == m_released.size());
        CHECK(state["clusterVersion"] == *m_released.rbegin());
        CHECK(state["unfinishedRun"] == false);
        CHECK(state["lease"].is_null());
        const auto verified = run({"verify"});
        CHECK(verified.status == 0);
        for (const auto& [name, content] : snapshot("repository"))
            CHECK_THAT(name, !Contains(".upgrade-"));
    }

 private:
    int pick(int count) { return static_cast<int>(m_random() % static_cast<unsigned>(count)); }

    void note(const std::string& what, int status) {
        m_story << what << ": " << status << '\n';
        const std::set<int> known{0, 1, 3, 5, 6, 8, 130, 128 + SIGKILL};
        INFO(m_story.str());
        CHECK(known.count(status) == 1);
    }

    /// The next one, or a late one between two others.
    void publish() {
        const bool late = m_newest > 0 && pick(4) == 0;
        const int number = late ? 10000 + 10 * (1 + pick(m_newest)) + 5 : 10000 + 10 * ++m_newest;
        const std::string version = "0.1." + std::to_string(number);
        if (!m_released.insert(version).second) return;
        release_plugin("shaky", version);
        m_story << "release " << version << '\n';
    }

    void misbehave() {
        static const std::vector<std::string> ways{"blocked", "simulate", "apply",
                                                   "verify",  "undo",     "crash"};
        std::string text;
        for (const std::string& version : m_released) {
            if (pick(3) == 0)
                text += version + ' ' +
                        ways[static_cast<std::size_t>(pick(static_cast<int>(ways.size())))] + '\n';
        }
        behaviour(text);
        m_story << "behaviour:\n" << text;
    }

    int disturbed(const std::vector<std::string>& arguments, bool killed) {
        static const std::vector<std::string> kills{"before", "after", "torn"};
        static const std::vector<std::string> errors{"ENOSPC", "EIO", "EROFS"};
        const std::string how = (killed ? kills : errors)[static_cast<std::size_t>(pick(3))];
        const std::string calls = how == "torn" ? "write"
                                  : killed      ? "sync+rename"
                                                : "write+sync+rename";
        const std::string fault = calls + ':' + how + ':' + std::to_string(1 + pick(70));
        m_story << fault << ' ';
        return run_with_fault(arguments, fault).status;
    }

    /// Makes the first one that is due hang; nothing when none is.
    std::string hang(const char* how) {
        const std::vector<std::string> order = lines();
        for (const std::string& version : m_released) {
            if (std::find(order.begin(), order.end(), version) != order.end()) continue;
            behaviour(version + ' ' + how + '\n');
            return version;
        }
        return {};
    }

    void interrupt() {
        static const std::vector<const char*> ways{"simulate-hang", "apply-hang", "verify-hang"};
        if (hang(ways[static_cast<std::size_t>(pick(3))]).empty()) return;
        const auto program = start({"upgrade", "--yes"});
        if (program->wait_for_output("hanging")) {
            if (pick(2) == 0) {
                program->signal(SIGKILL);
            } else {
                program->signal(SIGINT);
                if (program->wait_for_output("a second signal")) program->signal(SIGINT);
            }
        }
        note("upgrade, interrupted", program->wait().status);
        behaviour("");
    }

    void second_runner() {
        if (hang("apply-hang").empty()) return;
        const auto program = start({"upgrade", "--yes"});
        if (program->wait_for_output("hanging")) {
            const auto second = run({"upgrade", "--yes"});
            CHECK(second.status == 5);
            const auto undo = run({"rollback", "--yes"});
            CHECK((undo.status != 0 || undo.out.find("Nothing to do") == 0));
            CHECK(run({"plan"}).status == 0);
        }
        program->signal(SIGKILL);
        note("upgrade, with another beside it", program->wait().status);
        behaviour("");
    }

    /// A lease of another host: live, it keeps everyone out; old, it is taken over.
    void steal_lease() {
        if (run({"state", "show", "-o", "json"}).json()["cluster"].is_null()) return;
        const bool live = pick(2) == 0;
        {
            SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE, 5000);
            SQLite::Statement now(database, "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)");
            now.executeStep();
            SQLite::Statement lease(database,
                                    "INSERT OR REPLACE INTO lease (id, owner, actor, host, pid, "
                                    "reason, acquired_at, heartbeat_at) VALUES (1, 'stolen', "
                                    "'somebody', 'elsewhere', 1, '', ?1, ?1)");
            lease.bind(1, now.getColumn(0).getInt64() - (live ? 0 : 3600'000));
            lease.exec();
        }
        const auto result = run({"upgrade", "--yes", "--only", *m_released.begin()});
        note(live ? "upgrade, leased elsewhere" : "upgrade, stale lease", result.status);
        SQLite::Database database(ledger().string(), SQLite::OPEN_READWRITE, 5000);
        database.exec("DELETE FROM lease WHERE owner = 'stolen'");
    }

    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> all;
        if (!exists("repository/order")) return all;
        std::istringstream text(read("repository/order"));
        for (std::string line; std::getline(text, line);) all.push_back(line);
        return all;
    }

    std::mt19937 m_random;
    int m_newest = 0;
    std::set<std::string> m_released;
    std::ostringstream m_story;
};

void run_chaos(unsigned seed) {
    CAPTURE(seed);
    Chaos chaos(seed);
    for (int i = 0; i < k_operations; ++i) {
        chaos.one_operation();
        chaos.check();
    }
    chaos.finish();
}

}  // namespace

TEST_CASE("chaos, seed 1") {
    run_chaos(1);
}
TEST_CASE("chaos, seed 7") {
    run_chaos(7);
}
TEST_CASE("chaos, seed 42") {
    run_chaos(42);
}
TEST_CASE("chaos, seed 137") {
    run_chaos(137);
}
TEST_CASE("chaos, seed 256") {
    run_chaos(256);
}
TEST_CASE("chaos, seed 9001") {
    run_chaos(9001);
}
TEST_CASE("chaos, seed 31337") {
    run_chaos(31337);
}

TEST_CASE("of 100 starts at once one applies, and the others are told who does") {
    Sandbox sandbox;
    sandbox.release_plugin("shaky", "0.1.10001");
    sandbox.release_plugin("shaky", "0.1.10002");
    std::vector<std::unique_ptr<test::Program>> programs;
    for (int i = 0; i < 100; ++i) programs.push_back(sandbox.start({"upgrade", "--yes"}));
    int applied = 0;
    int nothing = 0;
    int refused = 0;
    for (const auto& program : programs) {
        const auto result = program->wait();
        INFO(result.out << result.err);
        if (result.status == 0) {
            ++(result.out.find("Upgrade complete") != std::string::npos ? applied : nothing);
        } else {
            CHECK(result.status == 5);
            CHECK_THAT(result.err, Contains("lease"));
            ++refused;
        }
    }
    CHECK(applied == 1);
    CHECK(applied + nothing + refused == 100);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10002\n");
    CHECK(sandbox.run({"history", "-o", "json"}).json()["chain"]["intact"] == true);
}

TEST_CASE("100 starts at once that wait: one applies, and all end well") {
    Sandbox sandbox;
    sandbox.release_plugin("shaky", "0.1.10001");
    std::vector<std::unique_ptr<test::Program>> programs;
    for (int i = 0; i < 100; ++i)
        programs.push_back(sandbox.start({"upgrade", "--yes", "--wait", "5m"}));
    for (const auto& program : programs) CHECK(program->wait().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n");
}

TEST_CASE("a ledger that is copied while it is in use is a ledger of some moment") {
    Sandbox sandbox;
    sandbox.release_plugin("shaky", "0.1.10001");
    sandbox.release_plugin("shaky", "0.1.10002");
    sandbox.behaviour("0.1.10002 apply-hang\n");
    const auto program = sandbox.start({"upgrade", "--yes"});
    REQUIRE(program->wait_for_output("hanging"));
    const std::string yaml = sandbox.read("cluster.yaml");
    std::string other = yaml;
    other.replace(other.find("state/state.db"), 14, "copied/state.db");
    const auto look = [&] {
        sandbox.write("copy.yaml", other);
        return sandbox.run({"state", "show", "-o", "json", "-c", "copy.yaml"});
    };
    std::filesystem::create_directories(sandbox.path() / "copied");
    std::filesystem::copy_file(sandbox.ledger(), sandbox.path() / "copied/state.db");
    // Without its log it is older, or refused with a reason; never something else.
    const auto alone = look();
    CHECK((alone.status == 0 || alone.status == 3));
    std::filesystem::copy_file(sandbox.ledger().string() + "-wal",
                               sandbox.path() / "copied/state.db-wal");
    const auto whole = look();
    CHECK(whole.status == 0);
    CHECK(whole.json()["clusterVersion"] == "0.1.10001");
    CHECK(whole.json()["unfinishedRun"] == true);
    program->signal(SIGKILL);
    program->wait();
    // A run on the copy goes on from there.
    sandbox.behaviour("");
    CHECK(sandbox.run({"upgrade", "--yes", "-c", "copy.yaml"}).status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10002\n");
}
