// SPDX-License-Identifier: Apache-2.0
#include "support/stop_signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "model/error.hpp"

namespace runner {
namespace {

// A signal handler can reach nothing but globals; these are written by it alone.
std::atomic<int> g_count{0};
std::atomic<int> g_first{0};
std::atomic<int> g_write_end{-1};
std::array<struct sigaction, 3> g_previous;
struct sigaction g_previous_pipe;

void on_signal(int number) {
    const int saved_errno = errno;
    int none = 0;
    g_first.compare_exchange_strong(none, number);
    g_count.fetch_add(1);
    const char byte = 1;
    if (g_write_end >= 0) (void)!::write(g_write_end, &byte, 1);
    errno = saved_errno;
}

}  // namespace

bool is_stop_signal(int number) {
    return std::find(k_stop_signals.begin(), k_stop_signals.end(), number) != k_stop_signals.end();
}

void StopSignals::wait(std::chrono::milliseconds length) const {
    pollfd waiting{descriptor(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(length.count()));
}

ProcessStopSignals::ProcessStopSignals() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        throw system_error("cannot make a pipe for signals", errno);
    m_read_end.reset(ends[0]);
    m_write_end.reset(ends[1]);
    g_count = 0;
    g_first = 0;
    g_write_end = m_write_end.get();
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    for (std::size_t i = 0; i < k_stop_signals.size(); ++i) {
        ::sigaction(k_stop_signals[i], nullptr, &g_previous[i]);
        // What the caller has had ignored (nohup) stays ignored.
        if (g_previous[i].sa_handler != SIG_IGN) ::sigaction(k_stop_signals[i], &action, nullptr);
    }
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, &g_previous_pipe);
}

ProcessStopSignals::~ProcessStopSignals() {
    for (std::size_t i = 0; i < k_stop_signals.size(); ++i)
        ::sigaction(k_stop_signals[i], &g_previous[i], nullptr);
    ::sigaction(SIGPIPE, &g_previous_pipe, nullptr);
    g_write_end = -1;
}

int ProcessStopSignals::count() const {
    return g_count;
}
int ProcessStopSignals::first_signal() const {
    return g_first;
}

void ProcessStopSignals::drain() const {
    std::array<char, 64> bytes{};
    while (::read(m_read_end.get(), bytes.data(), bytes.size()) > 0) {
    }
}

}  // namespace runner
