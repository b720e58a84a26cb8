// SPDX-License-Identifier: Apache-2.0
// How the files service makes changes on the disk: new bytes and originals first, then the record,
// then the names.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "services/files.hpp"

namespace upgrade::services {
namespace {

/// So many files without a name are open at once.
constexpr std::size_t k_max_unnamed = 256;

/// A change on its way to the disk.
struct Change {
    PreparedChange prepared;
    std::string source;    ///< the file whose owner, mode and attributes it gets, if it is there
    std::string original;  ///< the kept original of that; empty: it stays where it is
    bool moved = false;
};

void append(std::vector<std::string>& all, std::vector<std::string> more) {
    for (std::string& one : more) all.push_back(std::move(one));
}

/// The bits that chmod sets, of an open file.
unsigned mode_of(int file, const std::string& what) {
    struct stat status {};
    if (::fstat(file, &status) != 0) fail("look at " + what, errno);
    return status.st_mode & k_mode_bits;
}

/// Whether a file goes that is now where a folder of `path` must be. What comes below it can be
/// written only after that.
bool is_below_removed(const std::string& path, const FileChanges& changes) {
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
        const auto change = changes.find(above);
        if (change != changes.end() && !change->second.content) return true;
    }
    return false;
}

/// One commit, in the order of its functions. Calls may throw Refusal.
class Commit {
 public:
    Commit(const Repository& repository, const FileChanges& changes, std::string backup_folder)
        : m_repository(repository), m_all(changes), m_backup_folder(std::move(backup_folder)) {}

    /// Takes up one of the changes. `backup`: the name of its original.
    void add(const std::string& path, const FileChange& change, const std::string& backup) {
        Change one;
        one.prepared.path = path;
        if (m_repository.mode(path) != 0) one.prepared.backup = m_backup_folder + '/' + backup;
        if (change.content) {
            one.prepared.content = &*change.content;
            one.prepared.temporary = name_before_commit(path, ::getpid());
            one.prepared.made_folders = m_repository.count_missing_folders(path);
            one.moved = !change.moved_from.empty();
            one.source = one.moved ? change.moved_from : path;
        }
        m_changes.push_back(std::move(one));
    }

    /// Copies what goes or is replaced.
    void keep_originals() {
        std::map<std::string, std::string> originals;
        for (const Change& change : m_changes) {
            const PreparedChange& prepared = change.prepared;
            if (prepared.backup.empty()) continue;
            make_folders(m_backup_folder);
            append(m_not_kept, m_repository.keep_original(prepared.path, prepared.backup));
            if (prepared.content == nullptr)
                append(m_not_kept, m_repository.keep_folders(prepared.path, m_backup_folder));
            originals[prepared.path] = prepared.backup;
        }
        if (!originals.empty()) sync_folder(m_backup_folder);
        for (Change& change : m_changes) {
            const auto original = originals.find(change.source);
            if (original != originals.end()) change.original = original->second;
        }
    }

    /// Writes new bytes as long as that can be without a name: whoever dies before it is recorded
    /// leaves nothing behind. Then it is known which mode they have.
    void write_unnamed() {
        for (Change& change : m_changes) {
            PreparedChange& prepared = change.prepared;
            if (prepared.content == nullptr) continue;
            const Descriptor like = source_of(change);
            if (like) prepared.mode = mode_of(like.get(), change.source);
            if (m_files.size() >= k_max_unnamed || is_below_removed(prepared.path, m_all)) continue;
            auto file = m_repository.make_unnamed(prepared.path, name_of(prepared.temporary),
                                                  first_mode(like));
            if (!file) continue;
            write(*file, change, like);
            prepared.mode = mode_of(file->descriptor(), prepared.path);
            file->written();
            m_files.emplace(prepared.path, std::move(*file));
        }
    }

    [[nodiscard]] std::vector<PreparedChange> prepared() const {
        std::vector<PreparedChange> all;
        for (const Change& change : m_changes) all.push_back(change.prepared);
        return all;
    }

    /// Writes what is not written yet, now that its name is recorded, and gives all their names.
    void make() {
        for (const Change& change : m_changes) {
            if (!is_below_removed(change.prepared.path, m_all)) write_named(change);
        }
        for (const Change& change : m_changes) {
            if (change.prepared.content == nullptr) {
                m_repository.remove(change.prepared.path);
                continue;
            }
            write_named(change);
            const auto file = m_files.find(change.prepared.path);
            file->second.put_in_place();
            m_files.erase(file);
        }
        for (const Change& change : m_changes) {
            if (change.prepared.content == nullptr)
                m_repository.remove_empty_folders(change.prepared.path);
        }
    }

    /// What of owners, modes and attributes could not be kept, each in words.
    [[nodiscard]] std::vector<std::string> not_kept() const {
        const std::set<std::string> once(m_not_kept.begin(), m_not_kept.end());
        return {once.begin(), once.end()};
    }

 private:
    /// Nobody but its owner reads it before it has its own mode. Of a new one: what the umask
    /// leaves.
    static mode_t first_mode(const Descriptor& like) { return like ? 0600 : 0666; }

    /// The file whose attributes a change gets; an empty descriptor: it is new.
    [[nodiscard]] Descriptor source_of(const Change& change) const {
        if (!change.original.empty()) {
            Descriptor kept(::open(change.original.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
            if (!kept) fail("open the original of " + change.source, errno);
            return kept;
        }
        const bool is_file = S_ISREG(m_repository.mode(change.source));
        return is_file ? m_repository.open_file(change.source) : Descriptor(-1);
    }

    void write_named(const Change& change) {
        const PreparedChange& prepared = change.prepared;
        if (prepared.content == nullptr || m_files.count(prepared.path) != 0) return;
        const Descriptor like = source_of(change);
        NewFile file =
            m_repository.make(prepared.path, name_of(prepared.temporary), first_mode(like));
        write(file, change, like);
        file.written();
        m_files.emplace(prepared.path, std::move(file));
    }

    void write(const NewFile& file, const Change& change, const Descriptor& like) {
        const std::string& path = change.prepared.path;
        write_all(file.descriptor(), *change.prepared.content, path);
        // After the bytes, for writing clears bits of the mode.
        if (like) {
            const bool same =
                change.moved && read_regular(like, change.source) == *change.prepared.content;
            const Times times = same ? Times::copied : Times::new_ones;
            append(m_not_kept, copy_attributes(like.get(), file.descriptor(), times, path));
        }
        sync_file(file.descriptor(), path);
    }

    const Repository& m_repository;
    const FileChanges& m_all;
    std::string m_backup_folder;
    std::vector<Change> m_changes;
    std::map<std::string, NewFile> m_files;  ///< not in place yet, by path
    std::vector<std::string> m_not_kept;
};

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

std::vector<std::string> RepositoryFiles::commit(
    const std::string& backup_folder,
    const std::function<void(const std::vector<PreparedChange>&)>& recorded) {
    Commit commit(m_repository, m_pending, backup_folder);
    for (const auto& [path, change] : m_pending) {
        if (is_made(path, change)) commit.add(path, change, std::to_string(++m_backups));
    }
    commit.keep_originals();
    commit.write_unnamed();
    const std::vector<PreparedChange> prepared = commit.prepared();
    if (!prepared.empty()) recorded(prepared);
    commit.make();
    m_pending.clear();
    return commit.not_kept();
}

}  // namespace upgrade::services
