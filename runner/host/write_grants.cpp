// SPDX-License-Identifier: Apache-2.0
#include "host/write_grants.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "services/files.hpp"
#include "support/text.hpp"
#include "support/unique_fd.hpp"

namespace runner {
namespace {

using upgrade::services::covers;

constexpr int k_only_path = O_PATH | O_NOFOLLOW | O_CLOEXEC;

bool is_folder(int opened) {
    struct stat status {};
    return ::fstat(opened, &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_link(int opened) {
    struct stat status {};
    return ::fstat(opened, &status) != 0 || S_ISLNK(status.st_mode);
}

std::vector<std::string> names_in(int folder) {
    std::vector<std::string> names;
    const int list = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (list < 0) return names;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(list), ::closedir);
    if (!stream) {
        ::close(list);
        return names;
    }
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    return names;
}

class Grants {
 public:
    Grants(std::vector<std::string> protected_paths, const EachGrant& grant)
        : m_protected_paths(std::move(protected_paths)), m_grant(grant) {}

    /// `path`: empty for the repository directory itself.
    void add(const UniqueFd& place, const std::string& path) {
        if (!place || is_link(place.get())) return;
        if (!path.empty() && covers(m_protected_paths, path)) return;
        if (!is_folder(place.get()) || !holds_protected(path)) {
            m_grant(place.get());
            return;
        }
        for (const std::string& name : names_in(place.get()))
            add(UniqueFd(::openat(place.get(), name.c_str(), k_only_path)),
                path.empty() ? name : path + '/' + name);
    }

 private:
    [[nodiscard]] bool holds_protected(const std::string& folder) const {
        const std::string declared = folder.empty() ? "." : folder;
        return std::any_of(m_protected_paths.begin(), m_protected_paths.end(),
                           [&](const std::string& path) { return covers({declared}, path); });
    }

    std::vector<std::string> m_protected_paths;
    const EachGrant& m_grant;
};

/// What a declared path names, opened through no link; none when it is not there, or is no path
/// that the files service would write at.
UniqueFd open_declared(const std::string& repository, const std::string& path, bool only_folder) {
    UniqueFd place(::open(repository.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (path.empty()) return place;
    for (const std::string& part : split(path, '/')) {
        if (!place) break;
        place.reset(::openat(place.get(), part.c_str(), k_only_path));
    }
    if (only_folder && place && !is_folder(place.get())) place.reset();
    return place;
}

bool is_plain(const std::string& path) {
    try {
        upgrade::services::check_path(path);
        return true;
    } catch (const upgrade::services::Refusal&) {
        return false;
    }
}

}  // namespace

void grant_writes(const std::string& repository, const std::vector<std::string>& declared,
                  const std::vector<std::string>& protected_paths, const EachGrant& grant) {
    for (std::string path : declared) {
        const bool is_all = path == ".";
        const bool only_folder = path.size() > 1 && path.back() == '/';
        if (is_all || only_folder) path.pop_back();
        if (!is_all && !is_plain(path)) continue;
        const UniqueFd place = open_declared(repository, path, only_folder);
        if (!place) continue;
        std::vector<std::string> kept_out = protected_paths;
        if (is_folder(place.get())) {
            for (std::string& git : upgrade::services::Repository(repository).git_folders(path))
                kept_out.push_back(std::move(git));
        }
        Grants(std::move(kept_out), grant).add(place, path);
    }
}

}  // namespace runner
