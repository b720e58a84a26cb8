// SPDX-License-Identifier: Apache-2.0
#include "engine/undo.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/advice.hpp"
#include "engine/recovery.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

using upgrade::services::parent_of;
using upgrade::services::PathKind;

/// Whether it can have done anything but change files.
bool only_files(const Permissions& permissions) {
    return permissions.commands.empty() && !permissions.network;
}

/// What files hold, each looked at once.
class FilesNow {
 public:
    explicit FilesNow(WorkTree& work_tree) : m_work_tree(work_tree) {}
    const FileState& state(const std::string& path) {
        const auto [file, is_new] = m_states.try_emplace(path);
        if (is_new) file->second = m_work_tree.state(path);
        return file->second;
    }
    /// From now on they are as they will be when these changes, newest first, are undone.
    void undo(const std::vector<FileIntent>& changes) {
        for (const auto& [path, change] : oldest_of_each(changes)) {
            m_states[path] = change.before();
            for (std::string above = parent_of(path); !above.empty() && !change.old_digest;
                 above = parent_of(above))
                m_emptied.insert(above);
        }
    }
    /// Whether something goes: a file, or a folder that is empty then.
    bool goes(const std::string& path) {
        return m_work_tree.look(path).kind == PathKind::folder ? m_emptied.count(path) != 0
                                                               : !state(path).digest;
    }

 private:
    WorkTree& m_work_tree;
    std::map<std::string, FileState> m_states;
    std::set<std::string> m_emptied;  ///< folders in which files were made
};

/// What stays where `path` or a folder above it must be; `after`: the files once all is undone,
/// `is_there_after`: whether the file is among them. Empty: nothing.
std::string what_is_in_its_way(WorkTree& work_tree, FilesNow& after, const std::string& path,
                               bool is_there_after) {
    if (work_tree.look(path).kind == PathKind::folder) {
        const std::string stays =
            work_tree.what_stays(path, [&](const std::string& below) { return after.goes(below); });
        if (!stays.empty())
            return "a folder is there" + (stays == path ? "" : ", and " + stays + " stays in it");
    }
    if (!is_there_after) return {};  // it only goes
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
        if (work_tree.look(above).kind == PathKind::file && after.state(above).digest)
            return above + " is a file now, not a folder";
    }
    return {};
}

/// Why a change cannot be undone, whatever its file holds now; `after`: the files once all is
/// undone; `is_oldest`: its original is what is there then. Empty: it can.
std::string why_not_put_back(WorkTree& work_tree, FilesNow& after, const FileIntent& change,
                             bool is_oldest) {
    std::string problem = work_tree.why_not_writable(change.path);
    if (problem.empty() && is_oldest)
        problem = what_is_in_its_way(work_tree, after, change.path, change.old_digest.has_value());
    if (!problem.empty()) return change.path + " cannot be put back: " + problem;
    if (change.backup.empty()) return {};
    const std::string original = "the original of " + change.path;
    if (!change.kept)
        return original + " is no longer kept, only those of the newest " +
               counted(k_kept_originals, "upgrade") + " are";
    try {
        const auto kept = work_tree.original(change);
        return kept && sha256(*kept) == change.old_digest ? ""
                                                          : original + " is not as it was kept";
    } catch (const Error& error) {
        return original + " cannot be read: " + error.what();
    }
}

/// Follows the changes of one upgrade, newest first, and finds the files that somebody else has
/// changed.
class ChangedByHand {
 public:
    void follow(const FileIntent& change, const FileState& now) {
        File& file = m_files[change.path];
        file.known = file.known || now.is_like(change.after()) || now.is_like(change.before());
        // What its next change found is what this one has left, unless somebody came between.
        if (file.next && !file.next->before().is_like(change.after()))
            m_gaps.emplace_back(change, *file.next);
        file.next = change;
    }
    [[nodiscard]] std::vector<HandChangedFile> files() const {
        std::vector<HandChangedFile> changed;
        for (const auto& [path, file] : m_files) {
            const bool torn =
                std::any_of(m_gaps.begin(), m_gaps.end(),
                            [&path = path](const Gap& gap) { return gap.first.path == path; });
            if (!file.known || torn) changed.push_back({path, file.known});
        }
        return changed;
    }
    /// Two changes of one file between which somebody else has changed it.
    using Gap = std::pair<FileIntent, FileIntent>;
    [[nodiscard]] const std::vector<Gap>& gaps() const { return m_gaps; }

 private:
    struct File {
        bool known = false;              ///< it is as one of the changes left or found it
        std::optional<FileIntent> next;  ///< the oldest that was followed
    };
    std::map<std::string, File> m_files;
    std::vector<Gap> m_gaps;
};

Refusal refusal_of_two(const std::string& version, const std::string& other,
                       const std::string& what) {
    return {
        version + " cannot be rolled back: " + other + " has changed " + what,
        "undo both by hand, and then: " + forget_by_hand(version) + "; " + forget_by_hand(other),
        Failure::refused};
}

/// The upgrade that has changed a file between two changes of another one: no order of undoing
/// whole upgrades brings back what was.
std::optional<Refusal> refusal_of_interleaved(LedgerView& ledger, const std::string& version,
                                              const ChangedByHand& by_hand) {
    if (by_hand.gaps().empty()) return std::nullopt;
    std::vector<std::string> others;
    for (const DoneRecord& done : ledger.done()) others.push_back(done.version);
    for (const UnsettledUpgrade& half : ledger.facts().unsettled) others.push_back(half.version);
    for (const std::string& other : others) {
        if (other == version) continue;
        for (const FileIntent& change : ledger.changed_files(other)) {
            for (const auto& [before, after] : by_hand.gaps()) {
                if (change.path == before.path && change.number > before.number &&
                    change.number < after.number)
                    return refusal_of_two(version, other,
                                          change.path + " between two of its own changes");
            }
        }
    }
    return std::nullopt;
}

}  // namespace

