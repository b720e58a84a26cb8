// SPDX-License-Identifier: Apache-2.0
#include "ledger/sqlite_ledger.hpp"

#include <cstring>

#include "support/sha256.hpp"

namespace runner {
namespace {

constexpr int k_look_attempts = 10;

Time time_at(const SQLite::Column& column) {
    return Time(column.getInt64());
}

std::optional<SemanticVersion> version_at(const SQLite::Column& column) {
    if (column.isNull()) return std::nullopt;
    return SemanticVersion::parse(column.getString());
}

std::optional<Digest> digest_from_blob(const SQLite::Column& column) {
    Digest digest;
    if (column.isNull() || column.getBytes() != static_cast<int>(digest.bytes.size()))
        return std::nullopt;
    std::memcpy(digest.bytes.data(), column.getBlob(), digest.bytes.size());
    return digest;
}

/// Looks through a connection that nobody writes through; opened anew when a writer came meanwhile.
class SqliteLedgerView final : public LedgerView {
    template <typename Query>
    auto look(Query&& query) {
        for (int attempt = 0;; ++attempt) {
            try {
                SqliteQueries queries(m_database.get());
                auto answer = translate_sqlite(m_file.string(), [&] { return query(queries); });
                if (!m_database || m_database->still_current() || attempt == k_look_attempts)
                    return answer;
            } catch (const Error&) {
                if (!m_database || m_database->still_current() || attempt == k_look_attempts) throw;
            }
            m_database = LedgerDatabase::open_for_looking(m_file);
        }
    }

 public:
    explicit SqliteLedgerView(std::filesystem::path file)
        : m_file(std::move(file)), m_database(LedgerDatabase::open_for_looking(m_file)) {}

    LedgerFacts facts() override {
        return look([](SqliteQueries& queries) { return queries.facts(); });
    }
    std::vector<DoneRecord> done() override {
        return look([](SqliteQueries& queries) { return queries.done(); });
    }
    std::optional<LeaseInfo> lease() override {
        return look([](SqliteQueries& queries) { return queries.lease(); });
    }
    std::vector<RunRecord> runs(std::size_t limit, const std::string& upgrade) override {
        return look([&](SqliteQueries& queries) { return queries.runs(limit, upgrade); });
    }
    std::optional<RunRecord> run(const std::string& id) override {
        return look([&](SqliteQueries& queries) { return queries.run(id); });
    }
    std::vector<HandChange> changes_by_hand(std::size_t limit) override {
        return look([&](SqliteQueries& queries) { return queries.changes_by_hand(limit); });
    }
    std::vector<RunTally> tallies() override {
        return look([](SqliteQueries& queries) { return queries.tallies(); });
    }
    std::optional<Digest> pinned(const std::string& version, const std::string& platform) override {
        return look([&](SqliteQueries& queries) { return queries.pinned(version, platform); });
    }
    std::optional<AttemptedManifest> manifest_of(const std::string& version) override {
        return look([&](SqliteQueries& queries) { return queries.manifest_of(version); });
    }
    std::vector<std::string> finished_steps(const std::string& version) override {
        return look([&](SqliteQueries& queries) { return queries.finished_steps(version); });
    }
    std::optional<std::string> state_value(std::int32_t scope, const std::string& version,
                                           const std::string& key) override {
        return look(
            [&](SqliteQueries& queries) { return queries.state_value(scope, version, key); });
    }
    std::vector<FileIntent> changed_files(const std::string& version) override {
        return look([&](SqliteQueries& queries) { return queries.changed_files(version); });
    }
    std::vector<FileIntent> changed_later(const std::string& version) override {
        return look([&](SqliteQueries& queries) { return queries.changed_later(version); });
    }
    std::vector<LeftFile> files_as_left() override {
        return look([](SqliteQueries& queries) { return queries.files_as_left(); });
    }
    LedgerDump dump() override {
        return look([](SqliteQueries& queries) { return queries.dump(); });
    }
    LooseEnds loose_ends() override {
        return look([](SqliteQueries& queries) { return queries.loose_ends(); });
    }
    std::optional<std::int64_t> first_broken_event() override {
        return look([](SqliteQueries& queries) { return queries.first_broken_event(); });
    }
    std::optional<std::string> plan_key() override {
        return look([](SqliteQueries& queries) { return queries.plan_key(); });
    }

