// SPDX-License-Identifier: Apache-2.0
// What was applied is checked again and again for a while, before the run counts as a success.
#pragma once

#include <chrono>

#include "engine/run.hpp"

namespace runner {

/// Repeats the checks of all upgrades of the run for `length`; every one of them is recorded as
/// done by now. False when the run is over, and told, already: a check failed, or a signal came.
bool soak(Run& run, std::chrono::milliseconds length);

}  // namespace runner