bool needs_own_rollback(const UpgradeInRun& upgrade) {
    return upgrade.manifest().reversible || upgrade.undo_steps;
}

std::string why_not_undoable(const UpgradeInRun& upgrade) {
    if (upgrade.form == UpgradeForm::executable)
        return "it is an executable upgrade: runner does not know what it has changed";
    if (needs_own_rollback(upgrade) || only_files(upgrade.manifest().permissions)) return {};
    return "it runs commands, and its manifest does not say that it is reversible";
}

bool can_undo_steps(const UpgradeInRun& upgrade, const UnsettledUpgrade& half) {
    return upgrade.form == UpgradeForm::plugin && !half.other_effects &&
           !half.finished_steps.empty() && !why_not_undoable(upgrade).empty();
}

std::vector<HandChangedFile> changed_by_hand(const std::vector<FileIntent>& changes,
                                             WorkTree& work_tree) {
    FilesNow now(work_tree);
    ChangedByHand by_hand;
    for (const FileIntent& change : changes) by_hand.follow(change, now.state(change.path));
    return by_hand.files();
}

std::string words_for_changed_by_hand(const std::vector<HandChangedFile>& files) {
    std::vector<std::string> words;
    for (const HandChangedFile& file : files)
        words.push_back(file.path + (file.between ? " (between two of its own changes)" : ""));
    return join(words, ", ") + (files.size() == 1 ? " was" : " were") + " changed by hand";
}

upgrade::services::FileChanges originals_of(const std::vector<FileIntent>& changes,
                                            WorkTree& work_tree) {
    upgrade::services::FileChanges originals;
    for (const auto& [path, change] : oldest_of_each(changes))
        originals[path].content = work_tree.original(change);
    return originals;
}

std::optional<Refusal> refusal_to_undo(LedgerView& ledger, WorkTree& work_tree,
                                       const std::vector<std::string>& versions, bool force) {
    FilesNow now(work_tree);
    std::set<std::string> undone;
    for (const std::string& version : versions) {
        for (const FileIntent& later : ledger.changed_later(version)) {
            if (undone.count(later.version) != 0) continue;
            if (later.finished)
                return refusal_of_two(version, later.version, later.path + " after it");
            now.undo({later});  // that is put back before
        }
        undone.insert(version);
        ChangedByHand by_hand;
        const std::vector<FileIntent> changes = ledger.changed_files(version);
        for (const FileIntent& change : changes) by_hand.follow(change, now.state(change.path));
        now.undo(changes);
        const auto oldest = oldest_of_each(changes);
        for (const FileIntent& change : changes) {
            const bool is_oldest = change.number == oldest.at(change.path).number;
            const std::string problem = why_not_put_back(work_tree, now, change, is_oldest);
            if (!problem.empty())
                return Refusal{version + " cannot be rolled back: " + problem,
                               "undo it by hand, and then: " + forget_by_hand(version),
                               Failure::refused};
        }
        if (auto refusal = refusal_of_interleaved(ledger, version, by_hand)) return refusal;
        const std::vector<HandChangedFile> changed = by_hand.files();
        if (!changed.empty() && !force)
            return Refusal{
                version + " cannot be rolled back: " + words_for_changed_by_hand(changed) +
                    " since",
                "undo those changes first, or overwrite them with --force", Failure::refused};
    }
    return std::nullopt;
}

Refusal changed_since_shown(Refusal refusal) {
    refusal.what = "changed since it was shown: " + refusal.what;
    refusal.failure = Failure::preparation;
    return refusal;
}

namespace {

/// Throws Error when the ledger or a file fails.
void undo_into(UndoResult& result, PhaseRunner& phases, const UpgradeInRun& upgrade,
               WorkTree& work_tree, const PhaseRecord& record) {
    Ledger& ledger = *record.writer;
    const std::vector<FileIntent> changes = ledger.changed_files(upgrade.version);
    std::vector<HandChangedFile> by_hand = changed_by_hand(changes, work_tree);
    if (!by_hand.empty() && !record.force) {
        result.message = words_for_changed_by_hand(by_hand) + " since, and nothing was undone";
        return;
    }
    result.begun = true;
    if (needs_own_rollback(upgrade)) {
        const PhaseResult phase = phases.rollback(upgrade, record);
        if (!phase.ok()) {
            result.message = "its own rollback failed: " + phase.message;
            return;
        }
        by_hand = changed_by_hand(ledger.changed_files(upgrade.version), work_tree);
        if (!by_hand.empty() && !record.force) {
            result.message = words_for_changed_by_hand(by_hand) + " meanwhile, and left as it is";
            return;
        }
    }
    // Dying from here on is dying in an unfinished step: the next run puts the files back, and no
    // step of it passes for finished.
    if (!changes.empty() || !ledger.finished_steps(upgrade.version).empty())
        ledger.record_files_undone(record.run, upgrade.version);
    const std::vector<std::string> not_given =
        restore_changed_files(ledger, upgrade.version, work_tree);
    result.good = true;
    result.message = counted(oldest_of_each(changes).size(), "file") + " put back";
    if (!not_given.empty()) result.message += "; but not " + join(not_given, ", nor ");
}

}  // namespace

UndoResult undo_upgrade(PhaseRunner& phases, const UpgradeInRun& upgrade, WorkTree& work_tree,
                        const PhaseRecord& record) {
    UndoResult result;
    try {
        undo_into(result, phases, upgrade, work_tree, record);
    } catch (const Error& error) {
        result.message = error.what();
    }
    result.commands = phases.commands_begun();
    return result;
}

}  // namespace runner
