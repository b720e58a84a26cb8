// SPDX-License-Identifier: Apache-2.0
#include "services/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

#include "services/program.hpp"
#include "services/service_error.hpp"

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace upgrade::services {
namespace {

using Clock = std::chrono::steady_clock;

/// How often a program is looked at when its end cannot be waited for.
constexpr int k_poll_ms = 50;

struct Pipe {
    int read_end = -1;
    int write_end = -1;

    Pipe() {
        std::array<int, 2> ends{};
#if defined(__linux__)
        const int made = ::pipe2(ends.data(), O_CLOEXEC);
#else
        const int made = ::pipe(ends.data());
        for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
#endif
        if (made != 0) {
            throw Refusal(UPGRADE_FAILED,
                          "cannot make a pipe: " + std::generic_category().message(errno));
        }
        read_end = ends[0];
        write_end = ends[1];
    }
    ~Pipe() {
        close_read();
        close_write();
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_read() {
        if (read_end >= 0) ::close(std::exchange(read_end, -1));
    }
    void close_write() {
        if (write_end >= 0) ::close(std::exchange(write_end, -1));
    }
};

void set_nonblocking(int fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* argv, char** environment, const CommandSpec& spec, int input,
                         int output, int error_output, int failure, pid_t parent) {
#if defined(__linux__)
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
#else
    (void)parent;
#endif
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(error_output, STDERR_FILENO);
    // A plugin process ignores those that stop a run; what it starts has to hear them.
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
    if (spec.own_session) ::setsid();
    if (!spec.environment.empty()) environ = environment;
    if (spec.folder.empty() || ::chdir(spec.folder.c_str()) == 0) ::execvp(argv[0], argv);
    const int error = errno;
    (void)!::write(failure, &error, sizeof(error));
    ::_exit(127);
}

/// The folders that the program is looked for in.
std::string path_in(const CommandSpec& spec) {
    for (const std::string& variable : spec.environment) {
        if (variable.rfind("PATH=", 0) == 0) return variable.substr(5);
    }
    const char* own = std::getenv("PATH");
    return own == nullptr || !spec.environment.empty() ? "" : own;
}

/// Writing to a program that has ended is no reason to end, as long as this lives.
class IgnoredPipeSignal {
 public:
    IgnoredPipeSignal() {
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &ignore, &m_previous);
    }
    ~IgnoredPipeSignal() { ::sigaction(SIGPIPE, &m_previous, nullptr); }
    IgnoredPipeSignal(const IgnoredPipeSignal&) = delete;
    IgnoredPipeSignal& operator=(const IgnoredPipeSignal&) = delete;

 private:
    struct sigaction m_previous {};
};

/// A started program; ended and reaped by the destructor if it still runs.
class Child {
 public:
    Child(const CommandSpec& spec, Pipe& input, Pipe& output, Pipe& error_output) {
        std::vector<char*> argv;
        for (const std::string& argument : spec.arguments)
            argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        std::vector<char*> environment;
        for (const std::string& variable : spec.environment)
            environment.push_back(const_cast<char*>(variable.c_str()));
        environment.push_back(nullptr);
        m_own_session = spec.own_session;
        Pipe failure;
        const pid_t parent = ::getpid();
        m_pid = ::fork();
        if (m_pid < 0)
            throw Refusal(UPGRADE_FAILED,
                          "cannot start a process: " + std::generic_category().message(errno));
        if (m_pid == 0) {
            become(argv.data(), environment.data(), spec, input.read_end, output.write_end,
                   error_output.write_end, failure.write_end, parent);
        }
        failure.close_write();
        if (const int error = read_error(failure.read_end); error != 0) {
            end();
            throw Refusal(
                error == ENOENT ? UPGRADE_NOT_FOUND : UPGRADE_FAILED,
                "cannot run '" + spec.arguments.front() + "': " +
                    why_not_started(spec.arguments.front(), error, path_in(spec), spec.folder));
        }
#if defined(__linux__) && defined(SYS_pidfd_open)
        m_pidfd = static_cast<int>(::syscall(SYS_pidfd_open, m_pid, 0));
#endif
    }
    ~Child() {
        if (m_own_session) ::kill(-m_pid, SIGKILL);
        if (!m_status) end();
        if (m_pidfd >= 0) ::close(m_pidfd);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] int pidfd() const {
        return m_pidfd;
    }

    /// The exit status once it has ended.
    std::optional<int> ended() {
        int status = 0;
        if (!m_status && ::waitpid(m_pid, &status, WNOHANG) == m_pid) {
            m_status =
                WIFSIGNALED(status) ? k_ended_by_signal + WTERMSIG(status) : WEXITSTATUS(status);
        }
        return m_status;
    }

 private:
    /// Why the program was not started, of errno; 0: it was.
    static int read_error(int failure) {
        int error = 0;
        ssize_t count = 0;
        do {
            count = ::read(failure, &error, sizeof(error));
        } while (count < 0 && errno == EINTR);
        return count == static_cast<ssize_t>(sizeof(error)) ? error : 0;
    }

    /// Ends and reaps it.
    void end() const {
        ::kill(m_pid, SIGKILL);
        int status = 0;
        while (::waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
        }
    }

    pid_t m_pid = -1;
    bool m_own_session = false;
    int m_pidfd = -1;
    std::optional<int> m_status;
};

/// Hands on what is there; false at its end.
bool drain(int fd, const std::function<void(std::string_view)>& consume) {
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count > 0) {
            if (consume) consume({buffer.data(), static_cast<std::size_t>(count)});
            continue;
        }
        if (count < 0 && errno == EINTR) continue;
        return count < 0 && errno == EAGAIN;
    }
}

