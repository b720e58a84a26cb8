// SPDX-License-Identifier: Apache-2.0
// Files below a root, opened part by part and never through a link: what the files service stands
// on.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace upgrade::services {

/// Throws Refusal: UPGRADE_NOT_FOUND where the error says that there is nothing.
[[noreturn]] void fail(const std::string& operation, int error);

/// A descriptor with one owner; the runner's own is not visible from the SDK.
class Descriptor {
 public:
    explicit Descriptor(int fd) : m_fd(fd) {}
    ~Descriptor() {
        if (m_fd >= 0) ::close(m_fd);
    }
    Descriptor(Descriptor&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(m_fd, other.m_fd);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return m_fd; }
    explicit operator bool() const { return m_fd >= 0; }

 private:
    int m_fd;
};

/// The folder that holds `path`; empty: the root.
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);

/// Opens the folder `path` below `root`, part by part and never through a link, so that nothing can
/// lead out of the repository. With `make`, missing folders are made.
Descriptor open_folder(const std::string& root, const std::string& path, bool make);

/// The mode bits of what is at `path`; 0 when there is nothing.
mode_t mode_at(const std::string& root, const std::string& path);

/// The whole of a regular file. Throws Refusal.
std::string read_from_disk(const std::string& root, const std::string& path);

}  // namespace upgrade::services
