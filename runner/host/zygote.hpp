// SPDX-License-Identifier: Apache-2.0
// The host parent: a small process that has loaded nothing and forks a child for each phase of each
// upgrade, because starting a program anew costs ten times a fork. It is the subreaper of
// everything that plugins start, ends what they leave behind, and ends them all when its supervisor
// is gone.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <vector>

#include "support/unique_fd.hpp"

namespace runner {

/// The hidden command under which the program is its own host parent.
constexpr const char* k_zygote_command = "__host";

/// The descriptors of the host parent: its socket, and the lease, which must not be free before its
/// children are gone.
constexpr int k_zygote_socket = 3;
constexpr int k_zygote_lease = 4;

/// What the host parent does, until its socket ends. Returns the exit status. Each child runs
/// `plugin_process`.
int run_zygote();

/// What the supervisor hears about a child.
struct ChildEvent {
    enum class Kind : std::uint32_t { started = 1, ended = 2, failed = 3 } kind = Kind::failed;
    std::uint32_t id = 0;
    std::int32_t pid = 0;
    std::int32_t wait_status = 0;  ///< of an ended one, as waitpid gives it
    std::uint32_t strays = 0;      ///< processes that it left behind and that were ended
};

/// The supervisor's end.
class Zygote {
 public:
    /// Starts the host parent with exactly this environment. `lease` is inherited by it; -1: none.
    Zygote(const std::vector<std::string>& environment, int lease);
    /// Ends it with everything below it, and waits for that.
    ~Zygote();
    Zygote(const Zygote&) = delete;
    Zygote& operator=(const Zygote&) = delete;

    /// Asks for a child with this socket and this file as its standard output and error.
    void spawn(std::uint32_t id, int socket, int output);
    /// Sends `signal` to the process group of a child, unless it has ended.
    void signal(std::uint32_t id, int signal);

    [[nodiscard]] int descriptor() const { return m_socket.get(); }
    /// The next event that has arrived; false when there is none. With `wait`, waits for one.
    /// Throws Error when the host parent is gone.
    bool next(ChildEvent& event, bool wait);

 private:
    UniqueFd m_socket;
    pid_t m_pid = -1;
};

}  // namespace runner
