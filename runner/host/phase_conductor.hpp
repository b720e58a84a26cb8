// SPDX-License-Identifier: Apache-2.0
// The supervisor's side of one phase: starts it in a plugin process, serves what that asks, and
// tells how it ended.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "host/child.hpp"
#include "host/host.hpp"
#include "host/zygote.hpp"

namespace runner {

/// What a host has for all phases that it runs.
struct HostParts {
    Zygote& zygote;
    std::filesystem::path
        temporary_folder;  ///< where each process finds an empty folder of its own
    const StopSignals& signals;
    const Clock& clock;
    std::chrono::milliseconds grace;  ///< from TERM to KILL
    std::optional<Child>& spare;      ///< waits for the next phase; emptied when it is gone
    MakeChild make_child;
};

/// Runs one phase in `child` to its end. What `events` throws ends the phase and is thrown on.
PhaseResult conduct_phase(Child child, const PhaseRequest& request, HostEvents& events,
                          const HostParts& parts);

}  // namespace runner
