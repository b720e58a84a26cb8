// SPDX-License-Identifier: Apache-2.0
#include "host/zygote.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "host/plugin_process.hpp"
#include "model/error.hpp"
#include "support/spawn.hpp"
#include "support/stop_signals.hpp"

namespace runner {
namespace {

struct Request {
    enum class Kind : std::uint32_t { spawn = 1, signal = 2 } kind = Kind::spawn;
    std::uint32_t id = 0;
    std::int32_t signal = 0;
};

constexpr int k_stray_rounds = 100;

/// Sends a small struct with descriptors; false when the other end is gone.
bool send_struct(int socket, const void* data, std::size_t size,
                 const std::vector<int>& descriptors) {
    iovec part{const_cast<void*>(data), size};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 2)> control{};
    if (!descriptors.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(int) * descriptors.size());
    }
    while (true) {
        const ssize_t count = ::sendmsg(socket, &header, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        return count == static_cast<ssize_t>(size);
    }
}

/// Receives one struct; 0 at the end of the stream, -1 when nothing has arrived.
ssize_t receive_struct(int socket, void* data, std::size_t size,
                       std::array<UniqueFd, 2>& descriptors, bool wait) {
    iovec part{data, size};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 2)> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t count = 0;
    do {
        count =
            ::recvmsg(socket, &header, MSG_WAITALL | MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN ? -1 : 0;
    std::size_t next = 0;
    for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr;
         rights = CMSG_NXTHDR(&header, rights)) {
        const std::size_t number = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < number && next < descriptors.size(); ++i, ++next) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(int));
            descriptors[next].reset(fd);
        }
    }
    return count;
}

int g_child_pipe = -1;

void on_child(int) {
    const int saved_errno = errno;
    const char byte = 1;
    (void)!::write(g_child_pipe, &byte, 1);
    errno = saved_errno;
}

/// The host parent's loop.
class HostParent {
 public:
    int run() {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return 1;
        m_pipe_read.reset(ends[0]);
        m_pipe_write.reset(ends[1]);
        g_child_pipe = m_pipe_write.get();
        struct sigaction action {};
        action.sa_handler = on_child;
        action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
        ::sigaction(SIGCHLD, &action, nullptr);
        // Stopping is the supervisor's decision, also when the signal was sent to all processes of
        // the run (a service manager, a closed terminal). Plugin processes inherit that; what they
        // start does not.
        for (const int stop : k_stop_signals) ::signal(stop, SIG_IGN);
        while (true) {
            std::array<pollfd, 2> waits{
                {{k_zygote_socket, POLLIN, 0}, {m_pipe_read.get(), POLLIN, 0}}};
            if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
            if (waits[1].revents != 0) {
                std::array<char, 64> bytes{};
                while (::read(m_pipe_read.get(), bytes.data(), bytes.size()) > 0) {
                }
                reap();
            }
            if (waits[0].revents != 0 && !serve()) break;
        }
        end_everything();
        return 0;
    }

