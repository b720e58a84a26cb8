// SPDX-License-Identifier: Apache-2.0
#include "host/host.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "host/phase_conductor.hpp"
#include "model/error.hpp"
#include "support/file.hpp"

namespace runner {

bool PhaseResult::has(const char* phase_name) const {
    return std::find(implements.begin(), implements.end(), phase_name) != implements.end();
}

struct PluginHost::State {
    State(HostOptions given, const StopSignals& stop_signals, const Clock& used_clock)
        : options(std::move(given)),
          signals(stop_signals),
          clock(used_clock),
          zygote(options.environment, options.lease) {}

    Child make_child() {
        std::array<int, 2> sockets{};
        std::array<int, 2> pipes{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0)
            throw system_error("cannot make a socket", errno);
        Child child;
        child.id = ++last_id;
        child.channel = FrameChannel(UniqueFd(sockets[0]));
        const UniqueFd child_socket(sockets[1]);
        if (::pipe2(pipes.data(), O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
        child.output.reset(pipes[0]);
        const UniqueFd child_output(pipes[1]);
        ::fcntl(pipes[0], F_SETFL, O_NONBLOCK);
        zygote.spawn(child.id, child_socket.get(), child_output.get());
        return child;
    }

    HostOptions options;
    const StopSignals& signals;
    const Clock& clock;
    TemporaryFolder temporary{"runner"};  ///< outlives the processes that use it
    Zygote zygote;
    std::uint32_t last_id = 0;
    std::optional<Child> spare;
};

PluginHost::PluginHost(HostOptions options, const StopSignals& signals, const Clock& clock)
    : m_state(std::make_unique<State>(std::move(options), signals, clock)) {}

PluginHost::~PluginHost() = default;

std::filesystem::path PluginHost::temporary_folder() const {
    return m_state->temporary.path() / "phase";
}

PhaseResult PluginHost::run(const PhaseRequest& request, HostEvents& events) {
    Child child = m_state->spare ? std::move(*m_state->spare) : m_state->make_child();
    m_state->spare.reset();
    if (request.another_follows) m_state->spare = m_state->make_child();
    return conduct_phase(
        std::move(child), request, events,
        {m_state->zygote, temporary_folder(), m_state->signals, m_state->clock,
         m_state->options.grace, m_state->spare, [this] { return m_state->make_child(); }});
}

}  // namespace runner
