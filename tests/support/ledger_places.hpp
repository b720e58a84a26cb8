// SPDX-License-Identifier: Apache-2.0
// Where a ledger can be, for tests that every place must pass: in SQLite and in memory.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ledger/beside.hpp"
#include "ledger/memory/memory_ledger.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/file.hpp"

namespace test {

using runner::Time;

/// Stands still unless told.
struct StandingClock final : runner::Clock {
    Time now{1'000'000};
    [[nodiscard]] Time wall() const override { return now; }
    [[nodiscard]] Time steady() const override { return now; }
};

enum class Kind { sqlite, memory };

/// A place for each run of a test case: one after the other.
#define EACH_PLACE(place) test::Place place(GENERATE(test::Kind::sqlite, test::Kind::memory))

/// One ledger, with what a test needs to know of it beside its interface.
class Place {
 public:
    explicit Place(Kind kind) {
        if (kind == Kind::sqlite) {
            m_store = runner::make_sqlite_store(file(), clock);
        } else {
            auto memory = std::make_unique<runner::MemoryLedgerStore>(clock);
            m_memory = memory.get();
            m_store = std::move(memory);
        }
    }

    std::unique_ptr<runner::LedgerView> look() { return m_store->look(); }
    std::unique_ptr<runner::Ledger> open() { return m_store->open(); }
    /// With a cluster in it.
    std::unique_ptr<runner::Ledger> start() {
        auto ledger = m_store->open();
        ledger->set_identity({"demo", "eu", "1"});
        ledger->set_original_version(runner::SemanticVersion::parse("0.0.1"));
        return ledger;
    }

    /// The kernel's half of the lease is lost, as between hosts that share no locks.
    void lose_the_lock() {
        if (m_memory != nullptr) {
            m_memory->holder_died();
        } else {
            std::filesystem::remove(runner::lock_beside(file()));
        }
    }

    /// `kind run version` of each event, the oldest first.
    [[nodiscard]] std::vector<std::string> history() const {
        std::vector<std::string> lines;
        if (m_memory != nullptr) {
            for (const runner::MemoryEvent& event : m_memory->history())
                lines.push_back(event.kind + ' ' + event.run + ' ' + event.version);
            return lines;
        }
        SQLite::Database database(file().string(), SQLite::OPEN_READONLY, 5000);
        SQLite::Statement query(
            database, "SELECT kind || ' ' || run || ' ' || version FROM history ORDER BY seq");
        while (query.executeStep()) lines.push_back(query.getColumn(0).getString());
        return lines;
    }

    std::unique_ptr<runner::LedgerView> look_at_copy(const std::filesystem::path& copy) {
        return m_memory != nullptr ? m_memory->look_at_copy(copy) : runner::look_at_ledger(copy);
    }

    [[nodiscard]] std::filesystem::path path(const std::string& name) const {
        return m_folder.path() / name;
    }

    StandingClock clock;

 private:
    [[nodiscard]] std::filesystem::path file() const { return path("state/state.db"); }

    runner::TemporaryFolder m_folder{"ledger-place"};
    std::unique_ptr<runner::LedgerStore> m_store;
    runner::MemoryLedgerStore* m_memory = nullptr;
};

using Names = std::vector<std::string>;

inline runner::SemanticVersion version(const std::string& text) {
    return runner::SemanticVersion::parse(text);
}

inline Names versions_of(const std::vector<runner::UnsettledUpgrade>& upgrades) {
    Names versions;
    for (const runner::UnsettledUpgrade& upgrade : upgrades) versions.push_back(upgrade.version);
    return versions;
}

/// `version path` of each.
inline Names paths_of(const std::vector<runner::FileIntent>& changes) {
    Names paths;
    for (const runner::FileIntent& change : changes)
        paths.push_back(change.version + ' ' + change.path);
    return paths;
}

/// Why `work` failed; the test fails when it does not.
inline runner::Failure failure_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const runner::Error& error) {
        return error.failure();
    }
    FAIL("nothing was thrown");
    return runner::Failure::usage;
}

inline runner::LeaseInfo owner(const std::string& name, const std::string& host = "here") {
    runner::LeaseInfo lease;
    lease.owner = name;
    lease.actor = "tester";
    lease.host = host;
    lease.pid = 7;
    return lease;
}

inline runner::Digest digest(char digit) {
    return *runner::Digest::parse(std::string(64, digit));
}

inline runner::AttemptStart attempt(const std::string& version, char digit = 'a') {
    return {version, "v" + version, "Linux_amd64", digest(digit), "key", false, "a.log"};
}

inline runner::AttemptEnd ended(const std::string& version, runner::Outcome outcome) {
    runner::AttemptEnd end;
    end.version = version;
    end.outcome = outcome;
    end.done = outcome == runner::Outcome::succeeded || outcome == runner::Outcome::nothing_to_do;
    end.undone = outcome == runner::Outcome::rolled_back;
    return end;
}

inline runner::FileIntent change(const std::string& path, const std::string& backup = "") {
    runner::FileIntent intent{path, '.' + path + ".new", backup, digest('b'), digest('c')};
    intent.new_mode = 0755;
    if (backup.empty()) {
        intent.made_folders = 2;
    } else {
        intent.old_mode = 04640;
    }
    return intent;
}

/// Up to where it applies.
inline void begin(runner::Ledger& ledger, const std::string& run,
                  const std::string& command = "upgrade") {
    using S = runner::RunState;
    ledger.begin_run({run, command, "tester", "here", 7, "0.1", "0.0.9", "why"});
    ledger.move_run(run, S::queued, S::fetching);
    ledger.move_run(run, S::fetching, S::simulating);
    ledger.move_run(run, S::simulating, S::awaiting_confirmation);
    ledger.move_run(run, S::awaiting_confirmation, S::applying);
}

inline void finish(runner::Ledger& ledger, const std::string& run, bool well = true) {
    ledger.finish_run(run, runner::RunState::applying,
                      well ? runner::RunState::succeeded : runner::RunState::failed,
                      well ? runner::Outcome::succeeded : runner::Outcome::failed, "words");
}

/// A whole attempt that ends so, after a step that changes these files.
inline void attempt_whole(runner::Ledger& ledger, const std::string& run,
                          const std::string& version, runner::Outcome outcome,
                          const std::vector<runner::FileIntent>& files = {}) {
    ledger.advance(run, std::nullopt, attempt(version));
    if (!files.empty()) {
        ledger.record_files(run, version, "one", files);
        ledger.record_step(run, version, "one", {});
    }
    ledger.advance(run, ended(version, outcome), std::nullopt);
}

}  // namespace test
