// SPDX-License-Identifier: Apache-2.0
#include "engine/ending.hpp"

#include <set>

#include "engine/applying.hpp"
#include "engine/attempt.hpp"
#include "engine/escape_hatch.hpp"
#include "engine/standing.hpp"
#include "model/harmless.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_named = 10;  // of a longer list so many are named

std::string next_step(const UpgradeInRun& upgrade, const AttemptEnd& end, bool has_steps) {
    const std::string logs = "'runner logs " + upgrade.version + "' shows its output";
    const bool undone = end.outcome == Outcome::rolled_back;
    if (upgrade.held_back && (undone || !has_steps))
        return "run it again, and look at what it shows now; " + logs;
    if (undone) return "mend the cause and run it again; " + logs;
    if (end.outcome == Outcome::rollback_failed)
        return "mend the cause and finish it with 'runner rollback', or put right by hand what it "
               "has left; " +
               logs;
    if (has_steps)
        return "mend the cause and run it again: it goes on after the last finished step; " + logs;
    return (upgrade.form == UpgradeForm::executable
                ? "mend the cause and run it again: it begins from its start, as it keeps no "
                  "steps; "
                : "mend the cause and run it again: it begins from its start; ") +
           logs;
}

/// What those upgrades are that this run has finished, for a message; empty: none.
std::string words_for_finished(const Run& run, bool undoes) {
    std::vector<std::string> versions;
    for (const UpgradeInRun& upgrade : run.upgrades) {
        if (upgrade.outcome && settled_by(upgrade.outcome) == Settles::upgrade)
            versions.push_back(upgrade.version);
    }
    if (versions.empty()) return {};
    return (undoes ? "; rolled back: " : "; done: ") + first_names(versions, k_named);
}

/// What there is of the upgrade whose attempt an error has ended.
Changes changes_amid(Run& run) {
    if (!run.recorded || run.finished || run.current == nullptr) return {};
    if (run.phases && run.current->commands_run.empty())
        run.current->commands_run = run.phases->commands_begun();
    try {
        return changes_of(run, *run.current);
    } catch (const Error&) {  // the ledger may be what failed
        return {{}, run.current->commands_run, false};
    }
}

}  // namespace

Changes changes_of(Run& run, const UpgradeInRun& upgrade) {
    Changes changes;
    changes.commands = upgrade.commands_run;
    if (upgrade.form == UpgradeForm::executable) {
        changes.files = run.parts.work_tree.written_since(upgrade.begun_at, k_max_listed_files);
        changes.unknown_commands = true;
        return changes;
    }
    std::set<std::string> paths;
    for (const FileIntent& change : run.ledger().changed_files(upgrade.version))
        paths.insert(change.path);
    changes.files.assign(paths.begin(), paths.end());
    return changes;
}

std::string words_for_changes(const Changes& changes, const std::string& files) {
    std::string words;
    if (!changes.files.empty()) words += "; " + files + ": " + first_names(changes.files, k_named);
    if (!changes.commands.empty())
        words += "; commands run: " + first_names(changes.commands, k_named);
    if (changes.unknown_commands)
        words += "; which commands it ran is not known: it is an executable upgrade";
    return words;
}

std::vector<std::string> recipe_by_hand(Run& run, const std::string& version,
                                        const Changes& changes) {
    Ledger& ledger = run.ledger();
    return escape_hatch(ledger, ledger.facts(), run.parts.config, version, changes.commands);
}

void end_run(Run& run, RunEnd end) {
    // One line, with names of files in it.
    end.error.message = harmless(run.parts.redactor.mask(end.error.message));
    run.recorded->finish(end.state, end.outcome, end.error.message);
    run.refresh_version();
    run.report.outcome = end.outcome;
    run.report.error = std::move(end.error);
    run.report.exit_code = end.exit_code;
}

void end_interrupted(Run& run, int signal) {
    const bool changing = run.changing;
    close_attempts(run, "interrupted");
    const std::string message = changing ? "interrupted; what was done before stays done"
                                         : "interrupted; nothing was changed";
    if (run.recorded)
        run.recorded->abandon(RunState::cancelled, Outcome::interrupted,
                              changing ? message : "interrupted");
    run.report.outcome = Outcome::interrupted;
    run.report.error =
        RunError{"interrupted", message, "run it again to go on", changing ? "perhaps" : "no"};
    run.report.exit_code = exit_code_of_signal(signal);
}

