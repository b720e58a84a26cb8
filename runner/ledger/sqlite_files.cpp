// SPDX-License-Identifier: Apache-2.0
// What upgrades have begun and left: file changes, and upgrades that are not settled.
#include "ledger/sqlite_ledger.hpp"

namespace runner {

namespace {

/// A query for file_intent. `rest`: from where on; file_change is called f there.
std::string select_files(const std::string& rest) {
    return "SELECT f.path, f.temporary, f.backup, f.old_digest, f.new_digest, f.kept, f.version, "
           "f.id, f.step, f.finished, f.old_mode, f.new_mode, f.made_folders " +
           rest;
}

/// A column that may be empty.
template <typename Number>
std::optional<Number> number_in(const StatementUse& query, int column) {
    const auto value = query.getColumn(column);
    if (value.isNull()) return std::nullopt;
    return static_cast<Number>(value.getInt64());
}

FileIntent file_intent(const StatementUse& query) {
    FileIntent intent;
    intent.path = query.getColumn(0).getString();
    intent.temporary = query.getColumn(1).getString();
    intent.backup = query.getColumn(2).getString();
    intent.old_digest = Digest::parse(query.getColumn(3).getString());
    intent.new_digest = Digest::parse(query.getColumn(4).getString());
    intent.kept = query.getColumn(5).getInt() != 0;
    intent.version = query.getColumn(6).getString();
    intent.number = query.getColumn(7).getInt64();
    intent.step = query.getColumn(8).getString();
    intent.finished = query.getColumn(9).getInt() != 0;
    intent.old_mode = number_in<unsigned>(query, 10);
    intent.new_mode = number_in<unsigned>(query, 11);
    intent.made_folders = number_in<std::size_t>(query, 12);
    return intent;
}

}  // namespace

std::vector<FileIntent> SqliteQueries::changed_files(const std::string& version) {
    std::vector<FileIntent> changes;
    if (m_database == nullptr) return changes;
    static const std::string text =
        select_files("FROM file_change f WHERE version = ? ORDER BY id DESC");
    const StatementUse query = m_database->statement(text.c_str());
    query.bind(1, version);
    while (query.executeStep()) changes.push_back(file_intent(query));
    return changes;
}

std::vector<FileIntent> SqliteQueries::changed_later(const std::string& version) {
    std::vector<FileIntent> changes;
    if (m_database == nullptr) return changes;
    // What is newer than its own newest change is another's. CROSS JOIN: its own files first.
    static const std::string text = select_files(
        "FROM (SELECT path, max(id) AS newest FROM file_change WHERE version = ? GROUP BY path) o "
        "CROSS JOIN file_change f ON f.path = o.path AND f.id > o.newest ORDER BY f.id DESC");
    const StatementUse query = m_database->statement(text.c_str());
    query.bind(1, version);
    while (query.executeStep()) changes.push_back(file_intent(query));
    return changes;
}

std::vector<FileIntent> SqliteQueries::unfinished_files() {
    std::vector<FileIntent> changes;
    if (m_database == nullptr) return changes;
    static const std::string text =
        select_files("FROM file_change f WHERE finished = 0 ORDER BY id DESC");
    const StatementUse query = m_database->statement(text.c_str());
    while (query.executeStep()) changes.push_back(file_intent(query));
    return changes;
}

std::vector<LeftFile> SqliteQueries::files_as_left() {
    std::vector<LeftFile> files;
    if (m_database == nullptr) return files;
    const StatementUse query = m_database->statement(
        "SELECT path, version, new_digest, new_mode FROM file_change WHERE id IN (SELECT max(id) "
        "FROM "
        "file_change WHERE finished = 1 AND version IN (SELECT version FROM upgrade) GROUP BY "
        "path) ORDER BY path");
    while (query.executeStep())
        files.push_back(
            {query.getColumn(0).getString(),
             query.getColumn(1).getString(),
             {Digest::parse(query.getColumn(2).getString()), number_in<unsigned>(query, 3)}});
    return files;
}

std::vector<UnsettledUpgrade> SqliteQueries::unsettled() {
    const StatementUse query = m_database->statement(
        "SELECT a.version, tag, platform, digest, run, outcome, message, "
        "EXISTS (SELECT 1 FROM upgrade u WHERE u.version = a.version), "
        "EXISTS (SELECT 1 FROM file_change f WHERE f.version = a.version AND f.finished = 1), "
        "is_undo, newest.other "
        "FROM (SELECT max(id) AS id, max(other_effects) AS other FROM attempt INDEXED BY "
        "attempt_unsettled WHERE settled = 0 GROUP BY version) newest "
        "CROSS JOIN attempt a ON a.id = newest.id ORDER BY a.id DESC");
    std::vector<UnsettledUpgrade> all;
    while (query.executeStep()) {
        UnsettledUpgrade one;
        one.version = query.getColumn(0).getString();
        one.tag = query.getColumn(1).getString();
        one.platform = query.getColumn(2).getString();
        one.digest = query.getColumn(3).getString();
        one.run = query.getColumn(4).getString();
        one.outcome = outcome_from(query.getColumn(5).getString());
        one.message = query.getColumn(6).getString();
        one.done = query.getColumn(7).getInt() != 0;
        one.has_files = query.getColumn(8).getInt() != 0;
        one.is_undo = query.getColumn(9).getInt() != 0;
        one.other_effects = query.getColumn(10).getInt() != 0;
        one.finished_steps = finished_steps(one.version);
        all.push_back(std::move(one));
    }
    return all;
}

}  // namespace runner
