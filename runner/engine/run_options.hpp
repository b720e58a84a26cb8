// SPDX-License-Identifier: Apache-2.0
// What a user may ask of a run, whatever its kind.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/parameters.hpp"

namespace runner {

struct RunOptions {
    bool dry_run = false;
    bool yes = false;  ///< nobody is asked
    bool debug = false;
    GivenParameters parameters;
    /// Versions whose release may have another digest than at first sight.
    std::vector<std::string> accept_changed;
    std::chrono::milliseconds wait{0};  ///< for a held lease
    bool confirm_downtime = false;      ///< `yes` covers upgrades that cause downtime, too
    bool confirm_major = false;         ///< and a step to another major version
    bool roll_back = true;              ///< an upgrade that fails, where it can be undone
    bool force = false;  ///< rollback: overwrite files that were changed by hand since
    std::string run_id;  ///< under which it is recorded, also when nothing is due; empty: any
    std::string reason;  ///< kept in the history
};

}  // namespace runner
