// SPDX-License-Identifier: Apache-2.0
#include "services/folder_walk.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "services/service_error.hpp"
#include "upgrade/abi.h"

namespace upgrade::services {
namespace {

/// Each level of a walk keeps a descriptor.
constexpr std::size_t k_max_folder_depth = 256;

struct FolderEntry {
    std::string name;
    bool may_be_folder;  ///< false: it is none
};

/// What is in an open folder, but for "." and "..". Throws Refusal.
std::vector<FolderEntry> entries_of(const Descriptor& folder, const std::string& path) {
    Descriptor copy(::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), ::closedir);
    if (!stream) fail("list " + path, errno);
    copy.release();
    ::rewinddir(stream.get());
    std::vector<FolderEntry> entries;
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        entries.push_back({name, entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN});
    }
    if (errno != 0) fail("list " + path, errno);
    return entries;
}

[[noreturn]] void refuse_depth(const std::string& path) {
    throw Refusal(UPGRADE_FAILED, "'" + path.substr(0, 256) + "…' has folders nested more than " +
                                      std::to_string(k_max_folder_depth) + " deep");
}

class Walk {
 public:
    Walk(Unreadable unreadable, const EachPath& enter, const EachFile& each)
        : m_unreadable(unreadable), m_enter(enter), m_each(each) {}

    bool through(const Descriptor& folder, const std::string& prefix, std::size_t depth = 0) const {
        std::vector<std::string> folders;
        if (!look_into(folder, prefix, folders)) return false;
        for (const std::string& name : folders) {
            if (!m_enter(prefix + name)) continue;
            if (depth == k_max_folder_depth) {
                if (m_unreadable == Unreadable::is_left_out) continue;
                refuse_depth(prefix);
            }
            const Descriptor below(::openat(folder.get(), name.c_str(), k_open_folder));
            if (!below) {
                const bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
                if (gone || m_unreadable == Unreadable::is_left_out) continue;
                fail("list " + prefix + name, errno);
            }
            if (!through(below, prefix + name + '/', depth + 1)) return false;
        }
        return true;
    }

 private:
    /// The folders in one folder; its files are told at once.
    bool look_into(const Descriptor& folder, const std::string& prefix,
                   std::vector<std::string>& folders) const {
        for (const auto& [name, may_be_folder] : entries_of(folder, prefix)) {
            if (name == ".git") continue;
            struct stat status {};
            if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
                if (errno == ENOENT || m_unreadable == Unreadable::is_left_out) continue;
                fail("look at " + prefix + name, errno);
            }
            if (S_ISDIR(status.st_mode)) folders.push_back(name);
            if (S_ISREG(status.st_mode) && !m_each(prefix + name, status)) return false;
        }
        return true;
    }

    Unreadable m_unreadable;
    const EachPath& m_enter;
    const EachFile& m_each;
};

void add_git(const Descriptor& folder, const std::string& prefix, std::size_t depth,
             std::vector<std::string>& found) {
    if (depth > k_max_folder_depth) refuse_depth(prefix);
    for (const auto& [name, may_be_folder] : entries_of(folder, prefix)) {
        if (name == ".git") {
            found.push_back(prefix + name);
        } else if (may_be_folder) {
            const Descriptor below(::openat(folder.get(), name.c_str(), k_open_folder));
            if (below) add_git(below, prefix + name + '/', depth + 1, found);
        }
    }
}

std::string first_that_stays(const Descriptor& folder, const std::string& path,
                             const EachPath& goes, std::size_t depth) {
    if (depth > k_max_folder_depth) refuse_depth(path);
    const std::vector<FolderEntry> entries = entries_of(folder, path);
    if (entries.empty() && !goes(path)) return path;
    for (const auto& [name, may_be_folder] : entries) {
        const std::string inside = path + '/' + name;
        const Descriptor below(may_be_folder ? ::openat(folder.get(), name.c_str(), k_open_folder)
                                             : -1);
        const std::string stays = below          ? first_that_stays(below, inside, goes, depth + 1)
                                  : goes(inside) ? std::string()
                                                 : inside;
        if (!stays.empty()) return stays;
    }
    return {};
}

}  // namespace

bool walk(const Descriptor& folder, const std::string& prefix, Unreadable unreadable,
          const EachPath& enter, const EachFile& each) {
    return Walk(unreadable, enter, each).through(folder, prefix);
}

std::vector<std::string> find_git(const Descriptor& folder, const std::string& prefix) {
    std::vector<std::string> found;
    add_git(folder, prefix, 0, found);
    return found;
}

std::string first_that_stays(const Descriptor& folder, const std::string& path,
                             const EachPath& goes) {
    return first_that_stays(folder, path, goes, 0);
}

}  // namespace upgrade::services
