// SPDX-License-Identifier: Apache-2.0
#include "services/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "upgrade/abi.h"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_file = 256U << 20U;
constexpr std::size_t k_max_listed = 100'000;

[[noreturn]] void fail(const std::string& operation, int error) {
    const bool absent = error == ENOENT || error == ENOTDIR;
    throw Refusal(absent ? UPGRADE_NOT_FOUND : UPGRADE_FAILED,
                  operation + ": " + std::generic_category().message(error));
}

/// A descriptor with one owner; the runner's own is not visible from the SDK.
class Descriptor {
 public:
    explicit Descriptor(int fd) : m_fd(fd) {}
    ~Descriptor() {
        if (m_fd >= 0) ::close(m_fd);
    }
    Descriptor(Descriptor&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(m_fd, other.m_fd);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return m_fd; }
    explicit operator bool() const { return m_fd >= 0; }

 private:
    int m_fd;
};

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// Opens the folder `path` below `root`, part by part and never through a link, so that nothing can
/// lead out of the repository. With `make`, missing folders are made.
Descriptor open_folder(const std::string& root, const std::string& path, bool make) {
    Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::string_view rest = path;
    while (folder && !rest.empty()) {
        const std::string part(rest.substr(0, rest.find('/')));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        int next =
            ::openat(folder.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && errno == ENOENT && make) {
            if (::mkdirat(folder.get(), part.c_str(), 0777) != 0 && errno != EEXIST)
                fail("make folder " + path, errno);
            next = ::openat(folder.get(), part.c_str(),
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        const int error = errno;
        struct stat status {};
        if (next < 0 && ::fstatat(folder.get(), part.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(status.st_mode)) {
            throw Refusal(UPGRADE_DENIED,
                          "'" + path + "' leads through a symbolic link at '" + part + "'");
        }
        folder = Descriptor(next);
        errno = error;
    }
    return folder;
}

/// The mode bits of what is at `path`; 0 when there is nothing.
mode_t mode_at(const std::string& root, const std::string& path) {
    const Descriptor folder = open_folder(root, parent_of(path), false);
    struct stat status {};
    if (!folder ||
        ::fstatat(folder.get(), name_of(path).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return 0;
        fail("look at " + path, errno);
    }
    return status.st_mode;
}

PathKind kind_of(mode_t mode) {
    if (mode == 0) return PathKind::none;
    if (S_ISREG(mode)) return PathKind::file;
    if (S_ISDIR(mode)) return PathKind::folder;
    return S_ISLNK(mode) ? PathKind::link : PathKind::other;
}

std::string read_from_disk(const std::string& root, const std::string& path) {
    const Descriptor folder = open_folder(root, parent_of(path), false);
    if (!folder) fail("read " + path, errno);
    const Descriptor file(
        ::openat(folder.get(), name_of(path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file && errno == ELOOP) throw Refusal(UPGRADE_DENIED, "'" + path + "' is a symbolic link");
    if (!file) fail("read " + path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        throw Refusal(UPGRADE_INVALID, "'" + path + "' is not a regular file");
    }
    if (static_cast<std::size_t>(status.st_size) > k_max_file) {
        throw Refusal(UPGRADE_INVALID, "'" + path + "' is larger than 256 MiB");
    }
    std::string content(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t length = 0;
    while (length < content.size()) {
        const ssize_t count = ::read(file.get(), content.data() + length, content.size() - length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("read " + path, errno);
        if (count == 0) break;
        length += static_cast<std::size_t>(count);
    }
    content.resize(length);
    return content;
}

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

void list_below(int folder_fd, const std::string& prefix, std::vector<std::string>& found) {
    DIR* stream = ::fdopendir(::dup(folder_fd));
    if (stream == nullptr) fail("list " + prefix, errno);
    ::rewinddir(stream);
    std::vector<std::string> folders;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name == "." || name == ".." || name == ".git") continue;
        struct stat status {};
        if (::fstatat(folder_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (S_ISDIR(status.st_mode)) folders.push_back(name);
        if (S_ISREG(status.st_mode)) found.push_back(prefix + name);
    }
    ::closedir(stream);
    if (found.size() > k_max_listed)
        throw Refusal(UPGRADE_FAILED, "the repository holds more than 100000 files");
    for (const std::string& name : folders) {
        const Descriptor folder(
            ::openat(folder_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (folder) list_below(folder.get(), prefix + name + '/', found);
    }
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

void check_path(std::string_view path) {
    const std::string shown(path.substr(0, 256));
    if (path.empty() || path.size() > 4096 || path.front() == '/' ||
        path.find('\0') != std::string_view::npos) {
        throw Refusal(UPGRADE_INVALID,
                      "'" + shown + "' is not a path relative to the repository directory");
    }
    for (std::string_view rest = path; !rest.empty();) {
        const std::string_view part = rest.substr(0, rest.find('/'));
        if (part.empty() || part == "." || part == ".." || (part == ".git" && rest == path)) {
            throw Refusal(UPGRADE_DENIED,
                          "'" + shown + "' has the part '" + std::string(part) +
                              "'; paths are plain, and stay in the repository directory");
        }
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
}

bool covers(const std::vector<std::string>& declared, std::string_view path) {
    return std::any_of(declared.begin(), declared.end(), [path](std::string_view allowed) {
        if (allowed == "." || allowed == path) return true;
        while (!allowed.empty() && allowed.back() == '/') allowed.remove_suffix(1);
        return path.size() > allowed.size() && path.substr(0, allowed.size()) == allowed &&
               path[allowed.size()] == '/';
    });
}

bool matches(std::string_view pattern, std::string_view path) {
    const auto head = [](std::string_view text) {
        return std::string(text.substr(0, text.find('/')));
    };
    const auto tail = [](std::string_view text) {
        const std::size_t slash = text.find('/');
        return slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
    };
    if (pattern.empty() || path.empty()) return pattern.empty() && path.empty();
    if (head(pattern) == "**") {
        if (matches(tail(pattern), path)) return true;
        return matches(pattern, tail(path)) || (tail(pattern).empty() && tail(path).empty());
    }
    return ::fnmatch(head(pattern).c_str(), head(path).c_str(), FNM_PERIOD) == 0 &&
           (path.find('/') == std::string_view::npos) ==
               (pattern.find('/') == std::string_view::npos || (tail(pattern).empty())) &&
           matches(tail(pattern), tail(path));
}

RepositoryFiles::RepositoryFiles(std::string root, FileChanges base)
    : m_root(std::move(root)), m_base(std::move(base)) {}

const FileChange* RepositoryFiles::own_change(const std::string& path) const {
    for (const FileChanges* changes : {&m_pending, &m_settled}) {
        if (const auto found = changes->find(path); found != changes->end()) return &found->second;
    }
    return nullptr;
}

const FileChange* RepositoryFiles::overlaid(const std::string& path) const {
    if (const FileChange* change = own_change(path)) return change;
    const auto found = m_base.find(path);
    return found == m_base.end() ? nullptr : &found->second;
}

bool RepositoryFiles::has_below(const FileChanges& changes, const std::string& folder) const {
    const std::string below = folder + '/';
    for (auto file = changes.lower_bound(below);
         file != changes.end() && file->first.compare(0, below.size(), below) == 0; ++file) {
        if (overlaid(file->first)->content) return true;
    }
    return false;
}

PathStatus RepositoryFiles::look(std::string_view path_view) const {
    check_path(path_view);
    try {
        const mode_t mode = mode_at(m_root, std::string(path_view));
        return {kind_of(mode), S_ISREG(mode) ? mode & 07777U : 0U};
    } catch (const Refusal& refusal) {
        if (refusal.status() != UPGRADE_DENIED) throw;
        return {PathKind::link, 0};  // it leads through one
    }
}

PathKind RepositoryFiles::kind_beneath(const std::string& path) const {
    PathKind kind = PathKind::link;
    if (const auto changed = m_base.find(path); changed != m_base.end()) {
        kind = changed->second.content ? PathKind::file : PathKind::none;
    } else if (has_below(m_base, path)) {
        kind = PathKind::folder;
    } else {
        try {
            kind = kind_of(mode_at(m_root, path));
        } catch (const Refusal&) {  // it leads through a link
            found(path, kind);
            throw;
        }
    }
    found(path, kind);
    return kind;
}

std::string RepositoryFiles::read_beneath(const std::string& path) const {
    const auto changed = m_base.find(path);
    if (changed != m_base.end() && changed->second.content) return *changed->second.content;
    if (changed == m_base.end()) {
        try {
            return read_from_disk(m_root, path);
        } catch (const Refusal&) {
            if (m_witness != nullptr) kind_beneath(path);
            throw;
        }
    }
    kind_beneath(path);
    fail("read " + path, ENOENT);
}

FileChanges RepositoryFiles::changes() const {
    FileChanges all = m_settled;
    for (const auto& [path, change] : m_pending) all[path] = change;
    return all;
}

std::optional<std::string> RepositoryFiles::committed(const std::string& path) const {
    for (const FileChanges* changes : {&m_settled, &m_base}) {
        if (const auto found = changes->find(path); found != changes->end())
            return found->second.content;
    }
    if (mode_at(m_root, path) == 0) return std::nullopt;
    return read_from_disk(m_root, path);
}

int RepositoryFiles::kind(std::string_view path_view) const {
    check_path(path_view);
    const std::string path(path_view);
    if (const FileChange* change = own_change(path))
        return change->content ? UPGRADE_FILE_REGULAR : UPGRADE_FILE_NONE;
    if (has_below(m_pending, path) || has_below(m_settled, path)) return UPGRADE_FILE_FOLDER;
    const PathKind kind = kind_beneath(path);
    if (kind == PathKind::file) return UPGRADE_FILE_REGULAR;
    return kind == PathKind::folder ? UPGRADE_FILE_FOLDER : UPGRADE_FILE_NONE;
}

std::string RepositoryFiles::read(std::string_view path_view) const {
    check_path(path_view);
    const std::string path(path_view);
    if (const FileChange* change = own_change(path)) {
        if (change->content) return *change->content;
        fail("read " + path, ENOENT);
    }
    std::string content = read_beneath(path);
    found(path, PathKind::file, &content);
    return content;
}

void RepositoryFiles::write(std::string_view path, std::string_view content) {
    if (kind(path) == UPGRADE_FILE_FOLDER) {
        throw Refusal(UPGRADE_INVALID, "'" + std::string(path) + "' is a folder");
    }
    m_pending[std::string(path)].content = std::string(content);
}

void RepositoryFiles::remove(std::string_view path) {
    if (kind(path) != UPGRADE_FILE_REGULAR) fail("remove " + std::string(path), ENOENT);
    m_pending[std::string(path)].content.reset();
}

void RepositoryFiles::move(std::string_view from, std::string_view to) {
    const std::string content = read(from);
    if (kind(to) != UPGRADE_FILE_NONE) {
        throw Refusal(UPGRADE_INVALID, "'" + std::string(to) +
                                           "' is there already and is not overwritten by a move");
    }
    write(to, content);
    remove(from);
}

std::vector<std::string> RepositoryFiles::glob(std::string_view pattern) const {
    check_path(pattern);
    std::vector<std::string> on_disk;
    const Descriptor root = open_folder(m_root, "", false);
    if (!root) fail("list " + m_root, errno);
    list_below(root.get(), "", on_disk);
    std::set<std::string> files;
    for (std::string& path : on_disk) {
        if (matches(pattern, path)) files.insert(std::move(path));
    }
    const auto lay = [&](const FileChanges& changes) {
        for (const auto& [path, change] : changes) {
            if (!change.content) {
                files.erase(path);
            } else if (matches(pattern, path)) {
                files.insert(path);
            }
        }
    };
    lay(m_base);
    if (m_witness != nullptr) m_witness->listed(std::string(pattern), {files.begin(), files.end()});
    lay(m_settled);
    lay(m_pending);
    return {files.begin(), files.end()};
}

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

void RepositoryFiles::lay_over(const FileChanges& changes) {
    for (const auto& [path, change] : changes) m_settled[path] = change;
}

void RepositoryFiles::settle(const std::function<void(const std::vector<ShownFile>&)>& shown) {
    std::vector<ShownFile> made;
    for (const auto& [path, change] : m_pending) {
        if (is_made(path, change))
            made.push_back({path, change.content ? &*change.content : nullptr});
    }
    if (!made.empty()) shown(made);
    for (auto& [path, change] : m_pending) m_settled[path] = std::move(change);
    m_pending.clear();
}

}  // namespace upgrade::services
