// SPDX-License-Identifier: Apache-2.0
#include "services/beneath.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "services/service_error.hpp"
#include "upgrade/abi.h"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_file = 256U << 20U;

}  // namespace

void fail(const std::string& operation, int error) {
    const bool absent = error == ENOENT || error == ENOTDIR;
    throw Refusal(absent ? UPGRADE_NOT_FOUND : UPGRADE_FAILED,
                  operation + ": " + std::generic_category().message(error));
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

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

}  // namespace upgrade::services
