// SPDX-License-Identifier: Apache-2.0
#include "services/repository.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <memory>
#include <system_error>

#include "services/folder_walk.hpp"
#include "upgrade/abi.h"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_listed = 100'000;
constexpr std::size_t k_max_name = 255;  ///< bytes, of the file systems of Linux

void sync_folder(int folder, const std::string& what) {
    if (::fsync(folder) != 0) fail("sync the folder of " + what, errno);
}

/// Makes one folder, so that it survives a power cut.
void make_folder(int parent, const std::string& name, const std::string& path) {
    if (::mkdirat(parent, name.c_str(), 0777) != 0) {
        if (errno == EEXIST) return;
        fail("make folder " + path, errno);
    }
    sync_folder(parent, path);
}

/// 16 hexadecimal digits: FNV-1a of 64 bits.
std::string short_digest(std::string_view text) {
    std::uint64_t digest = 0xcbf29ce484222325U;
    for (const char byte : text)
        digest = (digest ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    std::string digits(16, '0');
    for (std::size_t i = digits.size(); i > 0; digest >>= 4U)
        digits[--i] = "0123456789abcdef"[digest & 0xfU];
    return digits;
}

/// What keep_folders calls the copy of a folder.
std::string name_of_kept_folder(const std::string& folder) {
    return "folder-" + short_digest(folder);
}

void refuse_link(int folder, const std::string& part, const std::string& path) {
    struct stat status {};
    if (::fstatat(folder, part.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISLNK(status.st_mode))
        return;
    throw Refusal(UPGRADE_DENIED, "'" + path + "' leads through a symbolic link at '" + part + "'");
}

std::string read_all(int file, std::size_t size, const std::string& what) {
    std::string content(size, '\0');
    std::size_t length = 0;
    while (length < content.size()) {
        const ssize_t count = ::read(file, content.data() + length, content.size() - length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("read " + what, errno);
        if (count == 0) break;
        length += static_cast<std::size_t>(count);
    }
    content.resize(length);
    return content;
}

std::int64_t milliseconds_of_change(const struct stat& status) {
#if defined(__APPLE__)
    const timespec& time = status.st_ctimespec;
#else
    const timespec& time = status.st_ctim;
#endif
    return time.tv_sec * 1000LL + time.tv_nsec / 1'000'000;
}

void append(std::vector<std::string>& all, std::vector<std::string> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
}

}  // namespace

void fail(const std::string& operation, int error) {
    const bool absent = error == ENOENT || error == ENOTDIR;
    throw Refusal(absent ? UPGRADE_NOT_FOUND : UPGRADE_FAILED,
                  operation + ": " + std::generic_category().message(error));
}

PathKind kind_of(mode_t mode) {
    if (mode == 0) return PathKind::none;
    if (S_ISREG(mode)) return PathKind::file;
    if (S_ISDIR(mode)) return PathKind::folder;
    return S_ISLNK(mode) ? PathKind::link : PathKind::other;
}

void check_path(std::string_view path) {
    const std::string shown(path.substr(0, 256));
    if (path.empty() || path.size() > 4096 || path.front() == '/' ||
        path.find('\0') != std::string_view::npos) {
        throw Refusal(UPGRADE_DENIED,
                      "'" + shown + "' is not a path relative to the repository directory");
    }
    for (std::string_view rest = path; !rest.empty();) {
        const std::string_view part = rest.substr(0, rest.find('/'));
        if (part.empty() || part == "." || part == ".." || part == ".git") {
            throw Refusal(UPGRADE_DENIED,
                          "'" + shown + "' has the part '" + std::string(part) +
                              "'; paths are plain, and stay in the repository directory");
        }
        if (part.size() > k_max_name) {
            throw Refusal(UPGRADE_DENIED, "'" + shown + "' has a part of " +
                                              std::to_string(part.size()) +
                                              " bytes; a name has at most 255");
        }
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

std::string hidden_beside(const std::string& path, const std::string& ending) {
    constexpr std::size_t k_longest = 200;  // the rest of k_max_name is for what is added
    std::string name = name_of(path);
    if (name.size() > k_longest) name = short_digest(name);
    const std::string parent = parent_of(path);
    return (parent.empty() ? "." : parent + "/.") + name + ending;
}

std::string read_regular(const Descriptor& file, const std::string& what) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) fail("read " + what, errno);
    if (!S_ISREG(status.st_mode))
        throw Refusal(UPGRADE_INVALID, "'" + what + "' is not a regular file");
    if (static_cast<std::size_t>(status.st_size) > k_max_file)
        throw Refusal(UPGRADE_INVALID, "'" + what + "' is larger than 256 MiB");
    return read_all(file.get(), static_cast<std::size_t>(status.st_size), what);
}

void write_all(int fd, std::string_view bytes, const std::string& what) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("write " + what, errno);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void sync_file(int fd, const std::string& what) {
    if (::fsync(fd) != 0) fail("sync " + what, errno);
}

void make_folders(const std::string& folder) {
    std::vector<std::string> missing{folder};
    while (::access(parent_of(missing.back()).c_str(), F_OK) != 0 && errno == ENOENT &&
           !parent_of(missing.back()).empty())
        missing.push_back(parent_of(missing.back()));
    for (; !missing.empty(); missing.pop_back()) {
        if (::mkdir(missing.back().c_str(), 0777) != 0) {
            if (errno == EEXIST) continue;
            fail("make folder " + missing.back(), errno);
        }
        const std::string parent = parent_of(missing.back());
        sync_folder(!parent.empty() ? parent : folder.front() == '/' ? "/" : ".");
    }
}

void sync_folder(const std::string& folder) {
    const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened || ::fsync(opened.get()) != 0) fail("sync " + folder, errno);
}

// ---- a new file

NewFile::NewFile(NewFile&& other) noexcept
    : m_repository(other.m_repository),
      m_path(std::move(other.m_path)),
      m_name(std::move(other.m_name)),
      m_file(std::move(other.m_file)),
      m_named(std::exchange(other.m_named, false)) {}

NewFile::~NewFile() {
    if (!m_named) return;
    try {
        const Descriptor folder = m_repository.folder_of(m_path, Repository::Missing::is_told);
        if (folder) ::unlinkat(folder.get(), m_name.c_str(), 0);
    } catch (const Refusal&) {  // a link leads elsewhere by now: nothing of it is touched
    }
}

void NewFile::written() {
    if (m_named) m_file = Descriptor(-1);
}

void NewFile::put_in_place() {
    const Descriptor folder = m_repository.folder_of(m_path, Repository::Missing::is_made);
    if (!folder) fail("open the folder of " + m_path, errno);
    if (!m_named) {
        const std::string file = "/proc/self/fd/" + std::to_string(m_file.get());
        ::unlinkat(folder.get(), m_name.c_str(), 0);
        if (::linkat(AT_FDCWD, file.c_str(), folder.get(), m_name.c_str(), AT_SYMLINK_FOLLOW) != 0)
            fail("write beside " + m_path, errno);
        m_named = true;
    }
    m_file = Descriptor(-1);
    if (::renameat(folder.get(), m_name.c_str(), folder.get(), name_of(m_path).c_str()) != 0)
        fail("replace " + m_path, errno);
    m_named = false;
    sync_folder(folder.get(), m_path);
}

// ---- looking

Descriptor Repository::open_folder(const std::string& path, Missing missing) const {
    Descriptor folder(::open(m_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Without it nothing is known of any path.
    if (!folder)
        throw Refusal(UPGRADE_FAILED, "cannot open the folder " + m_root + ": " +
                                          std::generic_category().message(errno));
    std::string_view rest = path;
    while (folder && !rest.empty()) {
        const std::string part(rest.substr(0, rest.find('/')));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        int next = ::openat(folder.get(), part.c_str(), k_open_folder);
        if (next < 0 && errno == ENOENT && missing == Missing::is_made) {
            make_folder(folder.get(), part, path);
            next = ::openat(folder.get(), part.c_str(), k_open_folder);
        }
        const int error = errno;
        if (next < 0) refuse_link(folder.get(), part, path);
        folder = Descriptor(next);
        errno = error;
    }
    return folder;
}

Descriptor Repository::nearest_folder_of(const std::string& path) const {
    std::string above = path;
    do {
        above = parent_of(above);
        Descriptor folder = open_folder(above, Missing::is_told);
        if (folder) return folder;
        if (errno != ENOENT && errno != ENOTDIR) break;
    } while (!above.empty());
    fail("open the folder of " + path, errno);
}

Descriptor Repository::folder_of(const std::string& path, Missing missing) const {
    return open_folder(parent_of(path), missing);
}

struct stat Repository::status(const std::string& path) const {
    const Descriptor folder = folder_of(path, Missing::is_told);
    struct stat status {};
    if (!folder ||
        ::fstatat(folder.get(), name_of(path).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) fail("look at " + path, errno);
        status = {};
    }
    return status;
}

PathStatus Repository::look(const std::string& path) const {
    try {
        const mode_t found = mode(path);
        return {kind_of(found), S_ISREG(found) ? found & k_mode_bits : 0U};
    } catch (const Refusal& refusal) {
        if (refusal.status() != UPGRADE_DENIED) throw;
        return {PathKind::link, 0};  // it leads through one
    }
}

Descriptor Repository::open_file(const std::string& path) const {
    const Descriptor folder = folder_of(path, Missing::is_told);
    if (!folder) fail("read " + path, errno);
    // Without blocking: it may be a pipe that nobody writes to.
    Descriptor file(::openat(folder.get(), name_of(path).c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file && errno == ELOOP) throw Refusal(UPGRADE_DENIED, "'" + path + "' is a symbolic link");
    if (!file && errno == ENXIO)  // a socket
        throw Refusal(UPGRADE_INVALID, "'" + path + "' is not a regular file");
    if (!file) fail("read " + path, errno);
    return file;
}

std::string Repository::read(const std::string& path) const {
    return read_regular(open_file(path), path);
}

std::vector<std::string> Repository::list(const std::string& folder) const {
    const Descriptor top = open_folder(folder, Missing::is_told);
    if (!top && !folder.empty() && (errno == ENOENT || errno == ENOTDIR)) return {};
    if (!top) fail("list " + (folder.empty() ? m_root : folder), errno);
    std::vector<std::string> found;
    walk(
        top, folder.empty() ? "" : folder + '/', Unreadable::is_refused,
        [](const std::string&) { return true; },
        [&](const std::string& path, const struct stat&) {
            found.push_back(path);
            if (found.size() > k_max_listed)
                throw Refusal(UPGRADE_FAILED, "'" + (folder.empty() ? "the repository" : folder) +
                                                  "' holds more than 100000 files");
            return true;
        });
    return found;
}

std::string Repository::why_not_writable(const std::string& path) const {
    std::string above = path;
    do {
        above = parent_of(above);
        const Descriptor folder = open_folder(above, Missing::is_told);
        if (folder) {
            if (::faccessat(folder.get(), ".", W_OK | X_OK, AT_EACCESS) == 0) return {};
        } else if (errno == ENOENT || errno == ENOTDIR) {
            continue;  // a file in its way is found when it is written in the simulation
        }
        return "the folder " + (above.empty() ? m_root : above) +
               " cannot be written: " + std::generic_category().message(errno);
    } while (!above.empty());
    return {};
}

std::vector<std::string> Repository::written_since(std::chrono::milliseconds moment,
                                                   std::size_t limit,
                                                   const EachPath& is_left_out) const {
    const Descriptor top = open_folder("", Missing::is_told);
    if (!top) fail("list " + m_root, errno);
    std::vector<std::string> paths;
    walk(
        top, "", Unreadable::is_left_out,
        [&](const std::string& folder) { return !is_left_out(folder); },
        [&](const std::string& path, const struct stat& status) {
            if (milliseconds_of_change(status) >= moment.count() && !is_left_out(path))
                paths.push_back(path);
            return paths.size() < limit;
        });
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::vector<std::string> Repository::git_folders(const std::string& folder) const {
    const Descriptor top = open_folder(folder, Missing::is_told);
    if (!top) fail("list " + (folder.empty() ? m_root : folder), errno);
    return find_git(top, folder.empty() ? "" : folder + '/');
}

std::string Repository::what_stays(const std::string& folder, const EachPath& goes) const {
    const Descriptor top = open_folder(folder, Missing::is_told);
    if (!top) fail("list " + folder, errno);
    return first_that_stays(top, folder, goes);
}

// ---- changing

std::optional<NewFile> Repository::make_unnamed(const std::string& path, const std::string& name,
                                                mode_t mode) const {
#if defined(O_TMPFILE)
    const Descriptor folder = nearest_folder_of(path);
    NewFile file(*this, path, name);
    file.m_file = Descriptor(::openat(folder.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (file.m_file) return file;
#else
    (void)path, (void)name, (void)mode;
#endif
    return std::nullopt;
}

NewFile Repository::make(const std::string& path, const std::string& name, mode_t mode) const {
    const Descriptor folder = folder_of(path, Missing::is_made);
    if (!folder) fail("open the folder of " + path, errno);
    NewFile file(*this, path, name);
    ::unlinkat(folder.get(), name.c_str(), 0);  // left by a death
    file.m_file = Descriptor(::openat(folder.get(), name.c_str(),
                                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file.m_file) fail("write beside " + path, errno);
    file.m_named = true;
    return file;
}

std::vector<std::string> Repository::keep_original(const std::string& path,
                                                   const std::string& copy) const {
    const std::string what = "the original of " + path;
    const Descriptor file = open_file(path);
    const std::string content = read_regular(file, path);
    const Descriptor kept(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!kept) fail("keep " + what, errno);
    write_all(kept.get(), content, what);
    std::vector<std::string> not_kept =
        copy_attributes(file.get(), kept.get(), Times::copied, path);
    sync_file(kept.get(), what);
    return not_kept;
}

std::vector<std::string> Repository::keep_folders(const std::string& path,
                                                  const std::string& copies) const {
    std::vector<std::string> not_kept;
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
        const std::string copy = copies + '/' + name_of_kept_folder(above);
        if (::mkdir(copy.c_str(), 0700) != 0) {
            if (errno == EEXIST) break;  // with those above it
            fail("keep the folder " + above, errno);
        }
        const Descriptor folder = open_folder(above, Missing::is_told);
        if (!folder) fail("keep the folder " + above, errno);
        const Descriptor kept(::open(copy.c_str(), k_open_folder));
        if (!kept) fail("keep the folder " + above, errno);
        append(not_kept, copy_attributes(folder.get(), kept.get(), Times::new_ones, above));
        sync_folder(kept.get(), copy);
    }
    return not_kept;
}

void Repository::make_folders_again(const std::string& path, const Repository& originals,
                                    const std::string& kept_in,
                                    std::vector<std::string>& not_given) const {
    const std::string above = parent_of(path);
    if (above.empty() || open_folder(above, Missing::is_told)) return;
    make_folders_again(above, originals, kept_in, not_given);
    const Descriptor like = originals.open_folder(
        (kept_in.empty() ? "" : kept_in + '/') + name_of_kept_folder(above), Missing::is_told);
    if (!like) return;  // it was not kept, and is made like any other
    // Nobody but its owner may enter it before it has its own mode.
    const Descriptor parent = folder_of(above, Missing::is_told);
    if (!parent) fail("open the folder of " + above, errno);
    const std::string name = name_of(name_before_put_back(above));
    ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);  // left by a death
    if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) fail("make folder " + above, errno);
    const Descriptor folder(::openat(parent.get(), name.c_str(), k_open_folder));
    if (!folder) fail("make folder " + above, errno);
    append(not_given, copy_attributes(like.get(), folder.get(), Times::new_ones, above));
    sync_folder(folder.get(), above);
    if (::renameat(parent.get(), name.c_str(), parent.get(), name_of(above).c_str()) != 0)
        fail("make folder " + above, errno);
    sync_folder(parent.get(), above);
}

std::vector<std::string> Repository::put_back(const std::string& path, const Repository& originals,
                                              const std::string& original) const {
    const Descriptor kept = originals.open_file(original);
    const std::string content = read_regular(kept, original);
    std::vector<std::string> not_given;
    make_folders_again(path, originals, parent_of(original), not_given);
    // Nobody but its owner may read it before it has its own mode.
    const std::string name = name_of(name_before_put_back(path));
    std::optional<NewFile> unnamed = make_unnamed(path, name, 0600);
    NewFile file = unnamed ? std::move(*unnamed) : make(path, name, 0600);
    write_all(file.descriptor(), content, path);
    append(not_given, copy_attributes(kept.get(), file.descriptor(), Times::copied, path));
    sync_file(file.descriptor(), path);
    file.put_in_place();
    return not_given;
}

void Repository::remove(const std::string& path) const {
    const Descriptor folder = folder_of(path, Missing::is_told);
    if (!folder && (errno == ENOENT || errno == ENOTDIR)) return;
    if (!folder) fail("open the folder of " + path, errno);
    if (::unlinkat(folder.get(), name_of(path).c_str(), 0) != 0) {
        // A name that no file can have was recorded before names were kept short.
        if (errno == ENOENT || errno == ENAMETOOLONG) return;
        fail("remove " + path, errno);
    }
    sync_folder(folder.get(), path);
}

std::size_t Repository::count_missing_folders(const std::string& path) const {
    std::size_t count = 0;
    for (std::string above = parent_of(path); !above.empty() && !S_ISDIR(mode(above));
         above = parent_of(above))
        ++count;
    return count;
}

void Repository::remove_empty_folders(const std::string& path, std::size_t most) const {
    for (std::string above = parent_of(path); !above.empty() && most > 0;
         above = parent_of(above), --most) {
        const Descriptor folder = folder_of(above, Missing::is_told);
        if (folder && ::unlinkat(folder.get(), name_of(above).c_str(), AT_REMOVEDIR) == 0) {
            sync_folder(folder.get(), above);
        } else if (errno != ENOENT) {  // a death may have removed it already, but not those above
            return;
        }
    }
}

std::string Repository::name_before_put_back(const std::string& path) {
    // Nobody else gives a file of his own such a name.
    return hidden_beside(path, ".undo-" + short_digest(path));
}

}  // namespace upgrade::services
