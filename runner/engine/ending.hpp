// SPDX-License-Identifier: Apache-2.0
// How a run ends that does not come to its own end, and what is told of it: which files were
// changed, which commands were run, what to do next.
#pragma once

#include "engine/kinds/kind.hpp"
#include "engine/run.hpp"
#include "model/error.hpp"

namespace runner {

/// How a run ends before its end.
struct RunEnd {
    RunState state = RunState::failed;
    Outcome outcome = Outcome::failed;  ///< as it is recorded and told
    RunError error;
    int exit_code = 0;
};
/// Records and tells it. Throws Error when the ledger fails.
void end_run(Run& run, RunEnd end);

/// By a stop signal.
void end_interrupted(Run& run, int signal);

/// By `error`, with its exit code; as interrupted when it only says that a stop signal was heeded.
void end_failed(Run& run, const Kind& kind, const Error& error);

/// By a stop signal, before the upgrade at `next` was begun.
void end_between_upgrades(Run& run, const Kind& kind, std::size_t next);

/// After an attempt that failed, was cancelled, or was rolled back.
void end_after_failed_upgrade(Run& run, const UpgradeInRun& upgrade, const AttemptEnd& end);

/// What is there of an upgrade that did not come to its end, or whose undo did not.
Changes changes_of(Run& run, const UpgradeInRun& upgrade);

/// What there is of it, for people: its files (which `files` says how they are), the commands that
/// it ran. Empty when nothing is known of any change.
std::string words_for_changes(const Changes& changes, const std::string& files = "files changed");

/// The commands to finish or undo by hand what is there of an upgrade. Throws Error when the ledger
/// cannot be read.
std::vector<std::string> recipe_by_hand(Run& run, const std::string& version,
                                        const Changes& changes);

}  // namespace runner
