// SPDX-License-Identifier: Apache-2.0
#include "api/file_follower.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace runner {
namespace {

/// Without notices, because the system has no more of them to give.
constexpr std::chrono::milliseconds k_poll_interval{100};

}  // namespace

FileFollower::FileFollower(std::filesystem::path file)
    : m_file(std::move(file)), m_notices(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    if (m_notices && ::inotify_add_watch(m_notices.get(), m_file.parent_path().c_str(),
                                         IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        m_notices.reset();
}

std::string FileFollower::read(std::size_t limit) {
    if (!m_open) m_open.reset(::open(m_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!m_open) return {};
    std::string bytes(limit, '\0');
    const ssize_t count =
        ::pread(m_open.get(), bytes.data(), bytes.size(), static_cast<off_t>(m_offset));
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    m_offset += bytes.size();
    return bytes;
}

void FileFollower::wait(std::chrono::milliseconds length) {
    if (!m_notices) length = std::min(length, k_poll_interval);
    pollfd waiting{m_notices.get(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(length.count()));
    std::array<char, 4096> ignored{};
    while (m_notices && ::read(m_notices.get(), ignored.data(), ignored.size()) > 0) {
    }
}

}  // namespace runner
