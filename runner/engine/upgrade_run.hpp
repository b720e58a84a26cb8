// SPDX-License-Identifier: Apache-2.0
// The main job: from listing to the final cluster version (house.md, "One run").
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/lease_holder.hpp"
#include "engine/parameters.hpp"
#include "engine/planning.hpp"
#include "engine/report.hpp"
#include "engine/saved_plan.hpp"
#include "ledger/ledger.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"
#include "support/terminal.hpp"

namespace runner {

struct UpgradeRequest {
    Selection selection;
    std::optional<SavedPlan> saved_plan;  ///< instead of a selection: just this, or nothing
    bool dry_run = false;
    bool yes = false;
    bool debug = false;
    bool report_other = false;  ///< the result also lists what is not due, and why
    GivenParameters parameters;
    std::vector<std::string>
        accept_changed;  ///< versions whose release may have another digest than at first sight
    std::chrono::milliseconds wait{0};  ///< for a held lease
    bool confirm_downtime = false;      ///< `yes` covers upgrades that cause downtime, too
    bool confirm_major = false;         ///< and a step to another major version
    std::chrono::milliseconds soak{0};  ///< how long the checks are repeated at the end
    bool keep_going = false;            ///< without what is blocked, and what requires it
    bool roll_back = true;              ///< an upgrade that fails, where it can be undone
    std::string run_id;  ///< under which it is recorded, also when nothing is due; empty: any
    std::string reason;  ///< kept in the history
};

/// What the engine works with, made in main.
struct EngineParts {
    const ClusterConfig& config;
    ReleaseSource& source;
    std::function<std::unique_ptr<LedgerView>()> look_at_ledger;
    std::function<std::unique_ptr<Ledger>()> open_ledger;
    Reporter& reporter;
    Terminal& terminal;
    const StopSignals& signals;
    const Clock& clock;
};

/// Runs it, and returns the result with its exit code; failures are in the result, not thrown.
RunReport run_upgrade(const EngineParts& parts, const UpgradeRequest& request);

/// The plan alone, for `plan` and `check`; changes nothing. Throws Error.
PlanReport make_plan_report(const EngineParts& parts, const Selection& selection);

}  // namespace runner
