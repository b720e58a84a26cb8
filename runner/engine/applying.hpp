// SPDX-License-Identifier: Apache-2.0
// One upgrade simulated, judged once more, applied and verified, and rolled back when it fails:
// what all kinds of runs that apply upgrades have in common.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/kinds/kind.hpp"
#include "engine/run.hpp"

namespace runner {

/// Whether a run goes on without an upgrade that cannot run here; gets why not.
using GoOnWithout = std::function<bool(const UpgradeInRun& upgrade, const std::string& words)>;

/// Records that the releases that were changed since their first attempt are taken all the same,
/// where the user says so.
void accept_changed_releases(Run& run);

/// Simulates it, tells what it would change, and sets its verdict. Throws Error{preparation} when
/// it cannot run and the run does not go on without it.
void rehearse_upgrade(Run& run, UpgradeInRun& upgrade, const GoOnWithout& go_on_without);

/// Whether its verdict has to be asked for again right before it is applied, or what it does shown
/// again, as this run itself has changed what it was made from.
bool is_judged_again(Run& run, const UpgradeInRun& upgrade);

/// Asks for its verdict as things are now; what could not be shown before is shown, and asked for,
/// now. Throws Error when it is another than was shown, though nothing in the run can have changed
/// it, and when it cannot run by now either.
void judge_again(Run& run, UpgradeInRun& upgrade, const GoOnWithout& go_on_without);

/// Applies and verifies it; what fails is rolled back where that leaves nothing of it.
/// `reached`: the cluster version when it is done; `record`: it counts as done.
Worked apply_upgrade(Run& run, UpgradeInRun& upgrade, const std::optional<SemanticVersion>& reached,
                     bool record);

/// Undoes it after it failed, unless the user does not want that or it would leave something.
void roll_back_failed(Run& run, UpgradeInRun& upgrade, AttemptEnd& end);

/// Keeps its release beside the ledger, where undoing or checking it needs its library.
void keep_release(Run& run, const UpgradeInRun& upgrade);

}  // namespace runner
