// SPDX-License-Identifier: Apache-2.0
// `runner state repair`: looks for what should not be in a ledger, explains it, and puts it right.
#pragma once

#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/report.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"

namespace runner {

struct Finding {
    std::string what;  ///< what is wrong
    std::string
        remedy;  ///< what repair does about it, or, where it can do nothing, what a person does
    bool repairable = true;
};

struct Diagnosis {
    bool damaged = false;  ///< the file itself: only a copy can take its place
    std::string copy;      ///< the newest copy that is whole; empty: none
    std::vector<Finding> findings;
    [[nodiscard]] bool can_repair() const;
};

/// Looks, and changes nothing. Throws Error{refused} for another's or a newer ledger.
Diagnosis diagnose_ledger(const ClusterConfig& config);

/// Puts right what diagnose_ledger finds and can be put right; under the lease. What was there is
/// kept beside it. Returns what was done, one line each. Throws Error.
std::vector<std::string> repair_ledger(const ClusterConfig& config, const Diagnosis& diagnosis,
                                       Reporter& reporter, const StopSignals& signals,
                                       const Clock& clock);

}  // namespace runner
