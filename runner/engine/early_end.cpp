// SPDX-License-Identifier: Apache-2.0
#include "engine/early_end.hpp"

namespace runner {

void end_interrupted(RunReport& report, std::optional<RecordedRun>& run, int signal) {
    if (run) run->abandon(RunState::cancelled, Outcome::interrupted, "interrupted");
    report.outcome = Outcome::interrupted;
    report.error =
        RunError{"interrupted", "interrupted; nothing was changed", "run it again to go on", "no"};
    report.exit_code = 128 + signal;
}

void end_failed(RunReport& report, std::optional<RecordedRun>& run, const Error& error,
                const StopSignals& signals, bool changing, RunState state, Outcome outcome) {
    if (signals.count() > 0 && !changing && error.failure() == Failure::preparation) {
        end_interrupted(report, run, signals.first_signal());
        return;
    }
    const Failure failure = changing && error.failure() == Failure::preparation
                                ? Failure::apply_failed
                                : error.failure();
    if (failure == Failure::declined) {
        state = RunState::aborted;
        outcome = Outcome::aborted;
    }
    if (run) run->abandon(state, outcome, error.what());
    report.outcome = outcome;
    report.error =
        RunError{to_string(failure), error.what(), error.next(), changing ? "perhaps" : "no"};
    report.exit_code = exit_code(failure);
}

}  // namespace runner
