// SPDX-License-Identifier: Apache-2.0
// How a run ends that does not come to its own end.
#pragma once

#include <optional>

#include "engine/recorded_run.hpp"
#include "engine/report.hpp"
#include "model/error.hpp"

namespace runner {

/// By a stop signal, while nothing was changed: exit code 128 and the signal's number.
void end_interrupted(RunReport& report, std::optional<RecordedRun>& run, int signal);

/// By `error`, with its exit code; as interrupted when it only says that a stop signal was heeded.
/// `changing`: something may be changed by now; `state` and `outcome`: the run's, unless it was
/// declined.
void end_failed(RunReport& report, std::optional<RecordedRun>& run, const Error& error,
                const StopSignals& signals, bool changing, RunState state, Outcome outcome);

}  // namespace runner
