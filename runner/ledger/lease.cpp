// SPDX-License-Identifier: Apache-2.0
#include "ledger/lease.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "model/error.hpp"

namespace runner {

bool LeaseFile::try_lock(const std::filesystem::path& file) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) throw system_error("cannot open the lease file " + file.string(), errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return false;
        throw system_error("cannot lock the lease file " + file.string(), errno);
    }
    m_fd = std::move(fd);
    return true;
}

}  // namespace runner
