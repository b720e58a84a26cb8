// SPDX-License-Identifier: Apache-2.0
#include "engine/rollback.hpp"

#include <set>

#include "engine/recovery.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

/// Whether it can have done anything but change files.
bool only_files(const Permissions& permissions) {
    return permissions.commands.empty() && !permissions.network;
}

}  // namespace

std::string why_not_undoable(const RunnableUpgrade& upgrade) {
    if (upgrade.form == UpgradeForm::executable)
        return "it is an executable upgrade: runner does not know what it has changed";
    if (upgrade.manifest.reversible || only_files(upgrade.manifest.permissions)) return {};
    return "it runs commands, and its manifest does not say that it is reversible";
}

UndoResult undo_upgrade(PhaseRunner& phases, const RunnableUpgrade& upgrade, Ledger& ledger,
                        const std::filesystem::path& repository, const UndoRequest& request) {
    UndoResult result;
    const std::vector<std::string> by_hand = changed_by_hand(ledger, upgrade.version, repository);
    if (!by_hand.empty() && !request.force) {
        result.message = join(by_hand, ", ") + (by_hand.size() == 1 ? " was" : " were") +
                         " changed by hand since, and nothing was undone";
        return result;
    }
    std::set<std::string> paths;
    for (const FileIntent& change : ledger.changed_files(upgrade.version))
        paths.insert(change.path);
    if (upgrade.manifest.reversible) {
        const PhaseResult phase =
            phases.rollback(upgrade, ledger, request.run, request.log, request.force);
        if (!phase.ok()) {
            result.message = "its own rollback failed: " + phase.message;
            return result;
        }
    }
    restore_changed_files(ledger, upgrade.version, repository);
    result.good = true;
    result.message = counted(paths.size(), "file") + " put back";
    return result;
}

}  // namespace runner