 private:
    std::filesystem::path m_file;
    std::unique_ptr<LedgerDatabase> m_database;
};

}  // namespace

std::unique_ptr<LedgerView> look_at_ledger(const std::filesystem::path& file) {
    return std::make_unique<SqliteLedgerView>(file);
}

std::string ledger_damage(const std::filesystem::path& file) {
    try {
        const auto database = LedgerDatabase::open_for_looking(file);
        if (!database) return {};
        return translate_sqlite(file.string(), [&] {
            const StatementUse check = database->statement("PRAGMA integrity_check(1)");
            const std::string words = check.executeStep() ? check.getColumn(0).getString() : "";
            return words == "ok" ? std::string() : words;
        });
    } catch (const Error& error) {
        if (error.failure() == Failure::refused) throw;  // it is another's, or newer: not damaged
        return error.what();
    }
}

Digest history_hash(const Digest& previous, std::int64_t seq, std::int64_t at,
                    const std::string& kind, const std::string& run, const std::string& version,
                    const std::string& detail) {
    std::string text(previous.bytes.begin(), previous.bytes.end());
    for (const std::string& part :
         {std::to_string(seq), std::to_string(at), kind, run, version, detail}) {
        text += std::to_string(part.size());
        text += ':';
        text += part;
    }
    return sha256(text);
}

LedgerFacts SqliteQueries::facts() {
    LedgerFacts facts;
    if (m_database == nullptr) return facts;
    const StatementUse cluster = m_database->statement(
        "SELECT name, region, account_id, original_version, cluster_version FROM cluster");
    if (cluster.executeStep()) {
        facts.identity =
            ClusterIdentity{cluster.getColumn(0), cluster.getColumn(1), cluster.getColumn(2)};
        facts.cluster.original_version = version_at(cluster.getColumn(3));
        facts.cluster.cluster_version = version_at(cluster.getColumn(4));
    }
    const StatementUse upgrades =
        m_database->statement("SELECT version, platform, digest FROM upgrade");
    while (upgrades.executeStep()) {
        facts.cluster.done.push_back({upgrades.getColumn(0).getString(),
                                      upgrades.getColumn(1).getString(),
                                      digest_from_blob(upgrades.getColumn(2))});
    }
    const StatementUse skips = m_database->statement("SELECT version, reason, actor FROM skip");
    while (skips.executeStep()) {
        facts.cluster.skipped.push_back({skips.getColumn(0).getString(),
                                         skips.getColumn(1).getString(),
                                         skips.getColumn(2).getString()});
    }
    const StatementUse declared = m_database->statement("SELECT kind, name FROM declaration");
    while (declared.executeStep())
        facts.declared.insert(
            {declared.getColumn(0).getString(), declared.getColumn(1).getString()});
    const StatementUse values = m_database->statement("SELECT name, value FROM parameter_value");
    while (values.executeStep())
        facts.parameter_values[values.getColumn(0).getString()] = values.getColumn(1).getString();
    const StatementUse unfinished =
        m_database->statement("SELECT 1 FROM run WHERE finished_at IS NULL LIMIT 1");
    facts.has_unfinished_run = unfinished.executeStep();
    const StatementUse files =
        m_database->statement("SELECT 1 FROM file_change WHERE finished = 0 LIMIT 1");
    facts.has_unfinished_files = files.executeStep();
    const StatementUse last = m_database->statement("SELECT coalesce(max(id), 0) FROM attempt");
    if (last.executeStep()) facts.last_attempt = last.getColumn(0).getInt64();
    facts.unsettled = unsettled();
    return facts;
}

std::vector<DoneRecord> SqliteQueries::done() {
    std::vector<DoneRecord> records;
    if (m_database == nullptr) return records;
    const StatementUse query = m_database->statement(
        "SELECT version, tag, platform, digest, run, how, recorded_at FROM upgrade ORDER BY "
        "position");
    while (query.executeStep()) {
        const auto digest = digest_from_blob(query.getColumn(3));
        records.push_back({query.getColumn(0), query.getColumn(1), query.getColumn(2),
                           digest ? digest->to_string() : "", query.getColumn(4),
                           query.getColumn(5), time_at(query.getColumn(6))});
    }
    return records;
}

std::optional<LeaseInfo> SqliteQueries::lease() {
    if (m_database == nullptr) return std::nullopt;
    const StatementUse query = m_database->statement(
        "SELECT owner, actor, host, pid, reason, acquired_at, heartbeat_at FROM lease");
    if (!query.executeStep()) return std::nullopt;
    LeaseInfo lease;
    lease.owner = query.getColumn(0).getString();
    lease.actor = query.getColumn(1).getString();
    lease.host = query.getColumn(2).getString();
    lease.pid = query.getColumn(3).getInt64();
    lease.reason = query.getColumn(4).getString();
    lease.acquired_at = time_at(query.getColumn(5));
    lease.heartbeat_at = time_at(query.getColumn(6));
    return lease;
}

std::vector<AttemptRecord> SqliteQueries::attempts(const std::string& run) {
    const StatementUse query = m_database->statement(
        "SELECT id, run, version, tag, digest, outcome, message, log, late, started_at, "
        "finished_at, apply_ms, verify_ms, coalesce(signer, '') "
        "FROM attempt WHERE run = ? ORDER BY id");
    query.bind(1, run);
    std::vector<AttemptRecord> records;
    while (query.executeStep()) {
        AttemptRecord record;
        record.id = query.getColumn(0).getInt64();
        record.run = query.getColumn(1).getString();
        record.version = query.getColumn(2).getString();
        record.tag = query.getColumn(3).getString();
        record.digest = query.getColumn(4).getString();
        record.outcome = query.getColumn(5).getString();
        record.message = query.getColumn(6).getString();
        record.log = query.getColumn(7).getString();
        record.late = query.getColumn(8).getInt() != 0;
        record.started_at = time_at(query.getColumn(9));
        if (!query.getColumn(10).isNull()) record.finished_at = time_at(query.getColumn(10));
        record.apply_time = time_at(query.getColumn(11));
        record.verify_time = time_at(query.getColumn(12));
        record.signer = query.getColumn(13).getString();
        records.push_back(std::move(record));
    }
    return records;
}

std::vector<RunRecord> SqliteQueries::runs(std::size_t limit, const std::string& upgrade) {
    if (m_database == nullptr) return {};
    const StatementUse query = m_database->statement(
        "SELECT id, command, actor, host, pid, runner_version, target, state, outcome, message, "
        "started_at, finished_at "
        "FROM run WHERE ?1 = '' OR id IN (SELECT run FROM attempt WHERE version = ?1) "
        "ORDER BY rowid DESC LIMIT ?2");
    query.bind(1, upgrade);
    query.bind(2, static_cast<std::int64_t>(limit));
    return read_runs(query);
}

std::optional<RunRecord> SqliteQueries::run(const std::string& id) {
    if (m_database == nullptr) return std::nullopt;
    const StatementUse query = m_database->statement(
        "SELECT id, command, actor, host, pid, runner_version, target, state, outcome, message, "
        "started_at, finished_at FROM run WHERE id = ?");
    query.bind(1, id);
    std::vector<RunRecord> records = read_runs(query);
    return records.empty() ? std::nullopt : std::optional(std::move(records.front()));
}

std::vector<RunTally> SqliteQueries::tallies() {
    std::vector<RunTally> tallies;
    if (m_database == nullptr) return tallies;
    const StatementUse query = m_database->statement(
        "SELECT command, outcome, count(*), sum(finished_at - started_at) FROM run "
        "WHERE outcome IS NOT NULL GROUP BY command, outcome ORDER BY command, outcome");
    while (query.executeStep()) {
        tallies.push_back({query.getColumn(0).getString(), query.getColumn(1).getString(),
                           query.getColumn(2).getInt64(), time_at(query.getColumn(3))});
    }
    return tallies;
}

std::vector<RunRecord> SqliteQueries::read_runs(const StatementUse& query) {
    std::vector<RunRecord> records;
    while (query.executeStep()) {
        RunRecord record;
        record.start.id = query.getColumn(0).getString();
        record.start.command = query.getColumn(1).getString();
        record.start.actor = query.getColumn(2).getString();
        record.start.host = query.getColumn(3).getString();
        record.start.pid = query.getColumn(4).getInt64();
        record.start.runner_version = query.getColumn(5).getString();
        record.start.target = query.getColumn(6).getString();
        record.state =
            run_state_from(query.getColumn(7).getString()).value_or(RunState::interrupted);
        record.outcome = query.getColumn(8).getString();
        record.message = query.getColumn(9).getString();
        record.started_at = time_at(query.getColumn(10));
        if (!query.getColumn(11).isNull()) record.finished_at = time_at(query.getColumn(11));
        records.push_back(std::move(record));
    }
    for (RunRecord& record : records) record.attempts = attempts(record.start.id);
    return records;
}

std::optional<Digest> SqliteQueries::pinned(const std::string& version,
                                            const std::string& platform) {
    if (m_database == nullptr) return std::nullopt;
    const StatementUse query =
        m_database->statement("SELECT digest FROM pin WHERE version = ? AND platform = ?");
    query.bind(1, version);
    query.bind(2, platform);
    return query.executeStep() ? Digest::parse(query.getColumn(0).getString()) : std::nullopt;
}

std::optional<AttemptedManifest> SqliteQueries::manifest_of(const std::string& version) {
    if (m_database == nullptr) return std::nullopt;
    const StatementUse query = m_database->statement(
        "SELECT form, manifest, has_check FROM attempt WHERE version = ? ORDER BY id DESC LIMIT 1");
    query.bind(1, version);
    if (!query.executeStep()) return std::nullopt;
    const std::string form = query.getColumn(0).getString();
    AttemptedManifest found{form == "executable" ? UpgradeForm::executable : UpgradeForm::plugin,
                            query.getColumn(1).getString(), query.getColumn(2).getInt() != 0};
    return found.text.empty() ? std::nullopt : std::optional(std::move(found));
}

std::vector<std::string> SqliteQueries::finished_steps(const std::string& version) {
    std::vector<std::string> steps;
    if (m_database == nullptr) return steps;
    const StatementUse query =
        m_database->statement("SELECT id FROM step WHERE version = ? ORDER BY position");
    query.bind(1, version);
    while (query.executeStep()) steps.push_back(query.getColumn(0).getString());
    return steps;
}

std::optional<std::string> SqliteQueries::state_value(std::int32_t scope,
                                                      const std::string& version,
                                                      const std::string& key) {
    if (m_database == nullptr) return std::nullopt;
    const StatementUse query =
        m_database->statement("SELECT value FROM state_value WHERE scope = ? AND key = ?");
    query.bind(1, stored_scope(scope, version));
    query.bind(2, key);
    return query.executeStep() ? std::optional<std::string>(query.getColumn(0).getString())
                               : std::nullopt;
}

LedgerDump SqliteQueries::dump() {
    LedgerDump dump;
    if (m_database == nullptr) return dump;
    LedgerFacts known = facts();
    if (known.identity) dump.identity = *known.identity;
    dump.original_version = known.cluster.original_version;
    dump.cluster_version = known.cluster.cluster_version;
    dump.done = done();
    dump.skipped = std::move(known.cluster.skipped);
    dump.parameters = std::move(known.parameter_values);
    dump.declared = std::move(known.declared);
    const StatementUse pins = m_database->statement("SELECT version, platform, digest FROM pin");
    while (pins.executeStep())
        dump.pins.push_back({pins.getColumn(0), pins.getColumn(1), pins.getColumn(2)});
    const StatementUse steps =
        m_database->statement("SELECT version, id FROM step ORDER BY version, position");
    while (steps.executeStep()) dump.steps.push_back({steps.getColumn(0), steps.getColumn(1)});
    const StatementUse values = m_database->statement("SELECT scope, key, value FROM state_value");
    while (values.executeStep())
        dump.values[{values.getColumn(0), values.getColumn(1)}] = values.getColumn(2).getString();
    return dump;
}

LooseEnds SqliteQueries::loose_ends() {
    LooseEnds ends;
    if (m_database == nullptr) return ends;
    const StatementUse open = m_database->statement(
        "SELECT count(*) FROM attempt a JOIN run r ON r.id = a.run WHERE a.outcome IS NULL AND "
        "r.finished_at IS NOT NULL");
    if (open.executeStep())
        ends.open_attempts = static_cast<std::size_t>(open.getColumn(0).getInt64());
    const StatementUse missing = m_database->statement("PRAGMA foreign_key_check");
    while (missing.executeStep()) ++ends.missing_references;
    return ends;
}

std::optional<std::int64_t> SqliteQueries::first_broken_event() {
    if (m_database == nullptr) return std::nullopt;
    const StatementUse query = m_database->statement(
        "SELECT seq, at, kind, run, version, detail, hash FROM history ORDER BY seq");
    Digest previous;
    std::int64_t expected = 1;
    while (query.executeStep()) {
        const std::int64_t seq = query.getColumn(0).getInt64();
        const Digest hash =
            history_hash(previous, seq, query.getColumn(1).getInt64(), query.getColumn(2),
                         query.getColumn(3), query.getColumn(4), query.getColumn(5));
        const auto stored = digest_from_blob(query.getColumn(6));
        if (seq != expected || !stored || *stored != hash) return seq;
        previous = hash;
        ++expected;
    }
    return std::nullopt;
}

std::optional<std::string> SqliteQueries::plan_key() {
    if (m_database == nullptr || m_database->is_migrated_copy()) return std::nullopt;
    const StatementUse query = m_database->statement("SELECT key FROM plan_key");
    return query.executeStep() ? std::optional(query.getColumn(0).getString()) : std::nullopt;
}

}  // namespace runner
