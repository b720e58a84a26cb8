// SPDX-License-Identifier: Apache-2.0
// `runner rollback`: the newest upgrade undone, or all down to a version.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "engine/upgrade_run.hpp"

namespace runner {

struct RollbackRequest {
    std::string target;  ///< the cluster's version afterwards; empty: undo the newest upgrade
    std::string reason;
    bool dry_run = false;
    bool yes = false;
    bool force = false;  ///< overwrite files that were changed by hand since
    bool debug = false;
    GivenParameters parameters;
    std::chrono::milliseconds wait{0};
    std::string run_id;  ///< under which it is recorded; empty: any
};

/// Runs it, and returns the result with its exit code; failures are in the result, not thrown.
RunReport run_rollback(const EngineParts& parts, const RollbackRequest& request);

}  // namespace runner
