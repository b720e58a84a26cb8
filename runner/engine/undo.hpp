// SPDX-License-Identifier: Apache-2.0
// Undoing upgrades: what can be undone, what stands in its way, and how one is undone (its own
// rollback, then its files).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/gates/gate.hpp"
#include "engine/phase_runner.hpp"
#include "engine/work_tree.hpp"
#include "ledger/ledger.hpp"
#include "services/changes.hpp"

namespace runner {

/// Whether its own rollback has to run, so that its library is needed.
bool needs_own_rollback(const UpgradeInRun& upgrade);

/// Why it is not certain that nothing of the upgrade would be left after undoing it; empty when it
/// is. Files can always be undone; what commands and the network have done, only where the author
/// says so (`reversible`), or as far as the undo of its finished steps goes (`undo_steps`).
std::string why_not_undoable(const UpgradeInRun& upgrade);

/// Whether the undo of its finished steps can be tried though it is not declared reversible: it
/// stopped between two of them (`half`), so that nothing else of it may be there.
bool can_undo_steps(const UpgradeInRun& upgrade, const UnsettledUpgrade& half);

/// A file that an upgrade has changed, and somebody else since.
struct HandChangedFile {
    std::string path;
    bool between = false;  ///< between two of the upgrade's own changes; else after the last
};

/// The files that the upgrade has changed and that are, by now, neither as it left nor as it found
/// them, or that somebody else has changed between two of its own changes.
/// `changes`: of that upgrade, newest first: all of them, or those of its unfinished step.
std::vector<HandChangedFile> changed_by_hand(const std::vector<FileIntent>& changes,
                                             WorkTree& work_tree);
/// "a, b were changed by hand".
std::string words_for_changed_by_hand(const std::vector<HandChangedFile>& files);

/// The files as they will be when these changes, newest first, are undone.
upgrade::services::FileChanges originals_of(const std::vector<FileIntent>& changes,
                                            WorkTree& work_tree);

/// What stands in the way of undoing these, in this order: a file that somebody has changed, an
/// original that is gone or damaged. Looks at all files of all of them. `force`: what somebody has
/// changed may be overwritten.
std::optional<Refusal> refusal_to_undo(LedgerView& ledger, WorkTree& work_tree,
                                       const std::vector<std::string>& versions, bool force);

/// Of an undo that was shown: that it can be refused now means that something was changed since.
Refusal changed_since_shown(Refusal refusal);

struct UndoResult {
    bool good = false;
    bool begun = false;                   ///< something of it may be undone
    std::string message;                  ///< what was undone, or why it was not
    std::vector<std::string> commands{};  ///< changing commands that its own rollback has started

    /// Of the attempt to undo it.
    [[nodiscard]] Outcome outcome() const {
        if (good) return Outcome::rolled_back;
        return begun ? Outcome::rollback_failed : Outcome::blocked;
    }
};

/// Runs the upgrade's own rollback and puts its files back. The records are left for the caller to
/// close, together with its attempt; done again after a failure, it goes on. That the ledger or a
/// file fails is a result like any other.
UndoResult undo_upgrade(PhaseRunner& phases, const UpgradeInRun& upgrade, WorkTree& work_tree,
                        const PhaseRecord& record);

}  // namespace runner
