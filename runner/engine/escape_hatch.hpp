// SPDX-License-Identifier: Apache-2.0
// The commands to finish or undo an upgrade by hand, for when runner cannot.
#pragma once

#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "ledger/ledger.hpp"

namespace runner {

/// Lines for a shell, each with a comment before it that says what for. They hold paths and
/// versions, no parameter and no secret. `version`: of the upgrade that was left half-done. Throws
/// Error when the ledger cannot be read.
std::vector<std::string> escape_hatch(LedgerView& ledger, const ClusterConfig& config,
                                      const std::string& version);

}  // namespace runner
