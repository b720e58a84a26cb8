// SPDX-License-Identifier: Apache-2.0
#include "engine/recovery.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace runner {

void remove_what_is_too_old(Ledger& ledger, RunFolder& folder) {
    for (const std::string& version : ledger.forget_old_originals(k_kept_originals))
        folder.remove_originals(version);
    if (folder.kept_releases_count() <= k_kept_originals) return;
    std::set<std::string> tags;
    std::vector<DoneRecord> done = ledger.done();
    const std::size_t too_old = done.size() - std::min(done.size(), k_kept_originals);
    for (std::size_t i = too_old; i < done.size(); ++i) tags.insert(done[i].tag);
    for (const UnsettledUpgrade& upgrade : ledger.facts().unsettled) tags.insert(upgrade.tag);
    folder.keep_only_releases(tags);
}

void restore_changed_files(LedgerView& ledger, const std::string& version, WorkTree& work_tree) {
    // Newest first; all are put back, so that dying on the way and doing it again ends the same.
    for (const FileIntent& change : ledger.changed_files(version)) {
        work_tree.remove_temporary(change);
        if (work_tree.digest(change.path) == change.old_digest) continue;
        work_tree.put_back(change);
    }
}

std::vector<std::string> changed_since_unfinished(Ledger& ledger, WorkTree& work_tree) {
    std::map<std::string, bool> known;  // by path: as one of its changes left or found it
    for (const UnfinishedFiles& files : ledger.unfinished_files()) {
        for (const FileIntent& change : files.changes) {
            const auto now = work_tree.digest(change.path);
            known[change.path] =
                known[change.path] || now == change.new_digest || now == change.old_digest;
        }
    }
    std::vector<std::string> changed;
    for (const auto& [path, as_left] : known) {
        if (!as_left) changed.push_back(path);
    }
    return changed;
}

std::vector<std::string> restore_unfinished_files(Ledger& ledger, WorkTree& work_tree, bool force) {
    std::vector<std::string> notes;
    const std::vector<UnfinishedFiles> unfinished = ledger.unfinished_files();
    for (const UnfinishedFiles& files : unfinished) {
        std::size_t restored = 0;
        for (const FileIntent& change : files.changes) {
            work_tree.remove_temporary(change);
            const auto now = work_tree.digest(change.path);
            if (now == change.old_digest) continue;
            if (now != change.new_digest && !force) {
                notes.push_back(change.path + " was changed by hand after " + files.version +
                                " was interrupted; it is left as it is");
                continue;
            }
            work_tree.put_back(change);
            ++restored;
        }
        if (restored > 0) {
            notes.push_back("put back " + std::to_string(restored) +
                            " file(s) that an unfinished step of " + files.version +
                            " had changed");
        }
    }
    if (!unfinished.empty()) ledger.forget_unfinished_files();
    return notes;
}

}  // namespace runner
