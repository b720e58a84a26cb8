// SPDX-License-Identifier: Apache-2.0
// Undoing one upgrade: its own rollback, then its files.
#pragma once

#include <filesystem>
#include <string>

#include "engine/phase_runner.hpp"
#include "ledger/ledger.hpp"

namespace runner {

/// Why nothing of the upgrade would be left after undoing it is not certain; empty when it is.
/// Files can always be undone; what commands and the network have done, only where the author says
/// so (`reversible`).
std::string why_not_undoable(const RunnableUpgrade& upgrade);

struct UndoRequest {
    std::string run;
    std::filesystem::path log;
    bool force = false;  ///< overwrite files that were changed by hand since
};

struct UndoResult {
    bool good = false;
    std::string message;  ///< what was undone, or why it was not
};

/// Runs the upgrade's own rollback and puts its files back. The records are left for the caller to
/// close, together with its attempt; done again after a failure, it goes on. Throws Error when the
/// ledger or a file fails.
UndoResult undo_upgrade(PhaseRunner& phases, const RunnableUpgrade& upgrade, Ledger& ledger,
                        const std::filesystem::path& repository, const UndoRequest& request);

}  // namespace runner