 private:
    /// Handles one request; false when the supervisor is gone.
    bool serve() {
        Request request;
        std::array<UniqueFd, 2> descriptors;
        const ssize_t count =
            receive_struct(k_zygote_socket, &request, sizeof(request), descriptors, true);
        if (count != static_cast<ssize_t>(sizeof(request))) return false;
        if (request.kind == Request::Kind::signal) {
            for (const auto& [pid, id] : m_children) {
                if (id == request.id) ::kill(-pid, request.signal);
            }
            return true;
        }
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid == 0) become_child(descriptors, parent);
        if (pid > 0) {
            ::setpgid(pid, pid);  // by both sides: neither can know who is first
            m_children[pid] = request.id;
        }
        const ChildEvent event{pid > 0 ? ChildEvent::Kind::started : ChildEvent::Kind::failed,
                               request.id, pid, pid > 0 ? 0 : errno, 0};
        return send_struct(k_zygote_socket, &event, sizeof(event), {});
    }

    [[noreturn]] void become_child(std::array<UniqueFd, 2>& descriptors, pid_t parent) {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        ::signal(SIGCHLD, SIG_DFL);
        ::close(k_zygote_socket);
        ::close(k_zygote_lease);
        m_pipe_read.reset();
        m_pipe_write.reset();
        const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ::dup2(null.get(), STDIN_FILENO);
        ::dup2(descriptors[1].get(), STDOUT_FILENO);
        ::dup2(descriptors[1].get(), STDERR_FILENO);
        descriptors[1].reset();
        ::_exit(plugin_process(std::move(descriptors[0])));
    }

    /// Reports children that have ended, after ending what they left behind.
    void reap() {
        while (true) {
            siginfo_t info{};
            if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
                return;
            const pid_t pid = info.si_pid;
            const auto found = m_children.find(pid);
            int status = 0;
            if (found == m_children.end()) {  // a stray that ended by itself
                ::waitpid(pid, &status, 0);
                continue;
            }
            ::kill(-pid,
                   SIGKILL);  // before it is reaped: until then no other group can have this number
            ::waitpid(pid, &status, 0);
            const std::uint32_t id = found->second;
            m_children.erase(found);
            const ChildEvent event{ChildEvent::Kind::ended, id, pid, status, end_strays()};
            send_struct(k_zygote_socket, &event, sizeof(event), {});
        }
    }

    /// Ends every process below this one that is no known child; how many there were.
    std::uint32_t end_strays() {
        std::uint32_t strays = 0;
        for (int round = 0; round < k_stray_rounds; ++round) {
            bool found = false;
            for (const pid_t pid : children_of_this_process()) {
                if (m_children.count(pid) != 0) continue;
                found = true;
                ::kill(pid, SIGKILL);
                int status = 0;
                ::waitpid(pid, &status, 0);
                ++strays;
            }
            if (!found) break;
        }
        return strays;
    }

    static std::vector<pid_t> children_of_this_process() {
        std::vector<pid_t> pids;
        const UniqueFd file(::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC));
        if (!file) return pids;
        std::string text;
        std::array<char, 4096> bytes{};
        for (ssize_t count = 0; (count = ::read(file.get(), bytes.data(), bytes.size())) > 0;) {
            text.append(bytes.data(), static_cast<std::size_t>(count));
        }
        std::string_view rest = text;
        while (!rest.empty()) {
            pid_t pid = 0;
            const auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), pid);
            if (status != std::errc()) break;
            pids.push_back(pid);
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
            while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
        }
        return pids;
    }

    void end_everything() {
        for (const auto& [pid, id] : m_children) ::kill(-pid, SIGKILL);
        m_children.clear();
        end_strays();
    }

    std::map<pid_t, std::uint32_t> m_children;
    UniqueFd m_pipe_read;
    UniqueFd m_pipe_write;
};

}  // namespace

int run_zygote() {
    return HostParent().run();
}

Zygote::Zygote(const std::vector<std::string>& environment, int lease) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw system_error("cannot make a socket for the plugin host", errno);
    }
    m_socket.reset(ends[0]);
    const UniqueFd other(ends[1]);
    SpawnRequest request;
    request.program = "/proc/self/exe";
    request.arguments = {"runner", k_zygote_command};
    request.environment = environment;
    request.descriptors = {{other.get(), k_zygote_socket}};
    // Away from the terminal: upgrades can neither open /dev/tty nor type into it, nor read from
    // it.
    request.apart = SpawnRequest::Apart::session;
    if (lease >= 0) request.descriptors.push_back({lease, k_zygote_lease});
    m_pid = runner::spawn(request, "the plugin host");
}

Zygote::~Zygote() {
    m_socket.reset();
    int status = 0;
    while (::waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
    }
}

void Zygote::spawn(std::uint32_t id, int socket, int output) {
    const Request request{Request::Kind::spawn, id, 0};
    if (!send_struct(m_socket.get(), &request, sizeof(request), {socket, output})) {
        throw Error(Failure::preparation, "the plugin host has died");
    }
}

void Zygote::signal(std::uint32_t id, int signal) {
    const Request request{Request::Kind::signal, id, signal};
    send_struct(m_socket.get(), &request, sizeof(request), {});
}

bool Zygote::next(ChildEvent& event, bool wait) {
    std::array<UniqueFd, 2> none;
    const ssize_t count = receive_struct(m_socket.get(), &event, sizeof(event), none, wait);
    if (count < 0) return false;
    if (count != static_cast<ssize_t>(sizeof(event)))
        throw Error(Failure::preparation, "the plugin host has died");
    return true;
}

}  // namespace runner
