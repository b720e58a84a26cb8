// SPDX-License-Identifier: Apache-2.0
// The writing half of the SQLite ledger. Each public call is one transaction; each transaction
// leaves a history event.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"

namespace runner {

using StateMap = std::map<std::pair<std::int32_t, std::string>, std::string>;

/// A digest as the bytes that the ledger stores; NULL when there is none.
void bind_digest(const StatementUse& statement, int index, const std::optional<Digest>& digest);

/// BEGIN IMMEDIATE, so that two writers queue instead of failing half-way; rolled back unless
/// committed.
class WriteTransaction {
 public:
    explicit WriteTransaction(LedgerDatabase& database) : m_database(database) {
        m_database.statement("BEGIN IMMEDIATE").exec();
    }
    ~WriteTransaction() {
        if (m_committed) return;
        try {
            m_database.connection().exec("ROLLBACK");
        } catch (const SQLite::Exception&) {  // SQLite has rolled back by itself
        }
    }
    WriteTransaction(const WriteTransaction&) = delete;
    WriteTransaction& operator=(const WriteTransaction&) = delete;
    void commit() {
        m_database.statement("COMMIT").exec();
        m_committed = true;
    }

 private:
    LedgerDatabase& m_database;
    bool m_committed = false;
};

class SqliteLedger final : public Ledger {
    template <typename Query>
    auto read(Query&& query) {
        return translate_sqlite(m_file.string(), std::forward<Query>(query));
    }

    template <typename Work>
    void write(Work&& work) {
        translate_sqlite(m_file.string(), [&] {
            WriteTransaction transaction(*m_database);
            work();
            transaction.commit();
        });
    }

 public:
    SqliteLedger(std::filesystem::path file, const Clock& clock)
        : m_file(std::move(file)),
          m_clock(clock),
          m_database(LedgerDatabase::open_for_writing(m_file)),
          m_queries(m_database.get()) {}

    LedgerFacts facts() override {
        return read([this] { return m_queries.facts(); });
    }
    std::vector<DoneRecord> done() override {
        return read([this] { return m_queries.done(); });
    }
    std::optional<LeaseInfo> lease() override {
        return read([this] { return m_queries.lease(); });
    }
    std::vector<RunRecord> runs(std::size_t limit, const std::string& upgrade) override {
        return read([&] { return m_queries.runs(limit, upgrade); });
    }
    std::optional<RunRecord> run(const std::string& id) override {
        return read([&] { return m_queries.run(id); });
    }
    std::vector<RunTally> tallies() override {
        return read([this] { return m_queries.tallies(); });
    }
    std::optional<Digest> pinned(const std::string& version, const std::string& platform) override {
        return read([&] { return m_queries.pinned(version, platform); });
    }
    std::optional<AttemptedManifest> manifest_of(const std::string& version) override {
        return read([&] { return m_queries.manifest_of(version); });
    }
    std::vector<std::string> finished_steps(const std::string& version) override {
        return read([&] { return m_queries.finished_steps(version); });
    }
    std::optional<std::string> state_value(std::int32_t scope, const std::string& version,
                                           const std::string& key) override {
        return read([&] { return m_queries.state_value(scope, version, key); });
    }
    std::vector<FileIntent> changed_files(const std::string& version) override {
        return read([&] { return m_queries.changed_files(version); });
    }
    std::vector<FileIntent> changed_later(const std::string& version) override {
        return read([&] { return m_queries.changed_later(version); });
    }
    std::vector<LeftFile> files_as_left() override {
        return read([this] { return m_queries.files_as_left(); });
    }
    LedgerDump dump() override {
        return read([this] { return m_queries.dump(); });
    }
    LooseEnds loose_ends() override {
        return read([this] { return m_queries.loose_ends(); });
    }
    std::vector<HandChange> changes_by_hand(std::size_t limit) override {
        return read([&] { return m_queries.changes_by_hand(limit); });
    }
    std::optional<std::int64_t> first_broken_event() override {
        return read([this] { return m_queries.first_broken_event(); });
    }
    std::optional<std::string> plan_key() override {
        return read([this] { return m_queries.plan_key(); });
    }

