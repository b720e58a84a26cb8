// SPDX-License-Identifier: Apache-2.0
// The writing half of the SQLite ledger. Each public call is one transaction; each transaction
// leaves a history event.
#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>

#include <cstring>

#include "ledger/sqlite_ledger.hpp"
#include "model/json.hpp"

namespace runner {
namespace {

/// A lease row of another host counts as live until its heartbeat is this old.
constexpr Time k_lease_expiry = std::chrono::seconds(60);

using StateMap = std::map<std::pair<std::int32_t, std::string>, std::string>;

void bind_digest(const StatementUse& statement, int index, const std::optional<Digest>& digest) {
    if (digest) {
        statement.bind(index, digest->bytes.data(), static_cast<int>(digest->bytes.size()));
    } else {
        statement.bind(index);
    }
}

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
    std::optional<Digest> pinned(const std::string& version, const std::string& platform) override {
        return read([&] { return m_queries.pinned(version, platform); });
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
    std::vector<LeftFile> files_as_left() override {
        return read([this] { return m_queries.files_as_left(); });
    }
    LedgerDump dump() override {
        return read([this] { return m_queries.dump(); });
    }
    LooseEnds loose_ends() override {
        return read([this] { return m_queries.loose_ends(); });
    }
    std::optional<std::int64_t> first_broken_event() override {
        return read([this] { return m_queries.first_broken_event(); });
    }

    std::string acquire_lease(const LeaseInfo& owner) override {
        if (!m_lease_file.try_lock(m_file.string() + ".lock")) refuse_held(lease());
        std::string note;
        try {
            write([&] {
                const auto held = m_queries.lease();
                if (held && held->manual()) refuse_held(held);
                if (held && held->host != owner.host &&
                    m_clock.wall() - held->heartbeat_at < k_lease_expiry) {
                    refuse_held(held);
                }
                if (held)
                    note = "took over the lease of " + describe(*held) +
                           ", which is no longer running";
                store_lease(owner);
                if (held)
                    event("lease_taken_over", owner.owner, "",
                          {{"from", held->owner}, {"host", held->host}});
            });
        } catch (...) {
            m_lease_file.unlock();
            throw;
        }
        m_lease_owner = owner.owner;
        return note;
    }

    void heartbeat() override {
        write([this] {
            const StatementUse update =
                m_database->statement("UPDATE lease SET heartbeat_at = ? WHERE owner = ?");
            update.bind(1, m_clock.wall().count());
            update.bind(2, m_lease_owner);
            update.exec();
        });
    }

    void release_lease() override {
        if (m_lease_owner.empty()) return;
        write([this] {
            const StatementUse remove = m_database->statement("DELETE FROM lease WHERE owner = ?");
            remove.bind(1, m_lease_owner);
            remove.exec();
        });
        m_lease_owner.clear();
        m_lease_file.unlock();
    }

    [[nodiscard]] int lease_descriptor() const override { return m_lease_file.descriptor(); }

    void lock_by_hand(const LeaseInfo& owner) override {
        if (!m_lease_file.try_lock(m_file.string() + ".lock")) refuse_held(lease());
        write([&] {
            const auto held = m_queries.lease();
            if (held && held->manual()) refuse_held(held);
            LeaseInfo manual = owner;
            manual.owner = "manual";
            store_lease(manual);
            event("locked", "", "", {{"actor", owner.actor}, {"reason", owner.reason}});
        });
        m_lease_file.unlock();
    }

    bool unlock_by_hand(const std::string& actor) override {
        bool was_locked = false;
        write([&] {
            was_locked =
                m_database->connection().exec("DELETE FROM lease WHERE owner = 'manual'") > 0;
            if (was_locked) event("unlocked", "", "", {{"actor", actor}});
        });
        return was_locked;
    }

    void copy_to(const std::filesystem::path& file) override {
        make_folders(file.parent_path());
        const std::filesystem::path temporary = file.string() + ".new";
        ::unlink(temporary.c_str());
        read([&] {
            SQLite::Database copy(temporary.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
            copy.exec("PRAGMA journal_mode = OFF");
            copy.exec("PRAGMA synchronous = FULL");
            SQLite::Backup backup(copy, m_database->connection());
            backup.executeStep();
        });
        const UniqueFd written = open_for_reading(temporary);
        if (::fsync(written.get()) != 0 || ::rename(temporary.c_str(), file.c_str()) != 0)
            throw system_error("cannot copy the ledger to " + file.string(), errno);
        sync_folder(file.parent_path());
    }

    void set_identity(const ClusterIdentity& identity) override {
        write([&] {
            const StatementUse insert = m_database->statement(
                "INSERT INTO cluster (id, name, region, account_id) VALUES (1, ?, ?, ?)");
            insert.bind(1, identity.name);
            insert.bind(2, identity.region);
            insert.bind(3, identity.account_id);
            insert.exec();
            event("ledger_started", "", "", {{"cluster", identity.name}});
        });
    }

    void set_original_version(const SemanticVersion& version) override {
        write([&] {
            const LedgerFacts known = m_queries.facts();
            if (known.cluster.original_version && *known.cluster.original_version != version) {
                throw Error(Failure::refused, "the original version is " +
                                                  known.cluster.original_version->to_string() +
                                                  " and fixed; it cannot become " +
                                                  version.to_string());
            }
            const StatementUse update = m_database->statement(
                "UPDATE cluster SET original_version = ?1, cluster_version = "
                "coalesce(cluster_version, ?1)");
            update.bind(1, version.to_string());
            update.exec();
            event("original_version_set", "", "", {{"version", version.to_string()}});
        });
    }

    void raise_cluster_version(const SemanticVersion& version, const std::string& run) override {
        write([&] {
            raise_version(version);
            event("cluster_version_raised", run, "", {{"to", version.to_string()}});
        });
    }

    std::vector<InterruptedRun> mark_interrupted() override {
        std::vector<InterruptedRun> interrupted;
        write([&] {
            const StatementUse query = m_database->statement(
                "SELECT r.id, r.actor, r.host, r.started_at, "
                "coalesce((SELECT version FROM attempt WHERE run = r.id AND outcome IS NULL), ''), "
                "(SELECT count(*) FROM attempt WHERE run = r.id AND outcome IN ('succeeded', "
                "'nothing_to_do')), r.state "
                "FROM run r WHERE r.finished_at IS NULL");
            while (query.executeStep()) {
                interrupted.push_back(
                    {query.getColumn(0), query.getColumn(1), query.getColumn(2),
                     Time(query.getColumn(3).getInt64()), query.getColumn(4),
                     static_cast<std::size_t>(query.getColumn(5).getInt64()),
                     run_state_from(query.getColumn(6).getString()).value_or(RunState::queued)});
            }
            for (const InterruptedRun& run : interrupted) {
                const StatementUse attempt = m_database->statement(
                    "UPDATE attempt SET outcome = 'interrupted', finished_at = ?1, "
                    "message = 'the runner died while it ran' WHERE run = ?2 AND outcome IS NULL");
                attempt.bind(1, m_clock.wall().count());
                attempt.bind(2, run.id);
                attempt.exec();
                close_run(run.id, RunState::interrupted, Outcome::interrupted, "the runner died");
                event("run_interrupted", run.id, run.upgrade, Json::object());
            }
        });
        return interrupted;
    }

    std::vector<UnfinishedFiles> unfinished_files() override {
        return read([this] {
            std::vector<UnfinishedFiles> all;
            const StatementUse query = m_database->statement(
                "SELECT version, path, temporary, backup, old_digest, new_digest, kept FROM "
                "file_change "
                "WHERE finished = 0 "
                "ORDER BY id DESC");
            while (query.executeStep()) {
                const std::string version = query.getColumn(0).getString();
                if (all.empty() || all.back().version != version) all.push_back({version, {}});
                all.back().changes.push_back(file_intent(query, 1));
            }
            return all;
        });
    }

    void forget_unfinished_files() override {
        write([this] {
            if (m_database->connection().exec("DELETE FROM file_change WHERE finished = 0") > 0) {
                event("unfinished_files_restored", "", "", Json::object());
            }
        });
    }

    std::vector<std::string> forget_old_originals(std::size_t kept) override {
        std::vector<std::string> versions;
        write([&] {
            const StatementUse query = m_database->statement(
                "SELECT version FROM upgrade u WHERE EXISTS (SELECT 1 FROM file_change f WHERE "
                "f.version = u.version AND f.kept = 1 AND f.backup <> '') "
                "ORDER BY (SELECT max(id) FROM attempt a WHERE a.version = u.version) DESC LIMIT "
                "-1 "
                "OFFSET ?");
            query.bind(1, static_cast<std::int64_t>(kept));
            while (query.executeStep()) versions.push_back(query.getColumn(0).getString());
            for (const std::string& version : versions) {
                const StatementUse forget =
                    m_database->statement("UPDATE file_change SET kept = 0 WHERE version = ?");
                forget.bind(1, version);
                forget.exec();
                event("originals_removed", "", version, Json::object());
            }
        });
        return versions;
    }

    void close_loose_ends() override {
        write([this] {
            const StatementUse close = m_database->statement(
                "UPDATE attempt SET outcome = 'interrupted', finished_at = ? WHERE outcome IS NULL "
                "AND run IN (SELECT id FROM run WHERE finished_at IS NOT NULL)");
            close.bind(1, m_clock.wall().count());
            if (close.exec() > 0) event("loose_ends_closed", "", "", Json::object());
        });
    }

    void note(const std::string& kind, const std::string& actor, const std::string& text) override {
        write([&] { event(kind.c_str(), "", "", {{"actor", actor}, {"text", text}}); });
    }

    void begin_run(const RunStart& run) override {
        write([&] {
            const StatementUse insert = m_database->statement(
                "INSERT INTO run (id, command, actor, host, pid, runner_version, target, state, "
                "started_at, "
                "state_entered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?8)");
            insert.bind(1, run.id);
            insert.bind(2, run.command);
            insert.bind(3, run.actor);
            insert.bind(4, run.host);
            insert.bind(5, run.pid);
            insert.bind(6, run.runner_version);
            insert.bind(7, run.target);
            insert.bind(8, m_clock.wall().count());
            insert.exec();
            event("run_started", run.id, "",
                  {{"command", run.command}, {"actor", run.actor}, {"target", run.target}});
        });
    }

    void move_run(const std::string& run, RunState from, RunState to) override {
        write([&] { move(run, from, to); });
    }

    void finish_run(const std::string& run, RunState from, RunState to, Outcome outcome,
                    const std::string& message) override {
        write([&] {
            move(run, from, to);
            close_run(run, to, outcome, message);
            event("run_finished", run, "", {{"outcome", to_string(outcome)}, {"message", message}});
        });
    }

    void advance(const std::string& run, const std::optional<AttemptEnd>& end,
                 const std::optional<AttemptStart>& start) override {
        write([&] {
            if (end) close_attempt(run, *end);
            if (start) open_attempt(run, *start);
        });
    }

    void record_files(const std::string& run, const std::string& version, const std::string& step,
                      const std::vector<FileIntent>& changes) override {
        write([&] {
            for (const FileIntent& change : changes) {
                const StatementUse insert = m_database->statement(
                    "INSERT INTO file_change (run, version, step, path, temporary, backup, "
                    "old_digest, new_digest) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
                insert.bind(1, run);
                insert.bind(2, version);
                insert.bind(3, step);
                insert.bind(4, change.path);
                insert.bind(5, change.temporary);
                insert.bind(6, change.backup);
                insert.bind(7, change.old_digest ? change.old_digest->to_string() : "");
                insert.bind(8, change.new_digest ? change.new_digest->to_string() : "");
                insert.exec();
            }
        });
    }

    void record_step(const std::string& run, const std::string& version, const std::string& step,
                     const StateMap& values) override {
        write([&] {
            const StatementUse insert = m_database->statement(
                "INSERT OR REPLACE INTO step (version, id, position, run, finished_at) "
                "VALUES (?1, ?2, (SELECT count(*) FROM step WHERE version = ?1), ?3, ?4)");
            insert.bind(1, version);
            insert.bind(2, step);
            insert.bind(3, run);
            insert.bind(4, m_clock.wall().count());
            insert.exec();
            finish_files(version);
            store_values(version, values);
            event("step_finished", run, version, {{"step", step}});
        });
    }

    void record_step_undone(const std::string& run, const std::string& version,
                            const std::string& step, const StateMap& values) override {
        write([&] {
            const StatementUse remove =
                m_database->statement("DELETE FROM step WHERE version = ? AND id = ?");
            remove.bind(1, version);
            remove.bind(2, step);
            remove.exec();
            // What its undo has written goes the same way.
            const StatementUse files = m_database->statement(
                "UPDATE file_change SET finished = 0 WHERE version = ? AND step = ?");
            files.bind(1, version);
            files.bind(2, step);
            files.exec();
            store_values(version, values);
            event("step_undone", run, version, {{"step", step}});
        });
    }

    void record_done(const DoneRecord& done, const std::string& actor,
                     const std::string& reason) override {
        write([&] {
            insert_done(done.version, done.tag, done.platform, Digest::parse(done.digest), done.run,
                        done.how);
            event("recorded", done.run, done.version, {{"actor", actor}, {"reason", reason}});
        });
    }

    void record_skip(const SkippedUpgrade& skip) override {
        write([&] {
            const StatementUse done =
                m_database->statement("SELECT 1 FROM upgrade WHERE version = ?");
            done.bind(1, skip.version);
            if (done.executeStep())
                throw Error(Failure::refused, skip.version + " is done: there is nothing to skip");
            const StatementUse insert = m_database->statement(
                "INSERT OR REPLACE INTO skip (version, reason, actor, recorded_at) VALUES (?, ?, "
                "?, ?)");
            insert.bind(1, skip.version);
            insert.bind(2, skip.reason);
            insert.bind(3, skip.actor);
            insert.bind(4, m_clock.wall().count());
            insert.exec();
            event("skipped", "", skip.version, {{"actor", skip.actor}, {"reason", skip.reason}});
        });
    }

    bool remove_skip(const std::string& version, const std::string& actor) override {
        bool was_skipped = false;
        write([&] {
            const StatementUse remove = m_database->statement("DELETE FROM skip WHERE version = ?");
            remove.bind(1, version);
            was_skipped = remove.exec() > 0;
            if (was_skipped) event("unskipped", "", version, {{"actor", actor}});
        });
        return was_skipped;
    }

    bool forget(const std::string& version, const std::string& actor,
                const std::string& reason) override {
        bool was_done = false;
        write([&] {
            const StatementUse remove =
                m_database->statement("DELETE FROM upgrade WHERE version = ?");
            remove.bind(1, version);
            was_done = remove.exec() > 0;
            for (const char* sql :
                 {"DELETE FROM step WHERE version = ?", "DELETE FROM pin WHERE version = ?"}) {
                const StatementUse also = m_database->statement(sql);
                also.bind(1, version);
                was_done = also.exec() > 0 || was_done;
            }
            if (was_done) event("forgotten", "", version, {{"actor", actor}, {"reason", reason}});
        });
        return was_done;
    }

    void import(const LedgerDump& dump, const std::string& actor) override {
        write([&] {
            if (m_queries.facts().identity) {
                throw Error(Failure::refused,
                            m_file.string() + " already holds a ledger; import needs an empty one",
                            "move it away first, or name another 'state' in the config");
            }
            const StatementUse insert = m_database->statement(
                "INSERT INTO cluster (id, name, region, account_id, original_version, "
                "cluster_version) "
                "VALUES (1, ?, ?, ?, ?, ?)");
            insert.bind(1, dump.identity.name);
            insert.bind(2, dump.identity.region);
            insert.bind(3, dump.identity.account_id);
            if (dump.original_version) insert.bind(4, dump.original_version->to_string());
            if (dump.cluster_version) insert.bind(5, dump.cluster_version->to_string());
            insert.exec();
            for (const DoneRecord& done : dump.done) {
                insert_done(done.version, done.tag, done.platform, Digest::parse(done.digest),
                            done.run, "import", done.recorded_at);
            }
            import_rest(dump);
            event("imported", "", "", {{"actor", actor}, {"upgrades", dump.done.size()}});
        });
    }

    void accept_digest(const std::string& version, const std::string& platform,
                       const Digest& digest, const std::string& actor) override {
        write([&] {
            const StatementUse update = m_database->statement(
                "UPDATE pin SET digest = ? WHERE version = ? AND platform = ?");
            update.bind(1, digest.to_string());
            update.bind(2, version);
            update.bind(3, platform);
            update.exec();
            event("digest_accepted", "", version,
                  {{"actor", actor}, {"digest", digest.to_string()}});
        });
    }

 private:
    static std::string describe(const LeaseInfo& lease) {
        if (lease.manual()) {
            return lease.actor + " (locked by hand on " + lease.host + " at " +
                   format_time(lease.acquired_at) + ": " + lease.reason + ")";
        }
        return "run " + lease.owner + " of " + lease.actor + " on " + lease.host + ", pid " +
               std::to_string(lease.pid) + ", since " + format_time(lease.acquired_at);
    }

    [[noreturn]] static void refuse_held(const std::optional<LeaseInfo>& held) {
        if (!held) {
            throw Error(Failure::lease_held,
                        "another run holds the lease (it is just starting or ending)",
                        "wait for it, or use --wait DURATION");
        }
        throw Error(Failure::lease_held,
                    "the lease is held by " + describe(*held) + "; nothing was changed",
                    held->manual() ? "'runner state unlock' releases it"
                                   : "wait for it, or use --wait DURATION");
    }

    void store_lease(const LeaseInfo& lease) {
        const StatementUse insert = m_database->statement(
            "INSERT OR REPLACE INTO lease (id, owner, actor, host, pid, reason, acquired_at, "
            "heartbeat_at) "
            "VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?6)");
        insert.bind(1, lease.owner);
        insert.bind(2, lease.actor);
        insert.bind(3, lease.host);
        insert.bind(4, lease.pid);
        insert.bind(5, lease.reason);
        insert.bind(6, m_clock.wall().count());
        insert.exec();
    }

    /// Appends to the history; the newest hash is kept between calls, since only the lease's holder
    /// appends during a run.
    void event(const char* kind, const std::string& run, const std::string& version,
               const Json& detail) {
        const StatementUse last =
            m_database->statement("SELECT seq, hash FROM history ORDER BY seq DESC LIMIT 1");
        Digest previous;
        std::int64_t seq = 1;
        if (last.executeStep()) {
            seq = last.getColumn(0).getInt64() + 1;
            std::memcpy(previous.bytes.data(), last.getColumn(1).getBlob(), previous.bytes.size());
        }
        const std::int64_t at = m_clock.wall().count();
        const std::string text = dump_json(detail);
        const StatementUse insert = m_database->statement(
            "INSERT INTO history (seq, at, kind, run, version, detail, hash) VALUES (?, ?, ?, ?, "
            "?, ?, ?)");
        insert.bind(1, seq);
        insert.bind(2, at);
        insert.bind(3, kind);
        insert.bind(4, run);
        insert.bind(5, version);
        insert.bind(6, text);
        bind_digest(insert, 7, history_hash(previous, seq, at, kind, run, version, text));
        insert.exec();
    }

    /// Everything that says that the upgrade was begun, but for the history.
    void undo_records(const AttemptEnd& end) {
        for (const char* sql :
             {"DELETE FROM upgrade WHERE version = ?", "DELETE FROM step WHERE version = ?",
              "DELETE FROM file_change WHERE version = ?"}) {
            const StatementUse remove = m_database->statement(sql);
            remove.bind(1, end.version);
            remove.exec();
        }
        const StatementUse values =
            m_database->statement("DELETE FROM state_value WHERE scope = ?");
        values.bind(1, stored_scope(0, end.version));
        values.exec();
        if (!end.lowered_version) return;
        const StatementUse lower = m_database->statement("UPDATE cluster SET cluster_version = ?");
        lower.bind(1, end.lowered_version->to_string());
        lower.exec();
    }

    void raise_version(const SemanticVersion& version) {
        const StatementUse query = m_database->statement("SELECT cluster_version FROM cluster");
        const bool known = query.executeStep() && !query.getColumn(0).isNull();
        if (known && SemanticVersion::parse(query.getColumn(0).getString()) >= version) return;
        const StatementUse update = m_database->statement("UPDATE cluster SET cluster_version = ?");
        update.bind(1, version.to_string());
        update.exec();
    }

    void move(const std::string& run, RunState from, RunState to) {
        if (!may_move(from, to)) {
            throw Error(Failure::apply_failed, std::string("a run cannot move from ") +
                                                   to_string(from) + " to " + to_string(to));
        }
        const StatementUse update = m_database->statement(
            "UPDATE run SET state = ?, state_entered_at = ? WHERE id = ? AND state = ?");
        update.bind(1, to_string(to));
        update.bind(2, m_clock.wall().count());
        update.bind(3, run);
        update.bind(4, to_string(from));
        if (update.exec() != 1) {
            throw Error(Failure::apply_failed, "run " + run + " is no longer " + to_string(from) +
                                                   ": somebody else moved it");
        }
    }

    void close_run(const std::string& run, RunState state, Outcome outcome,
                   const std::string& message) {
        const StatementUse update = m_database->statement(
            "UPDATE run SET state = ?1, outcome = ?2, message = ?3, state_entered_at = ?4, "
            "finished_at = ?4 WHERE id = ?5");
        update.bind(1, to_string(state));
        update.bind(2, to_string(outcome));
        update.bind(3, message);
        update.bind(4, m_clock.wall().count());
        update.bind(5, run);
        update.exec();
    }

    void open_attempt(const std::string& run, const AttemptStart& start) {
        const StatementUse insert = m_database->statement(
            "INSERT INTO attempt (run, version, tag, platform, digest, late, log, started_at, "
            "signer) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''))");
        const std::string digest = start.digest ? start.digest->to_string() : "";
        insert.bind(1, run);
        insert.bind(2, start.version);
        insert.bind(3, start.tag);
        insert.bind(4, start.platform);
        insert.bind(5, digest);
        insert.bind(6, start.late ? 1 : 0);
        insert.bind(7, start.log);
        insert.bind(8, m_clock.wall().count());
        insert.bind(9, start.signer);
        insert.exec();
        if (start.digest) {
            const StatementUse pin = m_database->statement(
                "INSERT OR IGNORE INTO pin (version, platform, digest) VALUES (?, ?, ?)");
            pin.bind(1, start.version);
            pin.bind(2, start.platform);
            pin.bind(3, digest);
            pin.exec();
        }
        event("attempt_started", run, start.version, {{"digest", digest}});
    }

    void close_attempt(const std::string& run, const AttemptEnd& end) {
        const StatementUse update = m_database->statement(
            "UPDATE attempt SET outcome = ?, message = ?, finished_at = ?, apply_ms = ?, verify_ms "
            "= ? "
            "WHERE run = ? AND version = ? AND outcome IS NULL");
        update.bind(1, to_string(end.outcome));
        update.bind(2, end.message);
        update.bind(3, m_clock.wall().count());
        update.bind(4, end.apply_time.count());
        update.bind(5, end.verify_time.count());
        update.bind(6, run);
        update.bind(7, end.version);
        update.exec();
        if (end.done) {
            const StatementUse insert = m_database->statement(
                "INSERT OR REPLACE INTO upgrade (version, tag, platform, digest, run, how, "
                "recorded_at) "
                "SELECT version, tag, platform, ?1, run, 'upgrade', ?2 FROM attempt WHERE run = ?3 "
                "AND version = ?4 "
                "ORDER BY id DESC LIMIT 1");
            const StatementUse pinned_digest = m_database->statement(
                "SELECT digest FROM attempt WHERE run = ? AND version = ? ORDER BY id DESC LIMIT "
                "1");
            pinned_digest.bind(1, run);
            pinned_digest.bind(2, end.version);
            if (!pinned_digest.executeStep()) return;
            bind_digest(insert, 1, Digest::parse(pinned_digest.getColumn(0).getString()));
            insert.bind(2, m_clock.wall().count());
            insert.bind(3, run);
            insert.bind(4, end.version);
            insert.exec();
            finish_files(end.version);
            store_values(end.version, end.values);
            store_declarations(end);
        }
        if (end.undone) undo_records(end);
        if (end.cluster_version) raise_version(*end.cluster_version);
        event("attempt_finished", run, end.version,
              {{"outcome", to_string(end.outcome)}, {"message", end.message}});
    }

    void finish_files(const std::string& version) {
        const StatementUse update = m_database->statement(
            "UPDATE file_change SET finished = 1 WHERE finished = 0 AND version = ?");
        update.bind(1, version);
        update.exec();
    }

    void store_declarations(const AttemptEnd& end) {
        for (const Declaration& declaration : end.declarations) {
            const StatementUse insert = m_database->statement(
                "INSERT OR IGNORE INTO declaration (kind, name, version) VALUES (?, ?, ?)");
            insert.bind(1, declaration.kind);
            insert.bind(2, declaration.name);
            insert.bind(3, end.version);
            insert.exec();
        }
        for (const auto& [name, value] : end.parameters) {
            const StatementUse insert = m_database->statement(
                "INSERT OR REPLACE INTO parameter_value (name, value, version) VALUES (?, ?, ?)");
            insert.bind(1, name);
            insert.bind(2, value);
            insert.bind(3, end.version);
            insert.exec();
        }
    }

    void store_values(const std::string& version, const StateMap& values) {
        for (const auto& [key, value] : values) {
            const StatementUse insert = m_database->statement(
                "INSERT OR REPLACE INTO state_value (scope, key, value) VALUES (?, ?, ?)");
            insert.bind(1, stored_scope(key.first, version));
            insert.bind(2, key.second);
            insert.bind(3, value);
            insert.exec();
        }
    }

    void import_rest(const LedgerDump& dump) {
        const auto insert = [&](const char* sql, const std::vector<std::string>& values) {
            const StatementUse statement = m_database->statement(sql);
            for (std::size_t i = 0; i < values.size(); ++i)
                statement.bind(static_cast<int>(i) + 1, values[i]);
            statement.exec();
        };
        const std::string now = std::to_string(m_clock.wall().count());
        for (const SkippedUpgrade& skip : dump.skipped)
            insert("INSERT INTO skip (version, reason, actor, recorded_at) VALUES (?, ?, ?, ?)",
                   {skip.version, skip.reason, skip.actor, now});
        for (const LedgerDump::Pin& pin : dump.pins)
            insert("INSERT INTO pin (version, platform, digest) VALUES (?, ?, ?)",
                   {pin.version, pin.platform, pin.digest});
        for (const LedgerDump::Step& step : dump.steps)
            insert(
                "INSERT INTO step (version, id, position, run, finished_at) VALUES (?1, ?2, "
                "(SELECT count(*) FROM step WHERE version = ?1), '', ?3)",
                {step.version, step.id, now});
        for (const auto& [key, value] : dump.values)
            insert("INSERT INTO state_value (scope, key, value) VALUES (?, ?, ?)",
                   {key.first, key.second, value});
        for (const auto& [name, value] : dump.parameters)
            insert("INSERT INTO parameter_value (name, value, version) VALUES (?, ?, '')",
                   {name, value});
        for (const Declaration& declaration : dump.declared)
            insert("INSERT INTO declaration (kind, name, version) VALUES (?, ?, '')",
                   {declaration.kind, declaration.name});
    }

    void insert_done(const std::string& version, const std::string& tag,
                     const std::string& platform, const std::optional<Digest>& digest,
                     const std::string& run, const std::string& how,
                     std::optional<Time> recorded_at = std::nullopt) {
        const StatementUse insert = m_database->statement(
            "INSERT OR REPLACE INTO upgrade (version, tag, platform, digest, run, how, "
            "recorded_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)");
        insert.bind(1, version);
        insert.bind(2, tag);
        insert.bind(3, platform);
        bind_digest(insert, 4, digest);
        insert.bind(5, run);
        insert.bind(6, how);
        insert.bind(7, recorded_at.value_or(m_clock.wall()).count());
        insert.exec();
    }

    std::filesystem::path m_file;
    const Clock& m_clock;
    std::unique_ptr<LedgerDatabase> m_database;
    SqliteQueries m_queries;
    LeaseFile m_lease_file;
    std::string m_lease_owner;
};

}  // namespace

std::unique_ptr<Ledger> open_ledger(const std::filesystem::path& file, const Clock& clock) {
    return std::make_unique<SqliteLedger>(file, clock);
}

}  // namespace runner
