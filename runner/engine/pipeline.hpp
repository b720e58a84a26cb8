// SPDX-License-Identifier: Apache-2.0
// The only sequence there is: every kind of run looks, chooses, takes the lease and chooses once
// more, admits, prepares, rehearses, asks, works and ends (ARCHITECTURE.md, "One run").
#pragma once

#include "engine/kinds/kind.hpp"
#include "engine/run.hpp"

namespace runner {

/// Runs it to its end, and returns the result with its exit code; failures are in the result, not
/// thrown.
RunReport run_pipeline(Run& run, Kind& kind);

/// The stages alone. Throws Error and Interrupted.
void carry_out(Run& run, Kind& kind);

}  // namespace runner