    std::string acquire_lease(const LeaseInfo& owner) override;

    void heartbeat() override;

    void release_lease() override;

    [[nodiscard]] int lease_descriptor() const override { return m_lease_file.descriptor(); }

    void lock_by_hand(const LeaseInfo& owner) override;

    bool unlock_by_hand(const std::string& actor) override;

    void copy_to(const std::filesystem::path& file) override;

    void set_identity(const ClusterIdentity& identity) override;

    void set_original_version(const SemanticVersion& version) override;

    void raise_cluster_version(const SemanticVersion& version, const std::string& run) override;

    void correct_version(const SemanticVersion& version, const std::string& actor,
                         const std::string& reason) override;

    std::vector<InterruptedRun> mark_interrupted() override;

    std::vector<UnfinishedFiles> unfinished_files() override;

    void forget_unfinished_files() override;

    std::vector<std::string> forget_old_originals(std::size_t kept) override;

    void close_loose_ends() override;

    void note(const std::string& kind, const std::string& actor, const std::string& text) override;

    void begin_run(const RunStart& run) override;

    void move_run(const std::string& run, RunState from, RunState to) override;

    void finish_run(const std::string& run, RunState from, RunState to, Outcome outcome,
                    const std::string& message) override;

    void advance(const std::string& run, const std::optional<AttemptEnd>& end,
                 const std::optional<AttemptStart>& start) override;

    void record_files(const std::string& run, const std::string& version, const std::string& step,
                      const std::vector<FileIntent>& changes) override;

    void record_step(const std::string& run, const std::string& version, const std::string& step,
                     const StateMap& values) override;

    void record_files_undone(const std::string& run, const std::string& version) override;
    void record_step_undone(const std::string& run, const std::string& version,
                            const std::string& step, const StateMap& values) override;

    void record_done(const DoneRecord& done, const std::string& actor,
                     const std::string& reason) override;

    void record_skip(const SkippedUpgrade& skip) override;

    bool remove_skip(const std::string& version, const std::string& actor) override;

    bool forget(const std::string& version, const std::string& actor,
                const std::string& reason) override;

    void import(const LedgerDump& dump, const std::string& actor) override;

    void accept_digest(const std::string& version, const std::string& platform,
                       const Digest& digest, const std::string& actor) override;

 private:
    void store_lease(const LeaseInfo& lease);
    /// What a run records is recorded only while the lease is its own: a runner that slept through
    /// its lease must not go on beside the one that took over. Within a transaction. Throws
    /// Error{apply_failed}.
    void require_lease();

    /// Appends to the history.
    void event(const char* kind, const std::string& run, const std::string& version,
               const Json& detail);

    /// Everything that says that the upgrade was begun, but for the history.
    void undo_records(const AttemptEnd& end);

    void raise_version(const SemanticVersion& version);

    void set_version(const SemanticVersion& version);

    /// Nothing of its attempts is left to be settled. Whether there were any.
    bool settle_attempts(const std::string& version);

    void move(const std::string& run, RunState from, RunState to);

    void close_run(const std::string& run, RunState state, Outcome outcome,
                   const std::string& message);

    void open_attempt(const std::string& run, const AttemptStart& start);

    void close_attempt(const std::string& run, const AttemptEnd& end);

    void finish_files(const std::string& version);

    void store_declarations(const AttemptEnd& end);

    void store_values(const std::string& version, const StateMap& values);

    void import_rest(const LedgerDump& dump);

    void insert_done(const std::string& version, const std::string& tag,
                     const std::string& platform, const std::optional<Digest>& digest,
                     const std::string& run, const std::string& how,
                     std::optional<Time> recorded_at = std::nullopt);

    std::filesystem::path m_file;
    const Clock& m_clock;
    std::unique_ptr<LedgerDatabase> m_database;
    SqliteQueries m_queries;
    LeaseFile m_lease_file;
    std::string m_lease_owner;
};

}  // namespace runner
