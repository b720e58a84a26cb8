// SPDX-License-Identifier: Apache-2.0
// In which order upgrades are undone, and what else has to be undone with them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/upgrade_in_run.hpp"
#include "ledger/ledger.hpp"

namespace runner {

struct UndoOrder {
    std::vector<std::string> versions;  ///< what is undone first is first
    std::vector<std::string> reasons;   ///< why some are undone that nobody has named
};

/// `candidates`: everything that could be undone, what was applied last being first, but half-done
/// work before it. `wanted`: of these, what is to be undone. With it goes what has changed the same
/// files after it, and what requires it; each before what it builds on. Throws Error{refused} that
/// names an upgrade which has changed a file later and is no candidate.
UndoOrder order_to_undo(LedgerView& ledger, const std::vector<UpgradeInRun>& candidates,
                        std::set<std::string> wanted);

}  // namespace runner
