// SPDX-License-Identifier: Apache-2.0
#include "support/memory_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "model/error.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace runner {
namespace {

#if defined(__linux__)
// Since Linux 6.3, and so not in every header; older kernels refuse them.
constexpr unsigned k_never_executable = 0x0008U;  // MFD_NOEXEC_SEAL
constexpr unsigned k_executable = 0x0010U;        // MFD_EXEC
#endif

/// An empty file that can be sealed.
UniqueFd create(const char* name, MemoryUse use) {
    const std::string what = std::string("a file in memory (") + name + ")";
#if defined(__linux__)
    const bool program = use == MemoryUse::program;
    const unsigned flags = MFD_ALLOW_SEALING | (program ? 0U : MFD_CLOEXEC);
    UniqueFd fd(::memfd_create(name, flags | (program ? k_executable : k_never_executable)));
    if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, flags));
    if (!fd && errno == EACCES && program)
        throw Error(Failure::preparation,
                    "cannot make " + what +
                        ": this machine forbids programs in memory (vm.memfd_noexec is 2), and "
                        "an executable upgrade runs from memory",
                    "sysctl vm.memfd_noexec=1");
#else
    char path[] = "/tmp/runner-XXXXXX";
    UniqueFd fd(mkstemp(path));
    if (fd) unlink(path);
    if (fd && use != MemoryUse::program) fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
#endif
    if (!fd) throw system_error("cannot make " + what, errno);
    return fd;
}

/// Nobody seals it any more; with `content`, nobody writes it either.
void seal(const UniqueFd& file, const char* name, bool content) {
#if defined(__linux__)
    const int seals = content ? F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW : 0;
    if (::fcntl(file.get(), F_ADD_SEALS, seals | F_SEAL_SEAL) != 0)
        throw system_error(std::string("cannot seal the file in memory (") + name + ")", errno);
#else
    (void)file, (void)name, (void)content;
#endif
}

}  // namespace

UniqueFd make_memory_file(const char* name) {
    UniqueFd fd = create(name, MemoryUse::data);
    seal(fd, name, false);
    return fd;
}

UniqueFd make_sealed_file(const char* name, std::string_view bytes, MemoryUse use) {
    UniqueFd fd = create(name, use);
    write_all(fd.get(), bytes, name);
    seal(fd, name, true);
    return fd;
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
