// SPDX-License-Identifier: Apache-2.0
// Random upgrades. Each writes lines that no other one writes, so that what is there of it can be
// counted.
#pragma once

#include <string>
#include <vector>

#include "simulation/dice.hpp"
#include "support/scripted_upgrade.hpp"

namespace test {

/// The files that several upgrades change.
const std::vector<std::string>& shared_files();

/// One to six, lowest version first; what one requires or waits for, an earlier one brings.
std::vector<ScriptedUpgrade> random_upgrades(Dice& dice);

/// Faults of one upgrade for the next operations.
std::vector<PhaseFault> random_faults(Dice& dice);

}  // namespace test