void feed(Pipe& input, std::string_view& rest) {
    while (!rest.empty()) {
        const ssize_t count = ::write(input.write_end, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0) break;  // it does not want its input: not our failure
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    rest = {};
    input.close_write();
}

}  // namespace

int run_command(const CommandSpec& spec) {
    if (spec.arguments.empty()) throw Refusal(UPGRADE_INVALID, "a command without a program");
    Pipe input;
    Pipe output;
    Pipe error_output;
    for (const int fd : {input.write_end, output.read_end, error_output.read_end})
        set_nonblocking(fd);
    const IgnoredPipeSignal no_pipe_signal;
    Child child(spec, input, output, error_output);
    input.close_read();
    output.close_write();
    error_output.close_write();
    std::string_view rest = spec.input;
    feed(input, rest);
    const Clock::time_point deadline = Clock::now() + spec.timeout;
    std::optional<int> status;
    while (!status) {
        std::array<pollfd, 5> waits{{{output.read_end, POLLIN, 0},
                                     {error_output.read_end, POLLIN, 0},
                                     {input.write_end, POLLOUT, 0},
                                     {child.pidfd(), POLLIN, 0},
                                     {spec.wake, POLLIN, 0}}};
        ::poll(waits.data(), waits.size(),
               child.pidfd() >= 0 && spec.timeout.count() == 0 ? 1000 : k_poll_ms);
        if (waits[0].revents != 0 && !drain(output.read_end, spec.on_output)) output.close_read();
        if (waits[1].revents != 0 && !drain(error_output.read_end, spec.on_error))
            error_output.close_read();
        if (waits[2].revents != 0) feed(input, rest);
        status = child.ended();
        if (!status && spec.cancelled && spec.cancelled()) {
            throw Refusal(UPGRADE_CANCELLED,
                          "'" + spec.arguments.front() + "' was ended: the run is being cancelled");
        }
        if (!status && spec.timeout.count() > 0 && Clock::now() >= deadline) {
            throw Refusal(UPGRADE_FAILED,
                          "'" + spec.arguments.front() + "' took longer than its limit of " +
                              std::to_string(spec.timeout.count()) + " ms and was ended");
        }
    }
    if (output.read_end >= 0) drain(output.read_end, spec.on_output);
    if (error_output.read_end >= 0) drain(error_output.read_end, spec.on_error);
    return *status;
}

}  // namespace upgrade::services
