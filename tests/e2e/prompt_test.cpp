// SPDX-License-Identifier: Apache-2.0
// What is typed unseen, on a real terminal: it shows what is typed again, however the program ends.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "support/catch.hpp"
#include "support/sandbox.hpp"
#include "support/unique_fd.hpp"

using test::Sandbox;

namespace {

/// The program in the foreground of a terminal, started by a process that stands for the shell:
/// without that one it could not be stopped.
class OnTerminal {
 public:
    OnTerminal(const Sandbox& sandbox, const std::vector<std::string>& arguments) {
        int ends[2];
        int pid[2];
        REQUIRE(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr) == 0);
        REQUIRE(::pipe2(pid, O_CLOEXEC) == 0);
        m_terminal.reset(ends[0]);
        m_other_end.reset(ends[1]);
        std::vector<std::string> all{Sandbox::program()};
        all.insert(all.end(), arguments.begin(), arguments.end());
        std::vector<char*> argv;
        for (std::string& word : all) argv.push_back(word.data());
        argv.push_back(nullptr);
        const std::string folder = sandbox.path().string();
        m_shell = ::fork();
        if (m_shell == 0) stand_for_the_shell(argv.data(), folder.c_str(), pid[1]);
        m_report.reset(pid[0]);
        ::close(pid[1]);
        REQUIRE(::read(m_report.get(), &m_pid, sizeof(m_pid)) == sizeof(m_pid));
    }
    ~OnTerminal() {
        if (!m_has_ended) ::kill(m_pid, SIGKILL);
        ::kill(m_shell, SIGKILL);
        ::waitpid(m_shell, nullptr, 0);
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;

    [[nodiscard]] pid_t pid() const { return m_pid; }
    [[nodiscard]] bool echoes() const {
        termios now{};
        return ::tcgetattr(m_other_end.get(), &now) == 0 && (now.c_lflag & ECHO) != 0;
    }
    void type(const std::string& text) const {
        REQUIRE(::write(m_terminal.get(), text.data(), text.size()) > 0);
    }
    /// Until the terminal shows `text`.
    void wait_for(const std::string& text) {
        while (m_shown.find(text) == std::string::npos) {
            pollfd waiting{m_terminal.get(), POLLIN, 0};
            INFO(m_shown);
            REQUIRE(::poll(&waiting, 1, 30'000) == 1);
            char bytes[4096];
            const ssize_t count = ::read(m_terminal.get(), bytes, sizeof(bytes));
            REQUIRE(count > 0);
            m_shown.append(bytes, static_cast<std::size_t>(count));
        }
    }
    [[nodiscard]] bool is_stopped() const {
        std::ifstream file("/proc/" + std::to_string(m_pid) + "/stat");
        std::string line;
        std::getline(file, line);
        return line.compare(line.rfind(')') + 2, 1, "T") == 0;
    }
    /// The program that stands for the shell takes the terminal, and gives it back.
    void take_terminal() const { set_foreground(SIGUSR1, m_shell); }
    void give_terminal() const { set_foreground(SIGUSR2, m_pid); }
    /// As a program in the foreground sets it.
    void set_echo(bool on) const {
        termios state{};
        REQUIRE(::tcgetattr(m_other_end.get(), &state) == 0);
        state.c_lflag = on ? state.c_lflag | ECHO : state.c_lflag & ~static_cast<tcflag_t>(ECHO);
        REQUIRE(::tcsetattr(m_other_end.get(), TCSANOW, &state) == 0);
    }
    /// The program's exit code once it has ended, or 128 and the signal that has ended it. The
    /// shell stays: with its end the kernel would reset the terminal.
    int wait() {
        int status = 0;
        REQUIRE(::read(m_report.get(), &status, sizeof(status)) == sizeof(status));
        m_has_ended = true;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

 private:
    void set_foreground(int signal, pid_t group) const {
        ::kill(m_shell, signal);
        test::wait_until([&] { return ::tcgetpgrp(m_terminal.get()) == group; });
    }

    /// Only what is safe after a fork. Reports the program's process, and how it has ended.
    [[noreturn]] void stand_for_the_shell(char** argv, const char* folder, int report) const {
        ::setsid();
        ::ioctl(m_other_end.get(), TIOCSCTTY, 0);
        for (const int standard : {0, 1, 2}) ::dup2(m_other_end.get(), standard);
        for (const int stop : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) ::signal(stop, SIG_DFL);
        int ready[2];
        if (::pipe2(ready, O_CLOEXEC) != 0) ::_exit(1);
        const pid_t program = ::fork();
        if (program == 0) {
            char byte = 0;
            ::close(ready[1]);
            (void)!::read(ready[0], &byte, 1);
            if (::chdir(folder) == 0) ::execv(argv[0], argv);
            ::_exit(127);
        }
        s_program = program;
        ::signal(SIGTTOU, SIG_IGN);
        ::signal(SIGUSR1, [](int) { ::tcsetpgrp(0, ::getpgrp()); });
        ::signal(SIGUSR2, [](int) { ::tcsetpgrp(0, s_program); });
        ::setpgid(program, program);
        ::tcsetpgrp(0, program);
        ::close(ready[1]);
        (void)!::write(report, &program, sizeof(program));
        int status = 0;
        while (::waitpid(program, &status, 0) < 0) {
        }
        (void)!::write(report, &status, sizeof(status));
        while (true) ::pause();
    }

    static inline pid_t s_program = -1;  // for the handlers of the process that is the shell
    runner::UniqueFd m_terminal;
    runner::UniqueFd m_other_end;
    pid_t m_shell = -1;
    pid_t m_pid = -1;
    bool m_has_ended = false;
    runner::UniqueFd m_report;
    std::string m_shown;
};

const std::string k_prompt = "(of the forge): ";

/// The address sanitizer has a handler of its own for SIGSEGV, which the programs of these tests
/// would leave in its place.
void leave_crashes_to_the_kernel() {
    static const char* const given = std::getenv("ASAN_OPTIONS");
    static const std::string options =
        (given == nullptr ? "" : given) + std::string(":handle_segv=0");
    ::setenv("ASAN_OPTIONS", options.c_str(), 1);
}

}  // namespace

TEST_CASE("the terminal shows what is typed again after every signal that ends a prompt") {
    const int number = GENERATE(SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2,
                                SIGABRT, SIGSEGV, SIGVTALRM, SIGXCPU, SIGRTMIN + 1);
    INFO("signal " << number);
    leave_crashes_to_the_kernel();
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    OnTerminal run(sandbox, {"upgrade", "--yes"});
    run.wait_for(k_prompt);
    test::wait_until([&] { return !run.echoes(); });
    ::kill(run.pid(), number);
    const int status = run.wait();
    const bool asks_to_stop = number == SIGTERM || number == SIGHUP || number == SIGINT;
    CHECK((asks_to_stop ? status != 0 : status == 128 + number));
    CHECK(run.echoes());
}

TEST_CASE("a prompt that is stopped shows what is typed until it goes on, and then hides it") {
    const int number = GENERATE(SIGTSTP, SIGTTIN, SIGTTOU);
    INFO("signal " << number);
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    OnTerminal run(sandbox, {"upgrade", "--yes"});
    run.wait_for(k_prompt);
    for (int round = 0; round < 2; ++round) {
        test::wait_until([&] { return !run.echoes(); });
        ::kill(run.pid(), number);
        test::wait_until([&] { return run.is_stopped(); });
        CHECK(run.echoes());
        ::kill(run.pid(), SIGCONT);
    }
    test::wait_until([&] { return !run.echoes(); });
    run.type("a-secret-value\n");
    CHECK(run.wait() == 0);
    CHECK(run.echoes());
}

TEST_CASE("a prompt that goes on in the background stops, until it is in the foreground") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    OnTerminal run(sandbox, {"upgrade", "--yes"});
    run.wait_for(k_prompt);
    test::wait_until([&] { return !run.echoes(); });
    ::kill(run.pid(), SIGTSTP);
    test::wait_until([&] { return run.is_stopped(); });
    run.take_terminal();
    ::kill(run.pid(), SIGCONT);
    test::wait_until([&] { return run.is_stopped(); });
    CHECK(run.echoes());
    run.give_terminal();
    ::kill(run.pid(), SIGCONT);
    test::wait_until([&] { return !run.echoes(); });
    run.type("a-secret-value\n");
    CHECK(run.wait() == 0);
    CHECK(run.echoes());
}

TEST_CASE("a key for a prompt in the background is not the end of its input") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    OnTerminal run(sandbox, {"upgrade", "--yes"});
    run.wait_for(k_prompt);
    test::wait_until([&] { return !run.echoes(); });
    run.take_terminal();
    run.type("a-secret-value\n");
    test::wait_until([&] { return run.is_stopped(); });
    run.give_terminal();
    ::kill(run.pid(), SIGCONT);
    CHECK(run.wait() == 0);
    CHECK(run.echoes());
}

TEST_CASE("a prompt that ends in the background leaves the terminal as the foreground has it") {
    const bool echoes = GENERATE(false, true);
    const int number = GENERATE(SIGTERM, SIGALRM);
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    OnTerminal run(sandbox, {"upgrade", "--yes"});
    run.wait_for(k_prompt);
    test::wait_until([&] { return !run.echoes(); });
    run.take_terminal();
    run.set_echo(echoes);
    ::kill(run.pid(), number);
    CHECK(run.wait() != 0);
    CHECK(run.echoes() == echoes);
}

TEST_CASE("a prompt that is answered, or ended by the end of its input, leaves the echo on") {
    for (const std::string typed : {"a-secret-value\n", "\x04"}) {
        Sandbox sandbox;
        sandbox.release_plugin("secretive", "0.1.10001");
        OnTerminal run(sandbox, {"upgrade", "--yes"});
        run.wait_for(k_prompt);
        test::wait_until([&] { return !run.echoes(); });
        run.type(typed);
        CHECK(run.wait() == (typed == "\x04" ? 3 : 0));
        CHECK(run.echoes());
    }
}
