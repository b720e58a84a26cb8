// SPDX-License-Identifier: Apache-2.0
#include "engine/applying.hpp"

#include <algorithm>

#include "engine/attempt.hpp"
#include "engine/confirmations.hpp"
#include "engine/ending.hpp"
#include "engine/undo.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr int k_kill_signals = 3;

/// The last upgrade before this one that may change what this one's preflight finds.
const UpgradeInRun* changes_the_world_before(const Run& run, const UpgradeInRun& upgrade) {
    const UpgradeInRun* last = nullptr;
    for (const UpgradeInRun& earlier : upgrades_before(run, upgrade)) {
        if (may_change_the_world(earlier)) last = &earlier;
    }
    return last;
}

/// Whether an upgrade before it could not be simulated yet, so that its changes are missing here.
bool follows_what_was_not_shown(const Run& run, const UpgradeInRun& upgrade) {
    const auto before = upgrades_before(run, upgrade);
    return std::any_of(before.begin(), before.end(), [](const UpgradeInRun& earlier) {
        return earlier.verdict == Verdict::later;
    });
}

/// Whether it may leave other files than was known when the upgrades after it were shown.
bool may_have_left_other_files(const UpgradeInRun& earlier) {
    return earlier.form == UpgradeForm::executable || earlier.shown_late ||
           !earlier.commands_run.empty();
}

/// Whether an upgrade, as the ledger knows it, has left the path as it is now.
bool has_left_so(Run& run, const std::vector<FileIntent>& changes, const std::string& path) {
    const auto now = run.parts.work_tree.look(path).kind;
    return std::any_of(changes.begin(), changes.end(), [&](const FileIntent& change) {
        if (change.path == path) return run.parts.work_tree.digest(path) == change.new_digest;
        const bool below = change.path.rfind(path + '/', 0) == 0;
        return below && (now == upgrade::services::PathKind::folder) == bool(change.new_digest);
    });
}

/// Whether all files that are not as they were when it was shown are as this run itself has left
/// them: an upgrade that could not be shown before, an executable, of which nobody knows what it
/// writes, or, of what is only read, commands.
bool run_has_changed_its_files(Run& run, const UpgradeInRun& upgrade) {
    std::vector<const UpgradeInRun*> earlier;
    for (const UpgradeInRun& one : upgrades_before(run, upgrade)) {
        if (may_have_left_other_files(one)) earlier.push_back(&one);
    }
    if (earlier.empty()) return false;
    std::vector<std::string> changed = upgrade.shown.not_as_before(run.parts.work_tree);
    if (changed.empty()) return false;
    const auto& before = upgrade.shown.before;
    std::erase_if(changed, [&](const std::string& path) {
        const auto found = before.find(path);
        return found == before.end() || !found->second.changed;
    });
    for (const UpgradeInRun* one : earlier) {
        if (one->form == UpgradeForm::executable) return true;
        const std::vector<FileIntent> changes = run.ledger().changed_files(one->version);
        std::erase_if(changed,
                      [&](const std::string& path) { return has_left_so(run, changes, path); });
    }
    return changed.empty();
}

/// Provisional, as something before it may change that.
void put_off(UpgradeInRun& upgrade, const PhaseResult& result, const UpgradeInRun& until) {
    upgrade.verdict = Verdict::later;
    const std::string again = "; asked again when " + until.version + " has run";
    upgrade.words = result.end == PhaseEnd::blocked
                        ? "blocked until " + until.version + " has run: " + result.message
                    : result.end == PhaseEnd::nothing_to_do
                        ? "nothing to do for now: " + result.message + again
                        : "cannot be shown before " + until.version + " has run: " + result.message;
}

[[noreturn]] void refuse_to_run(UpgradeInRun& upgrade, const PhaseResult& result,
                                const std::string& words, const std::string& unchanged) {
    const bool blocked = result.end == PhaseEnd::blocked;
    upgrade.outcome = blocked ? Outcome::blocked : Outcome::failed;
    upgrade.message = words;
    throw Error(Failure::preparation,
                upgrade.version + ": " +
                    (blocked                                ? "it cannot run here: "
                     : result.phase == HostPhase::preflight ? "its preflight failed: "
                                                            : "its simulation failed: ") +
                    result.message + "; " + unchanged,
                !result.remedy.empty() ? result.remedy
                                       : "mend the cause, or leave the upgrade out with --skip");
}

