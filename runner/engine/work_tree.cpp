// SPDX-License-Identifier: Apache-2.0
#include "engine/work_tree.hpp"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "model/error.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace runner {

namespace fs = std::filesystem;

namespace {

/// By how much a file's time may lag behind the clock: the kernel takes that of its last tick.
std::int64_t timestamp_lag_ms() {
    constexpr std::int64_t k_nanoseconds = 1'000'000;
    timespec tick{0, 10 * k_nanoseconds};  // of the slowest kernels
#ifdef CLOCK_REALTIME_COARSE
    ::clock_getres(CLOCK_REALTIME_COARSE, &tick);
#endif
    return (tick.tv_nsec + k_nanoseconds - 1) / k_nanoseconds;
}

}  // namespace

std::optional<Digest> WorkTree::digest(const std::string& path) {
    const auto found = content(path);
    return found ? std::optional(sha256(*found)) : std::nullopt;
}

std::optional<std::string> DiskWorkTree::content(const std::string& path) {
    return read_file_if_there(m_repository / path, k_max_file);
}

std::optional<std::string> DiskWorkTree::original(const FileIntent& change) {
    if (change.backup.empty()) return std::nullopt;
    return read_file(change.backup, k_max_file);
}

void DiskWorkTree::put_back(const FileIntent& change) {
    const fs::path path = m_repository / change.path;
    if (const auto before = original(change)) {
        replace_file(path, *before);
        struct stat kept {};
        if (::stat(change.backup.c_str(), &kept) != 0 ||
            ::chmod(path.c_str(), kept.st_mode & 07777U) != 0)
            throw system_error("cannot restore the mode of " + path.string(), errno);
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
}

std::vector<std::string> DiskWorkTree::written_since(std::chrono::milliseconds moment,
                                                     std::size_t limit) {
    std::vector<std::string> paths;
    const fs::path own_folder = m_state.parent_path();
    const std::int64_t since_ms = moment.count() - timestamp_lag_ms();
    std::error_code problem;
    fs::recursive_directory_iterator entry(m_repository, problem);
    for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
        if (entry->path() == own_folder || entry->path().filename() == ".git") {
            entry.disable_recursion_pending();
            continue;
        }
        struct stat status {};
        if (::lstat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        const std::int64_t changed_ms =
            status.st_ctim.tv_sec * 1000LL + status.st_ctim.tv_nsec / 1'000'000;
        if (changed_ms < since_ms) continue;
        paths.push_back(entry->path().lexically_relative(m_repository).string());
        if (paths.size() == limit) break;
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace runner
