// SPDX-License-Identifier: Apache-2.0
#include "engine/work_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "model/error.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace runner {

namespace fs = std::filesystem;

namespace {

std::int64_t milliseconds_of(const timespec& time) {
    return time.tv_sec * 1000LL + time.tv_nsec / 1'000'000;
}

/// Gives `file` the owner, group, mode and times of `original`. Owner and group only as far as that
/// is permitted.
void take_over(const fs::path& file, const std::string& original) {
    struct stat kept {};
    if (::stat(original.c_str(), &kept) != 0)
        throw system_error("cannot look at the original of " + file.string(), errno);
    const bool owned = ::lchown(file.c_str(), kept.st_uid, kept.st_gid) == 0 ||
                       ::lchown(file.c_str(), static_cast<uid_t>(-1), kept.st_gid) == 0 ||
                       errno == EPERM;
    const std::array<timespec, 2> times{kept.st_atim, kept.st_mtim};
    // The mode after the owner: giving a file away clears bits of it.
    if (!owned || ::chmod(file.c_str(), kept.st_mode & 07777U) != 0 ||
        ::utimensat(AT_FDCWD, file.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
        throw system_error("cannot restore owner, mode and times of " + file.string(), errno);
}

/// Where an original waits until it takes its file's place: always the same name, so that it is
/// found again when the undo dies.
fs::path waiting_original(const fs::path& path) {
    constexpr std::size_t k_longest = 200;  // a name has 255 bytes
    return path.parent_path() / ("." + path.filename().string().substr(0, k_longest) + ".undo");
}

}  // namespace

std::optional<Digest> WorkTree::digest(const std::string& path) {
    const auto found = content(path);
    return found ? std::optional(sha256(*found)) : std::nullopt;
}

std::optional<std::string> DiskWorkTree::content(const std::string& path) {
    return read_file_if_there(m_repository / path, k_max_file);
}

upgrade::services::PathStatus DiskWorkTree::look(const std::string& path) {
    try {
        return m_files.look(path);
    } catch (const upgrade::services::Refusal& refusal) {
        throw Error(Failure::preparation, refusal.what());
    }
}

std::string DiskWorkTree::why_not_writable(const std::string& path) {
    fs::path folder = (m_repository / path).parent_path();
    struct stat status {};
    while (::lstat(folder.c_str(), &status) != 0 && folder != m_repository)
        folder = folder.parent_path();
    if (!S_ISDIR(status.st_mode)) return {};  // that is found when it is written in the simulation
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
    return system_error("the folder " + folder.string() + " cannot be written", errno).what();
}

std::vector<std::string> DiskWorkTree::names(const std::string& pattern) {
    try {
        return m_files.glob(pattern);
    } catch (const upgrade::services::Refusal& refusal) {
        throw Error(Failure::preparation, refusal.what());
    }
}

std::optional<std::string> DiskWorkTree::original(const FileIntent& change) {
    if (change.backup.empty()) return std::nullopt;
    return read_file(change.backup, k_max_file);
}

void DiskWorkTree::put_back(const FileIntent& change) {
    const fs::path path = m_repository / change.path;
    if (const auto before = original(change)) {
        replace_file_through(
            waiting_original(path), path, *before,
            [&](const std::string& waiting) { take_over(waiting, change.backup); });
        return;
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        throw system_error("cannot remove " + path.string(), errno);
    fs::path folder = path.parent_path();
    sync_folder(folder);
    while (folder != m_repository && ::rmdir(folder.c_str()) == 0) folder = folder.parent_path();
}

void DiskWorkTree::remove_temporary(const FileIntent& change) {
    if (!change.temporary.empty()) ::unlink((m_repository / change.temporary).c_str());
    if (!change.backup.empty()) ::unlink(waiting_original(m_repository / change.path).c_str());
}

std::chrono::milliseconds DiskWorkTree::file_time() const {
    timespec now{};
#ifdef CLOCK_REALTIME_COARSE
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
#else
    ::clock_gettime(CLOCK_REALTIME, &now);
#endif
    return std::chrono::milliseconds(milliseconds_of(now));
}

std::vector<std::string> DiskWorkTree::written_since(std::chrono::milliseconds moment,
                                                     std::size_t limit) {
    std::vector<std::string> paths;
    const fs::path own_folder = m_state.parent_path();
    std::error_code problem;
    fs::recursive_directory_iterator entry(m_repository, problem);
    for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
        if (entry->path() == own_folder || entry->path().filename() == ".git") {
            entry.disable_recursion_pending();
            continue;
        }
        struct stat status {};
        if (::lstat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        if (milliseconds_of(status.st_ctim) < moment.count()) continue;
        paths.push_back(entry->path().lexically_relative(m_repository).string());
        if (paths.size() == limit) break;
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace runner
