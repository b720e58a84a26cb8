// SPDX-License-Identifier: Apache-2.0
#include "services/attributes.hpp"

#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <system_error>

#if defined(__APPLE__)
#include <copyfile.h>
#endif

#include "services/repository.hpp"

namespace upgrade::services {
namespace {

using NotGiven = std::vector<std::string>;

#if defined(__APPLE__)

void copy_extended(int from, int to, const std::string& what, NotGiven& not_given) {
    if (::fcopyfile(from, to, nullptr, COPYFILE_XATTR | COPYFILE_ACL) != 0)
        not_given.push_back(what +
                            ": its extended attributes: " + std::generic_category().message(errno));
}

#else

constexpr std::size_t k_max_attributes = 64U << 10U;  ///< bytes, Linux: XATTR_LIST_MAX, _SIZE_MAX

/// The attribute's value; nothing when it is not there, or this process may not read it.
std::optional<std::string> attribute(int file, const std::string& name) {
    std::string value(k_max_attributes, '\0');
    const ssize_t size = ::fgetxattr(file, name.c_str(), value.data(), value.size());
    if (size < 0) return std::nullopt;
    value.resize(static_cast<std::size_t>(size));
    return value;
}

std::map<std::string, std::string> attributes(int file, const std::string& what) {
    std::string names(k_max_attributes, '\0');
    const ssize_t size = ::flistxattr(file, names.data(), names.size());
    if (size < 0 && errno == ENOTSUP) return {};
    if (size < 0) fail("list the extended attributes of " + what, errno);
    names.resize(static_cast<std::size_t>(size));
    std::map<std::string, std::string> all;
    for (std::size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
        const std::string name = names.c_str() + at;
        if (auto value = attribute(file, name)) all.emplace(name, std::move(*value));
    }
    return all;
}

void copy_extended(int from, int to, const std::string& what, NotGiven& not_given) {
    const auto wanted = attributes(from, what);
    // A folder's default access list gives one to what is made in it.
    for (const auto& [name, value] : attributes(to, what)) {
        if (wanted.count(name) == 0) ::fremovexattr(to, name.c_str());
    }
    for (const auto& [name, value] : wanted) {
        if (attribute(to, name) == value) continue;
        if (::fsetxattr(to, name.c_str(), value.data(), value.size(), 0) != 0)
            not_given.push_back(what + ": its attribute " + name + ": " +
                                std::generic_category().message(errno));
    }
}

#endif

/// Returns the mode that it can have with the owner and group that it has got.
mode_t copy_owner(const struct stat& status, int to, const std::string& what, NotGiven& not_given) {
    const mode_t mode = status.st_mode & k_mode_bits;
    struct stat now {};
    if (::fstat(to, &now) != 0) fail("look at " + what, errno);
    const auto fits = [&] { return now.st_uid == status.st_uid && now.st_gid == status.st_gid; };
    if (fits() || ::fchown(to, status.st_uid, status.st_gid) == 0) return mode;
    if (errno != EPERM) fail("give " + what + " its owner", errno);
    const bool grouped = ::fchown(to, static_cast<uid_t>(-1), status.st_gid) == 0;
    if (now.st_uid != status.st_uid)
        not_given.push_back(what + ": its owner " + std::to_string(status.st_uid));
    if (!grouped) not_given.push_back(what + ": its group " + std::to_string(status.st_gid));
    mode_t for_nobody = 0;
    if (now.st_uid != status.st_uid) for_nobody |= static_cast<mode_t>(S_ISUID);
    if (!grouped) for_nobody |= static_cast<mode_t>(S_ISGID);
    return mode & ~for_nobody;
}

}  // namespace

std::string octal(unsigned mode) {
    char digits[16];
    std::snprintf(digits, sizeof(digits), "%04o", mode);
    return digits;
}

mode_t mode_of_new_file() {
    // umask() sets it before it tells it: another thread could make a file meanwhile.
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word != "Umask:") continue;
        unsigned mask = 0;
        status >> std::oct >> mask;
        return 0666U & ~mask;
    }
    return 0644U;
}

std::vector<std::string> copy_attributes(int from, int to, Times times, const std::string& what) {
    NotGiven not_given;
    struct stat status {};
    if (::fstat(from, &status) != 0) fail("look at " + what, errno);
    // The mode after the owner: giving a file away clears bits of it. An access list after it: it
    // holds what the mode means for groups.
    const mode_t mode = copy_owner(status, to, what, not_given);
    if (::fchmod(to, mode) != 0) fail("give " + what + " its mode", errno);
    copy_extended(from, to, what, not_given);
    if (times == Times::new_ones) return not_given;
#if defined(__APPLE__)
    const std::array<timespec, 2> both{status.st_atimespec, status.st_mtimespec};
#else
    const std::array<timespec, 2> both{status.st_atim, status.st_mtim};
#endif
    if (::futimens(to, both.data()) != 0) fail("give " + what + " its times", errno);
    return not_given;
}

}  // namespace upgrade::services
