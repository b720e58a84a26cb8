// SPDX-License-Identifier: Apache-2.0
#include "engine/recovery.hpp"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_file = 256U << 20U;

/// The original in its place, durably; a folder that was made for the file goes with it.
void put_back(const FileIntent& change, const fs::path& repository) {
    const fs::path path = repository / change.path;
    if (!change.backup.empty()) {
        replace_file(path, read_file(change.backup, k_max_file));
        fs::permissions(path, fs::status(change.backup).permissions());
        return;
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        throw system_error("cannot remove " + path.string(), errno);
    fs::path folder = path.parent_path();
    sync_folder(folder);
    while (folder != repository && ::rmdir(folder.c_str()) == 0) folder = folder.parent_path();
}

}  // namespace

void remove_old_originals(Ledger& ledger, const fs::path& ledger_file) {
    for (const std::string& version : ledger.forget_old_originals(k_kept_originals)) {
        std::error_code ignored;  // what is left takes space and nothing else
        fs::remove_all(originals_beside(ledger_file, version), ignored);
    }
}

std::optional<Digest> digest_at(const fs::path& path) {
    const auto content = read_file_if_there(path, k_max_file);
    return content ? std::optional(sha256(*content)) : std::nullopt;
}

std::vector<std::string> changed_by_hand(LedgerView& ledger, const std::string& version,
                                         const fs::path& repository) {
    std::vector<std::string> changed;
    std::map<std::string, bool> known;  // by path: as one of its changes left or found it
    for (const FileIntent& change : ledger.changed_files(version)) {
        const auto now = digest_at(repository / change.path);
        known[change.path] =
            known[change.path] || now == change.new_digest || now == change.old_digest;
    }
    for (const auto& [path, as_left] : known) {
        if (!as_left) changed.push_back(path);
    }
    return changed;
}

void restore_changed_files(LedgerView& ledger, const std::string& version,
                           const fs::path& repository) {
    // Newest first; all are put back, so that dying on the way and doing it again ends the same.
    for (const FileIntent& change : ledger.changed_files(version)) {
        if (!change.temporary.empty()) ::unlink((repository / change.temporary).c_str());
        if (digest_at(repository / change.path) == change.old_digest) continue;
        put_back(change, repository);
    }
}

std::vector<std::string> restore_unfinished_files(Ledger& ledger,
                                                  const std::filesystem::path& repository,
                                                  bool force) {
    std::vector<std::string> notes;
    const std::vector<UnfinishedFiles> unfinished = ledger.unfinished_files();
    for (const UnfinishedFiles& files : unfinished) {
        std::size_t restored = 0;
        for (const FileIntent& change : files.changes) {
            if (!change.temporary.empty()) ::unlink((repository / change.temporary).c_str());
            const std::filesystem::path path = repository / change.path;
            const auto now = digest_at(path);
            if (now == change.old_digest) continue;
            if (now != change.new_digest && !force) {
                notes.push_back(change.path + " was changed by hand after " + files.version +
                                " was interrupted; it is left as it is");
                continue;
            }
            put_back(change, repository);
            ++restored;
        }
        if (restored > 0) {
            notes.push_back("put back " + std::to_string(restored) +
                            " file(s) that an unfinished step of " + files.version +
                            " had changed");
        }
    }
    if (!unfinished.empty()) ledger.forget_unfinished_files();
    return notes;
}

}  // namespace runner
