// SPDX-License-Identifier: Apache-2.0
// Finished steps, the files that they change, state values.
#include "ledger/sqlite_store.hpp"

namespace runner {
namespace {

void bind_number(const StatementUse& statement, int place, const auto& number) {
    if (number) {
        statement.bind(place, static_cast<std::int64_t>(*number));
    } else {
        statement.bind(place);
    }
}

}  // namespace

void SqliteLedger::record_files(const std::string& run, const std::string& version,
                                const std::string& step, const std::vector<FileIntent>& changes) {
    write([&] {
        require_lease();
        for (const FileIntent& change : changes) {
            const StatementUse insert = m_database->statement(
                "INSERT INTO file_change (run, version, step, path, temporary, backup, "
                "old_digest, new_digest, old_mode, new_mode, made_folders) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
            insert.bind(1, run);
            insert.bind(2, version);
            insert.bind(3, step);
            insert.bind(4, change.path);
            insert.bind(5, change.temporary);
            insert.bind(6, change.backup);
            insert.bind(7, change.old_digest ? change.old_digest->to_string() : "");
            insert.bind(8, change.new_digest ? change.new_digest->to_string() : "");
            bind_number(insert, 9, change.old_mode);
            bind_number(insert, 10, change.new_mode);
            bind_number(insert, 11, change.made_folders);
            insert.exec();
        }
    });
}

void SqliteLedger::record_step(const std::string& run, const std::string& version,
                               const std::string& step, const StateMap& values) {
    write([&] {
        require_lease();
        const StatementUse insert = m_database->statement(
            "INSERT OR REPLACE INTO step (version, id, position, run, finished_at) "
            "VALUES (?1, ?2, (SELECT coalesce(max(position), -1) + 1 FROM step WHERE version = "
            "?1), ?3, ?4)");
        insert.bind(1, version);
        insert.bind(2, step);
        insert.bind(3, run);
        insert.bind(4, m_clock.wall().count());
        insert.exec();
        finish_files(version);
        cover_effects(version);
        store_values(version, values);
        event("step_finished", run, version, {{"step", step}});
    });
}

void SqliteLedger::record_step_undone(const std::string& run, const std::string& version,
                                      const std::string& step, const StateMap& values) {
    write([&] {
        require_lease();
        const StatementUse remove =
            m_database->statement("DELETE FROM step WHERE version = ? AND id = ?");
        remove.bind(1, version);
        remove.bind(2, step);
        remove.exec();
        for (const FileIntent& change : undone_with(m_queries.changed_files(version), step)) {
            const StatementUse file =
                m_database->statement("UPDATE file_change SET finished = 0 WHERE id = ?");
            file.bind(1, change.number);
            file.exec();
        }
        cover_effects(version);
        store_values(version, values);
        event("step_undone", run, version, {{"step", step}});
    });
}

void SqliteLedger::record_files_undone(const std::string& run, const std::string& version) {
    write([&] {
        require_lease();
        const StatementUse remove = m_database->statement("DELETE FROM step WHERE version = ?");
        remove.bind(1, version);
        remove.exec();
        const StatementUse files =
            m_database->statement("UPDATE file_change SET finished = 0 WHERE version = ?");
        files.bind(1, version);
        files.exec();
        event("files_undone", run, version, {});
    });
}

void SqliteLedger::cover_effects(const std::string& version) {
    const StatementUse update = m_database->statement(
        "UPDATE attempt SET other_effects = 0 WHERE version = ? AND settled = 0 AND other_effects "
        "= 1");
    update.bind(1, version);
    update.exec();
}

void SqliteLedger::finish_files(const std::string& version) {
    const StatementUse update = m_database->statement(
        "UPDATE file_change SET finished = 1 WHERE finished = 0 AND version = ?");
    update.bind(1, version);
    update.exec();
}

void SqliteLedger::store_values(const std::string& version, const StateMap& values) {
    for (const auto& [key, value] : values) {
        const StatementUse insert = m_database->statement(
            "INSERT OR REPLACE INTO state_value (scope, key, value) VALUES (?, ?, ?)");
        insert.bind(1, stored_scope(key.first, version));
        insert.bind(2, key.second);
        insert.bind(3, value);
        insert.exec();
    }
}

std::vector<UnfinishedFiles> SqliteLedger::unfinished_files() {
    return by_version(answer([](SqliteQueries& queries) { return queries.unfinished_files(); }));
}

void SqliteLedger::forget_unfinished_files() {
    write([this] {
        if (m_database->connection().exec("DELETE FROM file_change WHERE finished = 0") > 0) {
            event("unfinished_files_restored", "", "", Json::object());
        }
    });
}

std::vector<std::string> SqliteLedger::forget_old_originals(std::size_t kept) {
    std::vector<std::string> versions;
    write([&] {
        const StatementUse query = m_database->statement(
            "SELECT version FROM upgrade u WHERE EXISTS (SELECT 1 FROM file_change f WHERE "
            "f.version = u.version AND f.kept = 1 AND f.backup <> '') "
            "ORDER BY position DESC LIMIT -1 OFFSET ?");
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

}  // namespace runner