void end_failed(Run& run, const Kind& kind, const Error& error) {
    const bool changing = run.changing;
    if (run.parts.signals.count() > 0 && !changing && error.failure() == Failure::preparation) {
        end_interrupted(run, run.parts.signals.first_signal());
        return;
    }
    Changes changes = changes_amid(run);
    const std::string problem = run.parts.redactor.mask(error.what());
    close_attempts(run, problem);
    const std::string message = problem + harmless(words_for_changes(changes)) +
                                (changing ? words_for_finished(run, kind.undoes()) : "");
    const bool converted = changing && (error.failure() == Failure::preparation ||
                                        error.failure() == Failure::refused);
    const Failure failure = converted ? Failure::apply_failed : error.failure();
    RunState state = changing ? kind.failed() : RunState::failed_pre;
    Outcome outcome = changing ? kind.failed_outcome() : Outcome::failed;
    if (failure == Failure::declined) {
        state = RunState::aborted;  // the question comes before the work
        outcome = Outcome::aborted;
    }
    if (run.recorded) run.recorded->abandon(state, outcome, message);
    run.report.outcome = outcome;
    run.report.error = RunError{to_string(failure), message, run.parts.redactor.mask(error.next()),
                                changing ? "perhaps" : "no"};
    run.report.error->changes = std::move(changes);
    run.report.exit_code = exit_code(failure);
}

void end_between_upgrades(Run& run, const Kind& kind, std::size_t next) {
    const std::size_t left = run.upgrades.size() - next;
    const std::string message = "stopped by a signal after " + counted(next, "upgrade") + "; " +
                                counted(left, "upgrade") + " left, none of them begun" +
                                words_for_finished(run, kind.undoes());
    const bool cancelled = may_move(run.recorded->state(), RunState::cancelled);
    end_run(run,
            {cancelled ? RunState::cancelled : kind.failed(),
             cancelled ? Outcome::cancelled : kind.failed_outcome(),
             {"interrupted", message, "run it again to go on", run.changing ? "perhaps" : "no"},
             exit_code_of_signal(run.parts.signals.first_signal())});
    run.report.outcome = Outcome::interrupted;
}

void end_after_failed_upgrade(Run& run, const UpgradeInRun& upgrade, const AttemptEnd& end) {
    const bool undone = end.outcome == Outcome::rolled_back;
    const std::size_t position = position_of(run, upgrade);
    const std::size_t left = run.upgrades.size() - position - 1;
    const std::vector<std::string> steps = run.ledger().finished_steps(end.version);
    Changes changes = undone ? Changes{} : changes_of(run, upgrade);
    // The undo of steps is for finished ones.
    if (undone) changes.commands = upgrade.open_commands;
    const UnsettledUpgrade* earlier = unsettled_in(run.facts, end.version);
    const bool others_stay =
        undone && earlier != nullptr && earlier->other_effects && !earlier->is_undo;
    const bool all_undone = undone && changes.commands.empty() && !others_stay;
    // Held back before its first effect, and nothing was done before it.
    const bool untouched = !undone && position == 0 && is_untouched(run, upgrade);
    std::string message = end.version + ": " + end.message + "; " + counted(position, "upgrade") +
                          " before it done, " + counted(left, "upgrade") + " after it not begun";
    if (!steps.empty()) message += "; its finished steps stay: " + join(steps, ", ");
    message += untouched ? "; nothing was changed"
               : undone && !changes.commands.empty()
                   ? "; not undone, as the step that ran them did not finish: " +
                         first_names(changes.commands, k_named)
                   : words_for_changes(changes);
    if (others_stay)
        message +=
            "; commands that an earlier attempt ran amid a step are not undone: 'runner logs " +
            end.version + "' shows them";
    const Failure failure = undone      ? Failure::rolled_back
                            : untouched ? Failure::preparation
                                        : Failure::apply_failed;
    RunError error{upgrade.cancelled ? "interrupted" : to_string(failure), message,
                   next_step(upgrade, end, !steps.empty()),
                   all_undone  ? "undone"
                   : untouched ? "no"
                               : "perhaps"};
    if (!undone && !untouched) error.commands = recipe_by_hand(run, end.version, changes);
    error.changes = std::move(changes);
    const RunState state = undone ? RunState::rolled_back
                           : end.outcome == Outcome::rollback_failed ||
                                   end.outcome == Outcome::blocked  // the undo was not begun
                               ? RunState::rollback_failed
                               : upgrade.cancelled ? RunState::cancelled : RunState::failed;
    end_run(run, {state,
                  state == RunState::failed || end.outcome == Outcome::blocked ? Outcome::failed
                                                                               : end.outcome,
                  std::move(error),
                  upgrade.cancelled ? exit_code_of_signal(run.parts.signals.first_signal())
                                    : exit_code(failure)});
}

}  // namespace runner
