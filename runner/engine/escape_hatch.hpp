// SPDX-License-Identifier: Apache-2.0
// The commands to finish or undo an upgrade by hand, for when runner cannot.
#pragma once

#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "ledger/ledger.hpp"

namespace runner {

/// Lines for a shell, each with a comment before it that says what for. They hold paths, versions
/// and what was shown of commands, no secret. `version`: of the upgrade that was left half-done.
/// `facts`: of the ledger, as of now (facts_as_of_now). `commands`: changing commands that it has
/// started, masked; empty: none, or not known any more. Throws Error when the ledger cannot be
/// read.
std::vector<std::string> escape_hatch(LedgerView& ledger, const LedgerFacts& facts,
                                      const ClusterConfig& config, const std::string& version,
                                      const std::vector<std::string>& commands = {});

}  // namespace runner
