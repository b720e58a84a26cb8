// SPDX-License-Identifier: Apache-2.0
// Files put back: of a step that died half-way, before anything else happens, and of an upgrade
// that is rolled back.
#pragma once

#include <string>
#include <vector>

#include "engine/run_folder.hpp"
#include "engine/undo.hpp"
#include "engine/work_tree.hpp"
#include "ledger/ledger.hpp"

namespace runner {

/// So many done upgrades keep their originals and their releases.
constexpr std::size_t k_kept_originals = 100;

/// Removes what is kept of all but the newest done upgrades: those are kept for a rollback. Throws
/// Error{preparation}.
void remove_what_is_too_old(Ledger& ledger, RunFolder& folder);

/// Restores every file that an unfinished step had replaced or removed, and removes what it had
/// made or laid beside. A file that somebody else has changed (changed_by_hand) is left alone, and
/// named in the result. Throws Error{preparation} when a file cannot be restored; the ledger keeps
/// the rows then. `force`: what somebody else has changed is restored, too.
std::vector<std::string> restore_unfinished_files(Ledger& ledger, WorkTree& work_tree,
                                                  bool force = false);

/// The files of unfinished steps that somebody else has changed: restore_unfinished_files would
/// leave them alone.
std::vector<HandChangedFile> changed_since_unfinished(Ledger& ledger, WorkTree& work_tree);

/// Puts back every file that the upgrade has changed, whatever it holds by now. Can be done again
/// when it died on the way. Returns what of owners, modes and attributes could not be put back.
/// Throws Error{preparation}.
std::vector<std::string> restore_changed_files(LedgerView& ledger, const std::string& version,
                                               WorkTree& work_tree);

}  // namespace runner