[[noreturn]] void refuse_changed(UpgradeInRun& upgrade, const std::string& shown,
                                 const std::string& now) {
    upgrade.outcome = Outcome::failed;
    upgrade.message =
        "changed since it was shown: it was shown as " + shown + ", and now is " + now;
    throw Error(Failure::preparation,
                upgrade.version + " " + upgrade.message + "; it was not begun",
                "run it again, and look at what it shows now");
}

/// What could not be shown in the preparation is shown now, and asked for.
void show_late(Run& run, UpgradeInRun& upgrade) {
    PhaseRunner& phases = run.phase_runner();
    phases.forget_simulated();  // what was simulated before has happened by now
    run.parts.reporter.phase_begins(upgrade.version, HostPhase::simulate,
                                    position_of(run, upgrade) + 1, run.upgrades.size());
    const PhaseResult result = phases.simulate(upgrade, true);
    run.check_interrupted();
    const std::string words = words_for(result, HostPhase::simulate);
    run.parts.reporter.phase_ends(upgrade.version, HostPhase::simulate, words, result.good());
    upgrade.words = words;
    if (result.end == PhaseEnd::nothing_to_do) {
        upgrade.verdict = Verdict::nothing_to_do;
        return;
    }
    if (!result.ok()) refuse_to_run(upgrade, result, words, "it was not begun");
    upgrade.verdict = Verdict::ready;
    upgrade.shown_late = true;
    if (run.options.yes) return;
    const auto answer = run.parts.terminal.ask(
        "This is what " + upgrade.version +
        " will do, which could not be shown before. Do you want to continue? [y/N] ");
    run.check_interrupted();
    if (means_yes(answer)) return;
    throw Error(Failure::apply_failed,  // what has put it off was begun
                "declined before " + upgrade.version + "; it was not begun",
                "run it again to go on from there");
}

AttemptEnd succeeded(const UpgradeInRun& upgrade, Outcome outcome, AttemptEnd end,
                     const std::optional<SemanticVersion>& reached, bool record) {
    end.outcome = outcome;
    end.done = record;
    if (record) end.cluster_version = reached;
    if (!record) end.message = "not recorded as done";
    end.declarations = declarations_of(upgrade.manifest());
    end.parameters = values_to_keep(upgrade.manifest(), upgrade.parameters);
    return end;
}

/// Records that the releases that were changed since their first attempt are taken all the same,
/// where the user says so.
void accept_changed_releases(Run& run) {
    if (!run.recorded) return;
    for (const UpgradeInRun& upgrade : run.upgrades) {
        const auto digest = upgrade.digest();
        if (!digest || !is_taken_changed(run.options, upgrade)) continue;
        if (!pinned_otherwise(run.ledger(), upgrade)) continue;
        run.ledger().accept_digest(upgrade.version, upgrade.platform, *digest,
                                   run.recorded->actor());
    }
}

}  // namespace

bool leave_out_what_requires_it(Run& run, UpgradeInRun& upgrade) {
    for (const std::string& needed : upgrade.manifest().needed_upgrades) {
        const bool left_out =
            run.left_out.count(needed) != 0 ||
            std::any_of(run.upgrades.begin(), run.upgrades.end(), [&](const UpgradeInRun& other) {
                return other.version == needed && other.verdict == Verdict::left_out;
            });
        if (!left_out) continue;
        upgrade.words = "blocked: it requires " + needed + ", which is blocked";
        upgrade.verdict = Verdict::left_out;
        return true;
    }
    return false;
}

void ApplyingKind::before_work(Run& run) {
    accept_changed_releases(run);
}

