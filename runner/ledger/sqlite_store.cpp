// SPDX-License-Identifier: Apache-2.0
#include "ledger/sqlite_store.hpp"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ledger/refusals.hpp"
#include "support/file.hpp"

namespace runner {

void bind_digest(const StatementUse& statement, int index, const std::optional<Digest>& digest) {
    if (digest) {
        statement.bind(index, digest->bytes.data(), static_cast<int>(digest->bytes.size()));
    } else {
        statement.bind(index);
    }
}

void SqliteLedger::event(const char* kind, const std::string& run, const std::string& version,
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

void SqliteLedger::copy_to(const std::filesystem::path& file) {
    make_folders(file.parent_path());
    const std::filesystem::path temporary = file.string() + ".new";
    ::unlink(temporary.c_str());
    translate_sqlite(m_file.string(), [&] {
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

void SqliteLedger::set_identity(const ClusterIdentity& identity) {
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

void SqliteLedger::set_original_version(const SemanticVersion& version) {
    write([&] {
        const auto known = m_queries.facts().cluster.original_version;
        if (known && *known != version) throw original_is_fixed(*known, version);
        const StatementUse update = m_database->statement(
            "UPDATE cluster SET original_version = ?1, cluster_version = "
            "coalesce(cluster_version, ?1)");
        update.bind(1, version.to_string());
        update.exec();
        event("original_version_set", "", "", {{"version", version.to_string()}});
    });
}

void SqliteLedger::raise_cluster_version(const SemanticVersion& version, const std::string& run) {
    write([&] {
        raise_version(version);
        event("cluster_version_raised", run, "", {{"to", version.to_string()}});
    });
}

void SqliteLedger::raise_version(const SemanticVersion& version) {
    const StatementUse query = m_database->statement("SELECT cluster_version FROM cluster");
    const bool known = query.executeStep() && !query.getColumn(0).isNull();
    if (known && SemanticVersion::parse(query.getColumn(0).getString()) >= version) return;
    set_version(version);
}

void SqliteLedger::set_version(const SemanticVersion& version) {
    const StatementUse update = m_database->statement("UPDATE cluster SET cluster_version = ?");
    update.bind(1, version.to_string());
    update.exec();
}

void SqliteLedger::correct_version(const SemanticVersion& version, const std::string& actor,
                                   const std::string& reason) {
    write([&] {
        const LedgerFacts known = m_queries.facts();
        check_correction(known.identity, known.cluster.original_version, version);
        set_version(version);
        const auto& from = known.cluster.cluster_version;
        event("version_corrected", "", "",
              {{"from", from ? Json(from->to_string()) : Json()},
               {"to", version.to_string()},
               {"actor", actor},
               {"reason", reason}});
    });
}

namespace {

class SqliteStore final : public LedgerStore {
 public:
    SqliteStore(std::filesystem::path file, const Clock& clock)
        : m_file(std::move(file)), m_clock(clock) {}
    std::unique_ptr<LedgerView> look() override { return look_at_ledger(m_file); }
    std::unique_ptr<Ledger> open() override { return open_ledger(m_file, m_clock); }

 private:
    std::filesystem::path m_file;
    const Clock& m_clock;
};

}  // namespace

std::unique_ptr<LedgerStore> make_sqlite_store(std::filesystem::path file, const Clock& clock) {
    return std::make_unique<SqliteStore>(std::move(file), clock);
}

std::unique_ptr<Ledger> open_ledger(const std::filesystem::path& file, const Clock& clock) {
    return std::make_unique<SqliteLedger>(file, clock);
}

}  // namespace runner
