// SPDX-License-Identifier: Apache-2.0
#include "support/hidden_echo.hpp"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

namespace runner {
namespace {

// A signal handler can reach nothing but globals; all is set before the first handler is.
termios g_shown;
termios g_hidden;
std::array<bool, NSIG> g_handled;
std::atomic<bool> g_hiding{false};

/// They end or stop nothing by themselves, or cannot be handled.
constexpr std::array k_left_alone{SIGKILL, SIGSTOP, SIGCHLD, SIGURG, SIGWINCH};

/// A process in the background leaves the terminal as it is: it belongs to the shell, or to what
/// the shell has started since, and the process would be stopped for it.
void set_in_foreground(const termios& state, int when) {
    if (::tcgetpgrp(STDIN_FILENO) == ::getpgrp()) ::tcsetattr(STDIN_FILENO, when, &state);
}

void on_signal(int number);

void handle(int number) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    ::sigfillset(&action.sa_mask);
    ::sigaction(number, &action, nullptr);
}

/// Only what is safe in a signal handler.
void on_signal(int number) {
    const int saved_errno = errno;
    if (number != SIGCONT) {
        set_in_foreground(g_shown, TCSANOW);
        ::signal(number, SIG_DFL);
        sigset_t own;
        ::sigemptyset(&own);
        ::sigaddset(&own, number);
        ::raise(number);
        ::pthread_sigmask(SIG_UNBLOCK, &own, nullptr);  // here it ends, or stops until it goes on
        ::pthread_sigmask(SIG_BLOCK, &own, nullptr);
        handle(number);
    }
    if (g_hiding) set_in_foreground(g_hidden, TCSANOW);
    errno = saved_errno;
}

}  // namespace

HiddenEcho::HiddenEcho() : m_terminal(::tcgetattr(STDIN_FILENO, &g_shown) == 0) {
    if (!m_terminal) return;
    g_hidden = g_shown;
    g_hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    g_handled = {};
    g_hiding = true;
    for (int number = 1; number < NSIG; ++number) {
        const bool left_alone =
            std::find(k_left_alone.begin(), k_left_alone.end(), number) != k_left_alone.end();
        struct sigaction known {};
        if (left_alone || ::sigaction(number, nullptr, &known) != 0 || known.sa_handler != SIG_DFL)
            continue;
        handle(number);
        g_handled[static_cast<std::size_t>(number)] = true;
    }
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &g_hidden);
}

void HiddenEcho::hide() const {
    while (m_terminal && ::tcsetattr(STDIN_FILENO, TCSANOW, &g_hidden) != 0 && errno == EINTR) {
    }
}

HiddenEcho::~HiddenEcho() {
    if (!m_terminal) return;
    g_hiding = false;
    set_in_foreground(g_shown, TCSAFLUSH);
    for (int number = 1; number < NSIG; ++number) {
        if (g_handled[static_cast<std::size_t>(number)]) ::signal(number, SIG_DFL);
    }
}

}  // namespace runner
