// SPDX-License-Identifier: Apache-2.0
#include "support/read.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "model/error.hpp"
#include "support/file.hpp"
#include "support/log.hpp"

namespace runner {
namespace {

using std::chrono::milliseconds;

[[noreturn]] void refuse_length(const std::string& what, std::size_t limit) {
    throw Error(Failure::preparation, what + " is larger than " + std::to_string(limit) + " bytes");
}

struct stat status_of(int fd, const std::string& what) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) throw system_error("cannot look at " + what, errno);
    if (S_ISDIR(status.st_mode))
        throw Error(Failure::preparation, what + " is a folder, not a file");
    return status;
}

/// Waits until something is there to be read, or the end; says so when that takes long.
class Wait {
 public:
    Wait(const std::string& what, const Patience& patience)
        : m_what(what), m_patience(patience), m_begun(std::chrono::steady_clock::now()) {}

    void for_more(int fd) {
        while (true) {
            const auto waited = std::chrono::duration_cast<milliseconds>(
                std::chrono::steady_clock::now() - m_begun);
            if (waited >= m_patience.at_most)
                throw Error(Failure::preparation,
                            m_what + " did not come to its end within " +
                                std::to_string(m_patience.at_most.count()) + " ms",
                            "see whether what writes it has ended");
            if (!m_said && waited >= m_patience.before_word) {
                m_said = true;
                log_warning("still waiting for the end of " + m_what);
            }
            const milliseconds until = m_said ? m_patience.at_most : m_patience.before_word;
            const milliseconds left = std::min(until, m_patience.at_most) - waited;
            pollfd waiting{fd, POLLIN, 0};
            if (::poll(&waiting, 1, static_cast<int>(left.count()) + 1) > 0) return;
        }
    }

 private:
    const std::string& m_what;
    const Patience& m_patience;
    std::chrono::steady_clock::time_point m_begun;
    bool m_said = false;
};

}  // namespace

std::string read_all(int fd, std::size_t limit, const std::string& what) {
    const struct stat status = status_of(fd, what);
    if (!S_ISREG(status.st_mode))
        throw Error(Failure::preparation, what + " is a pipe or a device, not a file");
    const std::size_t expected =
        status.st_size > 0 ? static_cast<std::size_t>(status.st_size) : 4096;
    if (expected > limit && status.st_size > 0) refuse_length(what, limit);
    std::string bytes;
    std::size_t length = 0;
    bytes.resize(expected + 1);
    while (true) {
        const ssize_t count =
            ::pread(fd, bytes.data() + length, bytes.size() - length, static_cast<off_t>(length));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw system_error("cannot read " + what, errno);
        if (count == 0) break;
        length += static_cast<std::size_t>(count);
        if (length > limit) refuse_length(what, limit);
        if (length == bytes.size()) bytes.resize(bytes.size() * 2);
    }
    bytes.resize(length);
    return bytes;
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
    const UniqueFd fd = open_for_reading(path);
    return read_all(fd.get(), limit, path.string());
}

std::optional<std::string> read_file_if_there(const std::filesystem::path& path,
                                              std::size_t limit) {
    const UniqueFd fd = open_if_there(path);
    if (!fd) return std::nullopt;
    return read_all(fd.get(), limit, path.string());
}

std::string read_to_end(int fd, std::size_t limit, const std::string& what,
                        const Patience& patience) {
    status_of(fd, what);
    Wait wait(what, patience);
    std::string bytes;
    std::array<char, 4096> piece{};
    while (true) {
        wait.for_more(fd);
        const ssize_t count = ::read(fd, piece.data(), piece.size());
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (count < 0) throw system_error("cannot read " + what, errno);
        if (count == 0) return bytes;
        bytes.append(piece.data(), static_cast<std::size_t>(count));
        if (bytes.size() > limit) refuse_length(what, limit);
    }
}

std::string read_given_file(const std::filesystem::path& path, std::size_t limit,
                            const Patience& patience) {
    const UniqueFd fd = open_for_reading(path);
    const bool regular = S_ISREG(status_of(fd.get(), path.string()).st_mode);
    return regular ? read_all(fd.get(), limit, path.string())
                   : read_to_end(fd.get(), limit, path.string(), patience);
}

bool is_stream(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const std::string folder = fs::canonical(fs::absolute(path).parent_path(), ignored).string();
    if (folder == "/dev" || (folder + '/').starts_with("/proc/")) return true;
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
           !S_ISDIR(status.st_mode);
}

}  // namespace runner
