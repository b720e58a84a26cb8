// SPDX-License-Identifier: Apache-2.0
// Opening the ledger's file: for writing with full durability, or for looking without changing a
// byte.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>

#include "model/error.hpp"
#include "support/file.hpp"

namespace runner {

/// A prepared statement in use; reset at the end, since a query that was not read to its end keeps
/// its snapshot open, and the connection could then not write after anybody else had.
class StatementUse {
 public:
    explicit StatementUse(SQLite::Statement& statement) : m_statement(statement) {}
    ~StatementUse() { m_statement.tryReset(); }
    StatementUse(const StatementUse&) = delete;
    StatementUse& operator=(const StatementUse&) = delete;

    template <typename... Arguments>
    void bind(int index, const Arguments&... value) const {
        m_statement.bind(index, value...);
    }
    /// Whether there is another row.
    [[nodiscard]] bool executeStep() const { return m_statement.executeStep(); }
    /// How many rows were changed.
    int exec() const { return m_statement.exec(); }
    [[nodiscard]] SQLite::Column getColumn(int index) const { return m_statement.getColumn(index); }

 private:
    SQLite::Statement& m_statement;
};

/// A connection with its prepared statements.
class LedgerDatabase {
 public:
    /// For writing; makes folder, file and tables when they are not there. WAL, synchronous=FULL,
    /// foreign keys.
    static std::unique_ptr<LedgerDatabase> open_for_writing(const std::filesystem::path& file);

    /// For looking; null when there is no file. With no write-ahead log beside it the file is
    /// opened as immutable, so that SQLite makes no file and takes no lock; with one, a private
    /// copy is read. Works in a read-only folder.
    static std::unique_ptr<LedgerDatabase> open_for_looking(const std::filesystem::path& file);

    /// A prepared statement, reset and without bindings; `sql` must be a literal, and is its key.
    StatementUse statement(const char* sql);

    SQLite::Database& connection() { return *m_database; }

    /// For looking: whether the file is still what was opened. A writer that came since makes what
    /// was read doubtful.
    [[nodiscard]] bool still_current() const;

    /// For looking: whether the file is of an older format, and this a copy that was migrated.
    [[nodiscard]] bool is_migrated_copy() const { return m_migrated_copy; }

 private:
    static std::unique_ptr<LedgerDatabase> look_once(const std::filesystem::path& file,
                                                     const std::string& fingerprint);

    explicit LedgerDatabase(std::unique_ptr<SQLite::Database> database)
        : m_database(std::move(database)) {}

    std::unique_ptr<TemporaryFolder> m_copy;
    std::unique_ptr<SQLite::Database> m_database;
    std::unordered_map<const char*, std::unique_ptr<SQLite::Statement>> m_statements;
    std::filesystem::path m_file;
    std::string m_fingerprint;
    bool m_migrated_copy = false;
};

/// Runs `work` and translates what SQLite throws: Error{preparation} that names the ledger.
template <typename Work>
auto translate_sqlite(const std::string& file, Work&& work) {
    try {
        return work();
    } catch (const SQLite::Exception& error) {
        throw Error(Failure::preparation, "the ledger " + file + " cannot be used: " + error.what(),
                    "check the file and its folder; 'runner state repair' tells whether it is "
                    "damaged, and what can be done");
    }
}

}  // namespace runner
