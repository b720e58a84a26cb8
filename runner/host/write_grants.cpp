// SPDX-License-Identifier: Apache-2.0
#include "host/write_grants.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "services/files.hpp"
#include "support/text.hpp"

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
    explicit Grants(const std::vector<std::string>& protected_paths)
        : m_protected_paths(protected_paths) {}
    std::vector<UniqueFd> opened;

    /// `path`: empty for the repository directory itself.
    void add(UniqueFd place, const std::string& path) {
        if (!place || is_link(place.get())) return;
        if (!path.empty() && covers(m_protected_paths, path)) return;
        if (!is_folder(place.get()) || !holds_protected(path)) {
            opened.push_back(std::move(place));
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

    const std::vector<std::string>& m_protected_paths;
};

}  // namespace

std::vector<UniqueFd> write_grants(const std::string& repository,
                                   const std::vector<std::string>& declared,
                                   const std::vector<std::string>& protected_paths) {
    Grants grants(protected_paths);
    for (const std::string& path : declared) {
        UniqueFd place(::open(repository.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        std::string reached;
        for (const std::string& part : split(path, '/')) {
            if (part.empty() || part == ".") continue;
            if (part == "..") place.reset();
            if (!place) break;
            place.reset(::openat(place.get(), part.c_str(), k_only_path));
            reached += (reached.empty() ? "" : "/") + part;
        }
        grants.add(std::move(place), reached);
    }
    return std::move(grants.opened);
}

}  // namespace runner
