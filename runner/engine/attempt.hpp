// SPDX-License-Identifier: Apache-2.0
// Attempts as they are recorded: one commit closes the last and opens the next, and only then is
// either told.
#pragma once

#include "engine/run.hpp"

namespace runner {

/// Closes the last attempt, and opens one of this upgrade: to apply it, or to undo it. From then on
/// something may be changed. Throws Error when the ledger fails.
void open_attempt(Run& run, UpgradeInRun& upgrade, bool is_undo);

/// Commits how the last attempt ended (run.finished), and only then tells it. Throws Error when the
/// ledger fails.
void settle(Run& run);

/// For a run that ends by an error: what is known of its attempts is recorded, as far as the ledger
/// lets it (it may be what failed).
void close_attempts(Run& run, const std::string& message);

}  // namespace runner
