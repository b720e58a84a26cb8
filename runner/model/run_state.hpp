// SPDX-License-Identifier: Apache-2.0
// The states of a run, the moves between them, and the words for how runs and upgrades end.
#pragma once

#include <optional>
#include <string_view>

namespace runner {

/// The states of a run; may_move has the moves between them.
enum class RunState {
    queued,
    fetching,
    building,
    simulating,
    awaiting_confirmation,
    applying,
    verifying,
    soaking,
    succeeded,
    aborted,
    failed_pre,
    failed,
    rolling_back,
    rolled_back,
    rollback_failed,
    cancelled,
    interrupted,
};

inline constexpr int k_run_states = 17;

const char* to_string(RunState state);
std::optional<RunState> run_state_from(std::string_view word);

/// Whether a run in `state` is over; every such state can be started again.
bool is_end(RunState state);

/// Whether a run of this command, as the ledger has it (`upgrade`, `rollback --to 0.0.62`), has
/// done what was asked: a rollback is meant to roll back.
bool has_succeeded(RunState state, std::string_view command);

/// Whether a run may move from `from` to `to`.
bool may_move(RunState from, RunState to);

/// How an upgrade or a run ended.
enum class Outcome {
    succeeded,
    nothing_to_do,
    failed,
    rolled_back,
    rollback_failed,
    cancelled,
    interrupted,
    aborted,
    blocked,
    skipped,
};

const char* to_string(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view word);

}  // namespace runner
