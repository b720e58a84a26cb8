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

    /// Writes what `change` brings, as long as that can be without a name: whoever dies before it
    /// is recorded leaves nothing behind.
    void write_unnamed(const PreparedChange& change) {
        if (m_files.size() >= k_max_unnamed) return;
        auto file = m_repository.make_unnamed(change.path, name_of(change.temporary), k_new_mode);
        if (file) write(std::move(*file), change);
    }

    /// Writes what is not written yet. Its name is recorded.
    void write_named(const PreparedChange& change) {
        if (m_files.count(change.path) == 0)
            write(m_repository.make(change.path, name_of(change.temporary), k_new_mode), change);
    }

    /// Replaces or removes the file of `change`, and syncs its folder.
    void put_in_place(const PreparedChange& change) {
        if (change.content == nullptr) {
            m_repository.remove(change.path);
            return;
        }
        write_named(change);
        const auto file = m_files.find(change.path);
        file->second.put_in_place();
        m_files.erase(file);
    }

 private:
    static constexpr mode_t k_new_mode = 0666;  ///< what the umask leaves of it

    void write(NewFile file, const PreparedChange& change) {
        const struct stat old = m_repository.status(change.path);
        if (S_ISREG(old.st_mode)) give_owner_and_mode(file.descriptor(), old, change.path);
        write_all(file.descriptor(), *change.content, change.path);
        sync_file(file.descriptor(), change.path);
        file.written();
        m_files.emplace(change.path, std::move(file));
    }

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
        PreparedChange entry;
        entry.path = path;
        if (m_repository.mode(path) != 0) {
            make_folders(backup_folder);
            entry.backup = backup_folder + '/' + std::to_string(++m_backups);
            m_repository.keep_original(path, entry.backup);
        }
        if (change.content) {
            entry.content = &*change.content;
            entry.temporary = name_before_commit(path, ::getpid());
            if (!is_below_removed(path, m_pending)) bytes.write_unnamed(entry);
        }
        prepared.push_back(entry);
    }
    const bool kept_any = std::any_of(prepared.begin(), prepared.end(),
                                      [](const auto& change) { return !change.backup.empty(); });
    if (kept_any) sync_folder(backup_folder);
    if (!prepared.empty()) recorded(prepared);
    for (const PreparedChange& change : prepared) {
        if (change.content != nullptr && !is_below_removed(change.path, m_pending))
            bytes.write_named(change);
    }
    for (const PreparedChange& change : prepared) bytes.put_in_place(change);
    for (const PreparedChange& change : prepared) {
        if (change.temporary.empty()) m_repository.remove_empty_folders(change.path);
    }
    m_pending.clear();
}

}  // namespace upgrade::services
