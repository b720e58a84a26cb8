// SPDX-License-Identifier: Apache-2.0
// Starting a program that gets what it is given, and nothing else of this process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace runner {

/// How a program is started.
struct SpawnRequest {
    /// A descriptor of this process, and its number in the new one.
    struct Descriptor {
        int own = -1;
        int as = -1;
    };
    /// What of its surroundings it leaves.
    enum class Apart {
        group,    ///< a process group of its own: out of reach of the terminal's Ctrl-C
        session,  ///< a session of its own: it has no terminal (/dev/tty), and outlives it
    };

    std::filesystem::path program;
    std::vector<std::string> arguments;    ///< the first one is its own name
    std::vector<std::string> environment;  ///< NAME=value
    std::vector<Descriptor> descriptors;   ///< standard ones that are not named stay as they are
    Apart apart = Apart::group;
};

/// Starts it, with no signal blocked or ignored, and with no descriptor above the highest that it
/// is given. `what` names it in the error. Returns its process id. Throws Error{preparation}.
pid_t spawn(const SpawnRequest& request, const std::string& what);

}  // namespace runner
