// SPDX-License-Identifier: Apache-2.0
// How the files service makes changes on the disk: new bytes and originals first, then the record,
// then the names.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "services/files.hpp"

namespace upgrade::services {
namespace {

/// So many files without a name are open at once.
constexpr std::size_t k_max_unnamed = 256;

/// The new bytes of a commit, by path, beside the files that they are to replace.
class NewBytes {
 public:
    explicit NewBytes(const Repository& repository) : m_repository(repository) {}

    /// Writes and syncs what `change` brings; `old_mode`: of what is there, 0 for nothing.
    void write(const PreparedChange& change, mode_t old_mode) {
        const mode_t mode = old_mode != 0 ? old_mode & 07777U : 0666U;
        NewFile file = m_repository.make(change.path, name_of(change.temporary), mode,
                                         m_files.size() < k_max_unnamed);
        if (old_mode != 0 && ::fchmod(file.descriptor(), mode) != 0)
            fail("set the mode of " + change.path, errno);
        write_all(file.descriptor(), *change.content, change.path);
        sync_file(file.descriptor(), change.path);
        file.written();
        m_files.emplace(change.path, std::move(file));
    }

    /// Replaces or removes the file of `change`, and syncs its folder.
    void put_in_place(const PreparedChange& change) {
        if (change.content == nullptr) {
            m_repository.remove(change.path);
            return;
        }
        if (m_files.count(change.path) == 0) write(change, 0);
        const auto file = m_files.find(change.path);
        file->second.put_in_place();
        m_files.erase(file);
    }

 private:
    const Repository& m_repository;
    std::map<std::string, NewFile> m_files;
};

/// Whether a file goes that is now where a folder of `path` must be. What comes below it can be
/// written only after that.
bool is_below_removed(const std::string& path, const FileChanges& changes) {
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
        const auto change = changes.find(above);
        if (change != changes.end() && !change->second.content) return true;
    }
    return false;
}

}  // namespace

std::string name_before_commit(const std::string& path, long process) {
    return hidden_beside(path, ".upgrade-" + std::to_string(process));
}

bool is_name_before_commit(const std::string& name, const std::string& path) {
    const std::string before = name_before_commit(path, 0);
    const std::size_t digits = before.size() - 1;  // all but the 0
    return name.size() > digits && name.compare(0, digits, before, 0, digits) == 0 &&
           name.find_first_not_of("0123456789", digits) == std::string::npos;
}

void RepositoryFiles::commit(
    const std::string& backup_folder,
    const std::function<void(const std::vector<PreparedChange>&)>& recorded) {
    NewBytes bytes(m_repository);
    std::vector<PreparedChange> prepared;
    for (const auto& [path, change] : m_pending) {
        if (!is_made(path, change)) continue;
        const mode_t old_mode = m_repository.mode(path);
        PreparedChange entry;
        entry.path = path;
        if (old_mode != 0) {
            make_folders(backup_folder);
            entry.backup = backup_folder + '/' + std::to_string(++m_backups);
            m_repository.keep_original(path, entry.backup);
        }
        if (change.content) {
            entry.content = &*change.content;
            entry.temporary = name_before_commit(path, ::getpid());
            if (!is_below_removed(path, m_pending)) bytes.write(entry, old_mode);
        }
        prepared.push_back(entry);
    }
    const bool kept_any = std::any_of(prepared.begin(), prepared.end(),
                                      [](const auto& change) { return !change.backup.empty(); });
    if (kept_any) sync_folder(backup_folder);
    if (!prepared.empty()) recorded(prepared);
    for (const PreparedChange& change : prepared) bytes.put_in_place(change);
    for (const PreparedChange& change : prepared) {
        if (change.temporary.empty()) m_repository.remove_empty_folders(change.path);
    }
    m_pending.clear();
}

}  // namespace upgrade::services
