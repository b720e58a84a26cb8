// SPDX-License-Identifier: Apache-2.0
#include "engine/recovery.hpp"

#include <algorithm>
#include <set>

#include "support/text.hpp"

namespace runner {

namespace {

bool has_originals(Ledger& ledger, const std::string& version) {
    const std::vector<FileIntent> changes = ledger.changed_files(version);
    return std::any_of(changes.begin(), changes.end(), [](const FileIntent& change) {
        return change.kept && !change.backup.empty();
    });
}

/// Of those that are not among the newest done ones: the releases of what still has its originals.
/// A rollback takes both.
std::set<std::string> tags_with_originals(Ledger& ledger, RunFolder& folder,
                                          const std::vector<DoneRecord>& done,
                                          std::size_t too_old) {
    std::set<std::string> kept;
    if (const auto releases = folder.kept_releases()) {
        for (const Release& release : releases->list()) kept.insert(release.tag);
    }
    std::set<std::string> tags;
    for (std::size_t i = 0; i < too_old; ++i) {
        if (kept.count(done[i].tag) != 0 && has_originals(ledger, done[i].version))
            tags.insert(done[i].tag);
    }
    return tags;
}

/// What putting back has come to.
struct PutBack {
    std::size_t count = 0;
    std::vector<std::string> not_given;  ///< what of owners, modes and attributes it could not give
};

/// Puts back the files of these changes but for `except`. Each gets the original of its oldest
/// change at once, so that dying on the way and doing it again ends the same. What is removed goes
/// first: a file may stand where a folder was, and the other way round.
PutBack put_back_all(const std::vector<FileIntent>& changes, WorkTree& work_tree,
                     const std::set<std::string>& except = {}) {
    for (const FileIntent& change : changes) work_tree.remove_temporary(change);
    PutBack all;
    const auto oldest = oldest_of_each(changes);
    for (const bool removed : {true, false}) {
        for (const auto& [path, change] : oldest) {
            if (change.old_digest.has_value() == removed || except.count(path) != 0) continue;
            if (work_tree.state(path).is_like(change.before())) continue;
            for (std::string& what : work_tree.put_back(change))
                all.not_given.push_back(std::move(what));
            ++all.count;
        }
        for (const auto& [path, change] : oldest) {
            if (removed && !change.old_digest && except.count(path) == 0)
                work_tree.remove_made_folders(change);
        }
    }
    return all;
}

}  // namespace

void remove_what_is_too_old(Ledger& ledger, RunFolder& folder) {
    for (const std::string& version : ledger.forget_old_originals(k_kept_originals))
        folder.remove_originals(version);
    if (folder.kept_releases_count() <= k_kept_originals) return;
    const std::vector<DoneRecord> done = ledger.done();
    const std::size_t too_old = done.size() - std::min(done.size(), k_kept_originals);
    std::set<std::string> tags = tags_with_originals(ledger, folder, done, too_old);
    for (std::size_t i = too_old; i < done.size(); ++i) tags.insert(done[i].tag);
    for (const UnsettledUpgrade& upgrade : ledger.facts().unsettled) tags.insert(upgrade.tag);
    folder.keep_only_releases(tags);
}

std::vector<std::string> restore_changed_files(LedgerView& ledger, const std::string& version,
                                               WorkTree& work_tree) {
    return put_back_all(ledger.changed_files(version), work_tree).not_given;
}

std::vector<HandChangedFile> changed_since_unfinished(Ledger& ledger, WorkTree& work_tree) {
    std::vector<HandChangedFile> changed;
    for (const UnfinishedFiles& files : ledger.unfinished_files()) {
        for (HandChangedFile& file : changed_by_hand(files.changes, work_tree))
            changed.push_back(std::move(file));
    }
    return changed;
}

std::vector<std::string> restore_unfinished_files(Ledger& ledger, WorkTree& work_tree, bool force) {
    std::vector<std::string> notes;
    const std::vector<UnfinishedFiles> unfinished = ledger.unfinished_files();
    for (const UnfinishedFiles& files : unfinished) {
        std::set<std::string> left;
        for (const HandChangedFile& file : changed_by_hand(files.changes, work_tree)) {
            if (force) break;
            left.insert(file.path);
            notes.push_back(words_for_changed_by_hand({file}) + " after " + files.version +
                            " was interrupted; it is left as it is");
        }
        const PutBack restored = put_back_all(files.changes, work_tree, left);
        if (restored.count > 0) {
            notes.push_back("put back " + counted(restored.count, "file") +
                            " that an unfinished step of " + files.version + " had changed");
        }
        for (const std::string& what : restored.not_given) notes.push_back("not put back: " + what);
    }
    if (!unfinished.empty()) ledger.forget_unfinished_files();
    return notes;
}

}  // namespace runner