void ApplyingKind::rehearse(Run& run, UpgradeInRun& upgrade) {
    Reporter& reporter = run.parts.reporter;
    const std::size_t position = position_of(run, upgrade);
    reporter.phase_begins(upgrade.version, HostPhase::simulate, position + 1, run.upgrades.size());
    if (leave_out_what_requires_it(run, upgrade)) {
        reporter.phase_ends(upgrade.version, HostPhase::simulate, upgrade.words, false);
        return;
    }
    const bool another = position + 1 < run.upgrades.size();
    const PhaseResult result = run.phase_runner().simulate(upgrade, another);
    run.check_interrupted();
    warn_about_strays(run, upgrade, result);
    upgrade.words = words_for(result, result.phase);
    const UpgradeInRun* until = changes_the_world_before(run, upgrade);
    const bool undecided =
        result.end == PhaseEnd::nothing_to_do || result.end == PhaseEnd::blocked ||
        (result.end == PhaseEnd::failed && follows_what_was_not_shown(run, upgrade));
    if (until != nullptr && undecided) {
        put_off(upgrade, result, *until);
        reporter.phase_ends(upgrade.version, HostPhase::simulate, upgrade.words, true);
        return;
    }
    reporter.phase_ends(upgrade.version, HostPhase::simulate, upgrade.words, result.good());
    upgrade.verdict =
        result.end == PhaseEnd::nothing_to_do ? Verdict::nothing_to_do : Verdict::ready;
    if (result.good()) return;
    if (result.end == PhaseEnd::blocked && goes_on_without(run, upgrade, upgrade.words)) {
        upgrade.verdict = Verdict::left_out;
        return;
    }
    refuse_to_run(upgrade, result, upgrade.words, "nothing was changed");
}

SecondLook ApplyingKind::second_look(Run& run, const UpgradeInRun& upgrade) const {
    if (upgrade.verdict == Verdict::later) return SecondLook::verdict;
    if (run_has_changed_its_files(run, upgrade))
        return upgrade.verdict == Verdict::ready ? SecondLook::work : SecondLook::verdict;
    return upgrade.has_preflight ? SecondLook::verdict : SecondLook::none;
}

void ApplyingKind::look_again(Run& run, UpgradeInRun& upgrade, SecondLook look) {
    if (leave_out_what_requires_it(run, upgrade) || look == SecondLook::none) return;
    run.supply->have_image(upgrade);
    if (look == SecondLook::work) upgrade.verdict = Verdict::later;
    const PhaseResult result = run.phase_runner().preflight(upgrade);
    run.check_interrupted();
    const bool provisional = changes_the_world_before(run, upgrade) != nullptr;
    const std::string words = result.ok() ? "ready" : words_for(result, HostPhase::preflight);
    if (result.ok()) {
        if (upgrade.verdict == Verdict::later) {
            show_late(run, upgrade);
        } else if (upgrade.verdict == Verdict::nothing_to_do) {
            refuse_changed(upgrade, upgrade.words, words);
        }
        return;
    }
    if (result.end == PhaseEnd::nothing_to_do) {
        if (upgrade.verdict == Verdict::ready && !provisional)
            refuse_changed(upgrade, "ready", words);
        upgrade.verdict = Verdict::nothing_to_do;
        upgrade.shown = {};  // what it would have done was made from what was there before
        upgrade.words = words;
        return;
    }
    const bool blocked = result.end == PhaseEnd::blocked;
    if (blocked && !provisional) refuse_changed(upgrade, "ready", words);
    if (blocked && goes_on_without(run, upgrade, words)) {
        upgrade.verdict = Verdict::left_out;
        upgrade.words = words;
        return;
    }
    refuse_to_run(upgrade, result, words, "it was not begun");
}

void ApplyingKind::keep_for_later(Run& run, const UpgradeInRun& upgrade) {
    if (upgrade.supplier != Supplier::source || upgrade.form != UpgradeForm::plugin) return;
    if (!needs_own_rollback(upgrade) && !upgrade.has_verify) return;
    if (run.parts.source.judges_signatures()) return;  // they could not be judged without it
    try {
        run.parts.folder.keep_release(upgrade.tag, run.supply->files(upgrade));
    } catch (const Error& error) {
        run.warn("the release of " + upgrade.version + " is not kept beside the ledger (" +
                 error.what() + "): undoing or checking it later needs the source");
    }
}

void ApplyingKind::end_after_failure(Run& run, UpgradeInRun& upgrade, const AttemptEnd& end) {
    end_after_failed_upgrade(run, upgrade, end);
}

