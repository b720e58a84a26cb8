// SPDX-License-Identifier: Apache-2.0
#include "ledger/database.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <utility>

#include "ledger/schema.hpp"
#include "support/read.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr int k_busy_timeout_ms = 5000;
constexpr int k_copy_attempts = 20;
constexpr std::size_t k_max_ledger = 1ULL << 31U;

/// What changes when somebody writes the file: its size, its times, and those of its write-ahead
/// log.
std::string fingerprint_of(const fs::path& file) {
    std::string text;
    for (const std::string& name : {file.string(), file.string() + "-wal"}) {
        struct stat status {};
        if (::stat(name.c_str(), &status) != 0) {
            text += "none;";
            continue;
        }
        text += std::to_string(status.st_ino) + ',' + std::to_string(status.st_size) + ',' +
                std::to_string(status.st_mtim.tv_sec) + '.' +
                std::to_string(status.st_mtim.tv_nsec) + ';';
    }
    return text;
}

bool has_log(const fs::path& file) {
    struct stat status {};
    return ::stat((file.string() + "-wal").c_str(), &status) == 0 && status.st_size > 0;
}

/// The file and its log as of one moment: a checkpoint in between shows in the file's own times.
void copy_ledger(const fs::path& file, const fs::path& folder) {
    const fs::path copy = folder / "ledger.db";
    for (int attempt = 0; attempt < k_copy_attempts; ++attempt) {
        struct stat before {};
        struct stat after {};
        ::stat(file.c_str(), &before);
        replace_file(copy, read_file(file, k_max_ledger), Durability::replaceable);
        const auto log = read_file_if_there(file.string() + "-wal", k_max_ledger);
        replace_file(copy.string() + "-wal", log.value_or(""), Durability::replaceable);
        ::stat(file.c_str(), &after);
        const bool same = before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
                          before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
                          before.st_size == after.st_size;
        if (same) return;
    }
    throw Error(Failure::preparation,
                "the ledger " + file.string() + " changes too fast to be read", "try again");
}

std::string as_uri(const fs::path& file) {
    std::string uri = "file:";
    for (const char c : fs::absolute(file).string()) {
        if (c == '?' || c == '#' || c == '%') {
            static constexpr char k_digits[] = "0123456789ABCDEF";
            uri += {'%', k_digits[static_cast<unsigned char>(c) >> 4U],
                    k_digits[static_cast<unsigned char>(c) & 15U]};
        } else {
            uri += c;
        }
    }
    return uri;
}

}  // namespace

std::unique_ptr<LedgerDatabase> LedgerDatabase::open_for_writing(const fs::path& file) {
    if (!file.parent_path().empty()) make_folders(file.parent_path());
    // Two that make the same new file get in each other's way, and SQLite waits for neither: one
    // after the other.
    const std::string folder = file.parent_path().empty() ? "." : file.parent_path().string();
    const UniqueFd turn(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!turn || ::flock(turn.get(), LOCK_EX) != 0)
        throw system_error("cannot lock the folder " + folder, errno);
    return translate_sqlite(file.string(), [&] {
        auto database = std::make_unique<SQLite::Database>(
            file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, k_busy_timeout_ms);
        if (database->execAndGet("PRAGMA journal_mode").getString() != "wal")
            database->exec("PRAGMA journal_mode = WAL");
        database->exec("PRAGMA synchronous = FULL");
        database->exec("PRAGMA foreign_keys = ON");
        migrate_schema(*database, file.string());
        return std::unique_ptr<LedgerDatabase>(new LedgerDatabase(std::move(database)));
    });
}

std::unique_ptr<LedgerDatabase> LedgerDatabase::open_for_looking(const fs::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return nullptr;
        throw system_error("cannot look at the ledger " + file.string(), errno);
    }
    // What fails while a writer is at work is looked at again: only what stands still is judged.
    for (int attempt = 0;; ++attempt) {
        const std::string fingerprint = fingerprint_of(file);
        try {
            return look_once(file, fingerprint);
        } catch (const Error&) {
            if (attempt == k_copy_attempts || fingerprint_of(file) == fingerprint) throw;
        }
    }
}

std::unique_ptr<LedgerDatabase> LedgerDatabase::look_once(const fs::path& file,
                                                          const std::string& fingerprint) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0 || status.st_size == 0) return nullptr;
    return translate_sqlite(file.string(), [&]() -> std::unique_ptr<LedgerDatabase> {
        std::unique_ptr<TemporaryFolder> copy;
        std::string uri = as_uri(file) + "?mode=ro&immutable=1";
        const auto use_copy = [&] {
            copy = std::make_unique<TemporaryFolder>("runner-ledger");
            copy_ledger(file, copy->path());
            uri = as_uri(copy->path() / "ledger.db");
        };
        const auto open = [&] {
            const int flags =
                SQLite::OPEN_URI | (copy ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY);
            return std::make_unique<SQLite::Database>(uri, flags, k_busy_timeout_ms);
        };
        if (has_log(file)) use_copy();
        auto database = open();
        const SchemaAge age = check_schema(*database, file.string());
        if (age == SchemaAge::empty) return nullptr;
        if (age == SchemaAge::older) {
            if (!copy) {
                database.reset();
                use_copy();
                database = open();
            }
            migrate_schema(*database, file.string());
        }
        std::unique_ptr<LedgerDatabase> made(new LedgerDatabase(std::move(database)));
        made->m_copy = std::move(copy);
        made->m_file = file;
        made->m_fingerprint = fingerprint;
        made->m_migrated_copy = age == SchemaAge::older;
        return made;
    });
}

bool LedgerDatabase::still_current() const {
    return m_copy != nullptr || fingerprint_of(m_file) == m_fingerprint;
}

StatementUse LedgerDatabase::statement(const char* sql) {
    auto& prepared = m_statements[sql];
    if (!prepared) {
        prepared = std::make_unique<SQLite::Statement>(*m_database, sql);
    } else {
        prepared->reset();
        prepared->clearBindings();
    }
    return StatementUse(*prepared);
}

}  // namespace runner
