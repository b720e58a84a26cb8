// SPDX-License-Identifier: Apache-2.0
#include "support/memory_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "model/error.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace runner {
namespace {

UniqueFd create(const char* name, bool sealable, bool inheritable) {
#if defined(__linux__)
    const unsigned flags = (sealable ? MFD_ALLOW_SEALING : 0U) | (inheritable ? 0U : MFD_CLOEXEC);
    UniqueFd fd(memfd_create(name, flags));
#else
    (void)sealable;
    (void)name;
    char path[] = "/tmp/runner-XXXXXX";
    UniqueFd fd(mkstemp(path));
    if (fd) unlink(path);
    if (fd && !inheritable) fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
#endif
    if (!fd) throw system_error(std::string("cannot make a file in memory (") + name + ")", errno);
    return fd;
}

}  // namespace

UniqueFd make_memory_file(const char* name) {
    return create(name, false, false);
}

UniqueFd make_sealed_file(const char* name, std::string_view bytes, bool inheritable) {
    UniqueFd fd = create(name, true, inheritable);
    write_all(fd.get(), bytes, name);
#if defined(__linux__)
    if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
        0) {
        throw system_error(std::string("cannot seal the file in memory (") + name + ")", errno);
    }
#endif
    return fd;
}

std::string read_all(int fd, std::size_t limit, const std::string& what) {
    struct stat status {};
    if (fstat(fd, &status) != 0) throw system_error("cannot look at " + what, errno);
    std::string bytes;
    std::size_t expected = status.st_size > 0 ? static_cast<std::size_t>(status.st_size) : 4096;
    if (S_ISREG(status.st_mode) && expected > limit) {
        throw Error(Failure::preparation,
                    what + " is larger than " + std::to_string(limit) + " bytes");
    }
    std::size_t length = 0;
    bytes.resize(expected + 1);
    while (true) {
        const ssize_t count =
            pread(fd, bytes.data() + length, bytes.size() - length, static_cast<off_t>(length));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw system_error("cannot read " + what, errno);
        if (count == 0) break;
        length += static_cast<std::size_t>(count);
        if (length > limit) {
            throw Error(Failure::preparation,
                        what + " is larger than " + std::to_string(limit) + " bytes");
        }
        if (length == bytes.size()) bytes.resize(bytes.size() * 2);
    }
    bytes.resize(length);
    return bytes;
}

void write_all(int fd, std::string_view bytes, const std::string& what) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw system_error("cannot write " + what, errno);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

}  // namespace runner
