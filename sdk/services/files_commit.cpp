// SPDX-License-Identifier: Apache-2.0
// How the files service makes changes on the disk: new bytes and originals first, then the record,
// then the names.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "services/beneath.hpp"
#include "services/files.hpp"

namespace upgrade::services {
namespace {

void write_all(int fd, std::string_view bytes, const std::string& what) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("write " + what, errno);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void write_synced(int fd, std::string_view bytes, const std::string& what) {
    write_all(fd, bytes, what);
    if (::fsync(fd) != 0) fail("sync " + what, errno);
}

void sync_folder(int fd, const std::string& what) {
    if (::fsync(fd) != 0) fail("sync the folder of " + what, errno);
}

/// Removes temporary files that were not renamed.
class Temporaries {
 public:
    explicit Temporaries(const std::string& root) : m_root(root) {}
    ~Temporaries() {
        for (const std::string& path : m_paths) ::unlink((m_root + '/' + path).c_str());
    }
    Temporaries(const Temporaries&) = delete;
    Temporaries& operator=(const Temporaries&) = delete;
    void add(const std::string& path) { m_paths.insert(path); }
    void renamed(const std::string& path) { m_paths.erase(path); }

 private:
    const std::string& m_root;
    std::set<std::string> m_paths;
};

/// Files that are written and have no name yet: whoever dies here leaves nothing behind.
class UnnamedFiles {
 public:
    /// A new one in `folder`; -1 where the file system has none, or too many are open.
    int open(int folder, mode_t mode) {
#if defined(O_TMPFILE)
        if (m_files.size() < k_max_unnamed) {
            const int fd = ::openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
            if (fd >= 0) return fd;
        }
#else
        (void)folder;
        (void)mode;
#endif
        return -1;
    }
    void keep(const std::string& path, Descriptor file) {
        m_files.emplace(path, std::move(file));
    }
    /// Gives the one that was kept for `path` this name in its folder; nothing where there is none.
    void name(const std::string& path, int folder, const std::string& name) {
        const auto found = m_files.find(path);
        if (found == m_files.end()) return;
        const std::string file = "/proc/self/fd/" + std::to_string(found->second.get());
        ::unlinkat(folder, name.c_str(), 0);
        if (::linkat(AT_FDCWD, file.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
            fail("write beside " + path, errno);
        m_files.erase(found);
    }

 private:
    static constexpr std::size_t k_max_unnamed = 256;
    std::map<std::string, Descriptor> m_files;
};

/// The new bytes of a commit, beside the files that they are to replace. What was not put in place
/// goes when this does.
class NewBytes {
 public:
    explicit NewBytes(const std::string& root) : m_root(root), m_temporaries(root) {}

    /// Writes and syncs what `change` brings; `old_mode`: of what is there, 0 for nothing.
    void write(PreparedChange& change, mode_t old_mode) {
        const std::string parent = parent_of(change.path);
        const Descriptor folder = open_folder(m_root, parent, true);
        if (!folder) fail("open the folder of " + change.path, errno);
        const std::string name =
            "." + name_of(change.path) + ".upgrade-" + std::to_string(::getpid());
        const mode_t mode = old_mode != 0 ? old_mode & 07777U : 0666U;
        change.temporary = parent.empty() ? name : parent + '/' + name;
        Descriptor file(m_unnamed.open(folder.get(), mode));
        const bool has_name = !file;
        if (has_name) {
            file =
                Descriptor(::openat(folder.get(), name.c_str(),
                                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
        }
        if (!file) fail("write beside " + change.path, errno);
        m_temporaries.add(change.temporary);
        if (old_mode != 0 && ::fchmod(file.get(), mode) != 0)
            fail("set the mode of " + change.path, errno);
        write_synced(file.get(), *change.content, change.path);
        if (!has_name) m_unnamed.keep(change.path, std::move(file));
    }

    /// Replaces or removes the file of `change`, and syncs its folder.
    void put_in_place(const PreparedChange& change) {
        const Descriptor folder = open_folder(m_root, parent_of(change.path), false);
        if (!folder) fail("open the folder of " + change.path, errno);
        const std::string name = name_of(change.path);
        if (!change.temporary.empty())
            m_unnamed.name(change.path, folder.get(), name_of(change.temporary));
        const int result = change.temporary.empty()
                               ? ::unlinkat(folder.get(), name.c_str(), 0)
                               : ::renameat(folder.get(), name_of(change.temporary).c_str(),
                                            folder.get(), name.c_str());
        if (result != 0) fail("replace " + change.path, errno);
        m_temporaries.renamed(change.temporary);
        sync_folder(folder.get(), change.path);
    }

 private:
    const std::string& m_root;
    Temporaries m_temporaries;
    UnnamedFiles m_unnamed;
};

/// Gives `file` the owner, group, mode and times of `status`. Owner and group only as far as that
/// is permitted: they say whose it was, and are no part of what is kept.
bool take_over(int file, const struct stat& status) {
    const bool owned = ::fchown(file, status.st_uid, status.st_gid) == 0 ||
                       ::fchown(file, static_cast<uid_t>(-1), status.st_gid) == 0;
    if (!owned && errno != EPERM) return false;
    if (::fchmod(file, status.st_mode & 07777U) != 0) return false;  // giving it away clears bits
#if defined(__APPLE__)
    const std::array<timespec, 2> times{status.st_atimespec, status.st_mtimespec};
#else
    const std::array<timespec, 2> times{status.st_atim, status.st_mtim};
#endif
    return ::futimens(file, times.data()) == 0;
}

/// Copies the file `path` to `backup`, synced, with its owner, group, mode and times.
void keep_original(const std::string& root, const std::string& path, const std::string& backup) {
    const Descriptor folder = open_folder(root, parent_of(path), false);
    struct stat status {};
    if (!folder ||
        ::fstatat(folder.get(), name_of(path).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        fail("keep the original of " + path, errno);
    const std::string content = read_from_disk(root, path);
    const Descriptor copy(::open(backup.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!copy) fail("keep the original of " + path, errno);
    write_all(copy.get(), content, "the original of " + path);
    if (!take_over(copy.get(), status) || ::fsync(copy.get()) != 0)
        fail("keep the original of " + path, errno);
}

/// Folders that a removal left empty go too, as git would have it.
void remove_empty_folders(const std::string& root, std::string path) {
    for (path = parent_of(path); !path.empty(); path = parent_of(path)) {
        if (::rmdir((root + '/' + path).c_str()) != 0) return;
    }
}

}  // namespace

void RepositoryFiles::commit(
    const std::string& backup_folder,
    const std::function<void(const std::vector<PreparedChange>&)>& recorded) {
    NewBytes bytes(m_root);
    std::vector<PreparedChange> prepared;
    for (const auto& [path, change] : m_pending) {
        if (!is_made(path, change)) continue;
        const mode_t old_mode = mode_at(m_root, path);
        PreparedChange entry;
        entry.path = path;
        if (old_mode != 0) {
            std::filesystem::create_directories(backup_folder);
            entry.backup = backup_folder + '/' + std::to_string(++m_backups);
            keep_original(m_root, path, entry.backup);
        }
        if (change.content) {
            entry.content = &*change.content;
            bytes.write(entry, old_mode);
        }
        prepared.push_back(entry);
    }
    if (!prepared.empty()) {
        if (m_backups > 0) {
            const Descriptor folder(
                ::open(backup_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            if (folder) sync_folder(folder.get(), "the originals");
        }
        recorded(prepared);
    }
    for (const PreparedChange& change : prepared) bytes.put_in_place(change);
    for (const PreparedChange& change : prepared) {
        if (change.temporary.empty()) remove_empty_folders(m_root, change.path);
    }
    m_pending.clear();
}

}  // namespace upgrade::services