Worked apply_upgrade(Run& run, UpgradeInRun& upgrade, const std::optional<SemanticVersion>& reached,
                     bool record) {
    Reporter& reporter = run.parts.reporter;
    const std::size_t position = position_of(run, upgrade);
    AttemptEnd end;
    end.version = upgrade.version;
    reporter.phase_begins(upgrade.version, HostPhase::apply, position + 1, run.upgrades.size());
    upgrade.begun_at = run.parts.work_tree.file_time();
    if (upgrade.verdict == Verdict::nothing_to_do) {
        reporter.phase_ends(upgrade.version, HostPhase::apply, "nothing to do; recording", true);
        return {succeeded(upgrade, Outcome::nothing_to_do, std::move(end), reached, record), true};
    }
    run.supply->have_image(upgrade);
    const bool another = position + 1 < run.upgrades.size();
    PhaseRunner& phases = run.phase_runner();
    const auto begun = run.parts.clock.steady();
    PhaseResult result = phases.apply(upgrade, run.record(), another);
    end.apply_time = run.parts.clock.steady() - begun;
    upgrade.commands_run = phases.commands_begun();
    upgrade.open_commands = phases.open_commands();
    upgrade.held_back = result.end == PhaseEnd::changed;
    warn_about_strays(run, upgrade, result);
    end.values = std::move(result.values);
    HostPhase phase = HostPhase::apply;
    if (result.ok() && result.has("verify")) {
        phase = HostPhase::verify;
        run.move_to(RunState::verifying);
        const auto verify_begun = run.parts.clock.steady();
        result = phases.verify(upgrade, run.record(), another);
        end.verify_time = run.parts.clock.steady() - verify_begun;
        warn_about_strays(run, upgrade, result);
    }
    const std::string words = words_for(result, phase);
    reporter.phase_ends(upgrade.version, phase, words, result.ok());
    if (result.ok()) {
        upgrade.image.reset();
        return {succeeded(upgrade, Outcome::succeeded, std::move(end), reached, record), true};
    }
    upgrade.cancelled = result.end == PhaseEnd::cancelled;
    end.values.clear();
    end.message = words;
    end.outcome = upgrade.cancelled                 ? Outcome::cancelled
                  : result.end == PhaseEnd::aborted ? Outcome::aborted
                                                    : Outcome::failed;
    std::string why_not;
    if (!is_untouched(run, upgrade) && can_roll_back_failed(run, upgrade, why_not)) {
        run.finished = end;
        roll_back_failed(run, upgrade, end);
    }
    end.message += why_not;
    upgrade.image.reset();
    return {std::move(end), false};
}

bool is_untouched(Run& run, const UpgradeInRun& upgrade) {
    return upgrade.held_back && upgrade.commands_run.empty() &&
           run.ledger().changed_files(upgrade.version).empty() &&
           run.ledger().finished_steps(upgrade.version).empty();
}

bool can_roll_back_failed(Run& run, UpgradeInRun& upgrade, std::string& why_not) {
    if (!run.options.roll_back || run.parts.signals.count() >= k_kill_signals ||
        !why_not_undoable(upgrade).empty())
        return false;
    try {
        const auto refusal = refusal_to_undo(run.ledger(), run.parts.work_tree, {upgrade.version},
                                             run.options.force);
        if (refusal) throw_refusal(*refusal, "nothing of it was undone");
        run.supply->have_image(upgrade);
        return true;
    } catch (const Error& error) {
        why_not = std::string("; it was not rolled back: ") + error.what();
        return false;
    }
}

void roll_back_failed(Run& run, UpgradeInRun& upgrade, AttemptEnd& end) {
    run.move_to(RunState::rolling_back);
    open_attempt(run, upgrade, true);
    run.parts.reporter.phase_begins(upgrade.version, HostPhase::rollback,
                                    position_of(run, upgrade) + 1, run.upgrades.size());
    const UndoResult undone =
        undo_upgrade(run.phase_runner(), upgrade, run.parts.work_tree, run.record());
    upgrade.commands_run.insert(upgrade.commands_run.end(), undone.commands.begin(),
                                undone.commands.end());
    run.parts.reporter.phase_ends(upgrade.version, HostPhase::rollback, undone.message,
                                  undone.good);
    AttemptEnd undo;
    undo.version = end.version;
    undo.undone = undone.good;
    undo.outcome = undone.outcome();
    undo.message = end.message + (undone.good ? "; it was rolled back (" + undone.message + ")"
                                              : "; it could not be rolled back: " + undone.message);
    end = std::move(undo);
}

}  // namespace runner
