// SPDX-License-Identifier: Apache-2.0
// The ledger in one SQLite file per cluster.
#pragma once

#include <filesystem>
#include <memory>

#include "ledger/database.hpp"
#include "ledger/lease.hpp"
#include "ledger/ledger.hpp"
#include "ledger/ledger_store.hpp"
#include "support/clock.hpp"

namespace runner {

/// Opens for looking; a ledger that is not there looks empty. `clock` and `file` are as for
/// open_ledger.
std::unique_ptr<LedgerView> look_at_ledger(const std::filesystem::path& file);

/// Opens for writing, making or migrating the file. `clock` must outlive the ledger.
std::unique_ptr<Ledger> open_ledger(const std::filesystem::path& file, const Clock& clock);

/// Both of them as one. `clock` must outlive the store and the ledgers that it opens.
std::unique_ptr<LedgerStore> make_sqlite_store(std::filesystem::path file, const Clock& clock);

/// What is wrong with the file itself: SQLite's own words, empty when nothing is. Changes nothing.
std::string ledger_damage(const std::filesystem::path& file);

/// What both share: the queries. `database` null: everything is empty.
class SqliteQueries {
 public:
    explicit SqliteQueries(LedgerDatabase* database) : m_database(database) {}

    LedgerFacts facts();
    std::vector<DoneRecord> done();
    std::optional<LeaseInfo> lease();
    std::vector<RunRecord> runs(std::size_t limit, const std::string& upgrade);
    std::optional<RunRecord> run(const std::string& id);
    std::vector<HandChange> changes_by_hand(std::size_t limit);
    std::vector<RunTally> tallies();
    std::optional<Digest> pinned(const std::string& version, const std::string& platform);
    std::optional<AttemptedManifest> manifest_of(const std::string& version);
    std::vector<std::string> finished_steps(const std::string& version);
    std::optional<std::string> state_value(std::int32_t scope, const std::string& version,
                                           const std::string& key);
    std::vector<FileIntent> changed_files(const std::string& version);
    std::vector<FileIntent> changed_later(const std::string& version);
    /// Whose step was never finished, newest first.
    std::vector<FileIntent> unfinished_files();
    std::vector<LeftFile> files_as_left();
    LedgerDump dump();
    LooseEnds loose_ends();
    std::optional<std::int64_t> first_broken_event();
    std::optional<std::string> plan_key();

 private:
    std::vector<UnsettledUpgrade> unsettled();
    std::vector<RunRecord> read_runs(const StatementUse& query);
    std::vector<AttemptRecord> attempts(const std::string& run);

    LedgerDatabase* m_database;
};

/// A history event's hash: over the hash before it and all of its own columns, each with its
/// length.
Digest history_hash(const Digest& previous, std::int64_t seq, std::int64_t at,
                    const std::string& kind, const std::string& run, const std::string& version,
                    const std::string& detail);

}  // namespace runner
