// SPDX-License-Identifier: Apache-2.0
#include "engine/kinds/upgrade_kind.hpp"

#include "engine/pipeline.hpp"
#include "engine/soak.hpp"
#include "engine/standing.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

/// Where the cluster stands when this one and those before it are done.
SemanticVersion reached_after(const Run& run, const UpgradeInRun& upgrade) {
    const Choice& choice = *run.choice;
    const std::size_t position = due_position(choice, upgrade);
    return position + 1 == choice.plan.due.size()
               ? choice.plan.final_version
               : version_after(*choice.releases, choice.plan, position + 1);
}

/// What cannot run any more without what was left out: it requires that, or needs a version that
/// is not reached.
void leave_out_what_needs_more(Run& run) {
    const GateInput input = run.gate_input();
    for (UpgradeInRun& upgrade : run.upgrades) {
        if (leave_out_what_requires_it(run, upgrade)) continue;
        const auto refusal = gate_named("minimums").check(input, &upgrade);
        if (!refusal) continue;
        upgrade.verdict = Verdict::left_out;
        upgrade.words = refusal->what;
    }
}

}  // namespace

Selection UpgradeKind::selection() const {
    return m_request.saved_plan ? m_request.saved_plan->selection() : m_request.selection;
}

SemanticVersion UpgradeKind::original_version(Run& run) const {
    const ClusterConfig& config = run.parts.config;
    if (const auto known = known_original_version(config, run.facts)) return *known;
    if (run.original) return *run.original;  // it was asked for when looking
    if (run.parts.terminal.interactive()) {
        const auto answer = run.parts.terminal.ask("With which version was the cluster '" +
                                                   config.name + "' made? ");
        if (answer && !answer->empty()) {
            try {
                return SemanticVersion::parse(*answer);
            } catch (const Error& error) {
                throw error.as(Failure::preparation);
            }
        }
        run.check_interrupted();
    }
    throw Error(Failure::preparation,
                "the original version of the cluster '" + config.name + "' is not known",
                "write originalVersion into " + config.file.string() +
                    ": the version that the cluster was made with; nothing at or below it ever "
                    "runs");
}

Choice UpgradeKind::choose_from(Run& run) const {
    return choose_due(run.parts.config, run.parts.source, *run.supply, run.facts, *run.original,
                      selection(), run.left_out);
}

void UpgradeKind::choose(Run& run) {
    run.original = original_version(run);
    run.supply->releases();
    run.check_interrupted();
    const auto& saved = m_request.saved_plan;
    if (saved) saved->check_ledger(run.facts, identity_of(run.parts.config), *run.original);
    try {
        run.choice = choose_from(run);
    } catch (const Error& error) {
        if (!saved) throw;
        throw error.as(Failure::refused)
            .within("the saved plan " + saved->file + " no longer fits");
    }
    run.releases = run.choice->releases;
    run.upgrades = due_of(*run.choice);
    if (saved) {
        saved->check_upgrades(run.upgrades);
        const std::vector<std::string> later = saved->released_since(*run.choice);
        if (!later.empty())
            run.choice->plan.warnings.push_back("due by now, and not part of the saved plan: " +
                                                join(later, ", "));
    }
    describe(run);
}

bool UpgradeKind::goes_on_without_upgrades(const Run& run) const {
    const LedgerFacts& facts = run.facts;
    const bool settled = facts.identity &&
                         facts.cluster.cluster_version == run.choice->plan.final_version &&
                         facts.cluster.original_version && !facts.unfinished();
    // A run whose id was given is in the history for those who gave it.
    return !settled || !run.options.run_id.empty();
}

bool UpgradeKind::asks_without_upgrades(const Run& run) const {
    return run.choice->plan.final_version > run.choice->plan.cluster_version;
}

void UpgradeKind::end_with_nothing_to_do(Run& run) {
    const SemanticVersion& version = run.choice->plan.final_version;
    run.report.outcome = Outcome::nothing_to_do;
    if (!run.recorded) return;
    run.changing = true;
    run.ledger().raise_cluster_version(version, run.report.run);
    std::string message = run.options.reason;
    if (asks_without_upgrades(run)) {
        run.report.raised_from = run.report.cluster_version;
        message += (message.empty() ? "" : "; ") +
                   ("the cluster version was raised from " + run.report.cluster_version + " to " +
                    version.to_string());
    }
    run.recorded->finish(RunState::succeeded, Outcome::nothing_to_do, message);
    run.report.cluster_version = version.to_string();
}

void UpgradeKind::load(Run& run) {
    Kind::load(run);
    if (m_request.saved_plan) m_request.saved_plan->check_upgrades(run.upgrades);
}

void UpgradeKind::describe(Run& run) {
    RunReport planned =
        report_of(run.parts.config, *run.choice, run.upgrades, m_request.report_other);
    planned.run = run.report.run;
    planned.dry_run = run.report.dry_run;
    planned.ledger_copy = run.report.ledger_copy;
    add_standing_warnings(planned, run.facts);
    run.report = std::move(planned);
}

void UpgradeKind::resolve_parameters(Run& run) {
    const auto& saved = m_request.saved_plan;
    assign_parameters(run,
                      saved ? saved->with_given(run.options.parameters) : run.options.parameters);
    if (saved) saved->check_values(run);
}

bool UpgradeKind::goes_on_without(Run& run, const UpgradeInRun& upgrade,
                                  const std::string& words) const {
    if (m_request.keep_going) return true;
    if (run.options.yes || run.options.dry_run || !run.parts.terminal.interactive()) return false;
    const auto answer =
        run.parts.terminal.ask(upgrade.version + " is " + words +
                               ". Go on without it, and without what requires it? [y/N] ");
    run.check_interrupted();
    return means_yes(answer);
}

void UpgradeKind::settle_rehearsal(Run& run) {
    // Before anything is left out: all that was reviewed runs, or nothing.
    if (m_request.saved_plan) m_request.saved_plan->check_work(run);
    leave_out(run);
    if (m_request.pin_work) pin_work(run);
    run.refresh_report();
    if (run.upgrades.empty())
        throw Error(Failure::preparation, "everything that is due is blocked; nothing was changed",
                    "do what it says above, and run it again");
}

void UpgradeKind::leave_out(Run& run) const {
    if (!take_out_left_out(run)) return;
    do {
        run.choice = choose_from(run);
        leave_out_what_needs_more(run);
    } while (take_out_left_out(run));
    RunReport planned =
        report_of(run.parts.config, *run.choice, run.upgrades, m_request.report_other);
    run.report.final_version = planned.final_version;
    run.report.other = std::move(planned.other);
}

std::string UpgradeKind::question(const Run& run) const {
    const std::string cluster = "the cluster '" + run.parts.config.name + "'";
    if (!run.upgrades.empty() && run.report.final_version == run.report.cluster_version)
        return "This will run " + counted(run.upgrades.size(), "upgrade") + " on " + cluster +
               "; its version stays " + run.report.cluster_version + ".";
    if (!run.upgrades.empty())
        return "This will upgrade " + cluster + " to " + run.report.final_version + ".";
    return "No upgrade runs; this will raise the version of " + cluster + " from " +
           run.report.cluster_version + " to " + run.report.final_version + ".";
}

void UpgradeKind::look_again(Run& run, UpgradeInRun& upgrade, SecondLook look) {
    if (upgrade.verdict == Verdict::later && m_request.saved_plan && run.options.yes)
        throw Error(Failure::preparation,
                    upgrade.version +
                        " could not be shown when the plan was saved, so nobody has seen what it "
                        "does; it was not begun",
                    "make a new plan now: 'runner plan --out'");
    ApplyingKind::look_again(run, upgrade, look);
}

void UpgradeKind::go_on_without(Run& run) {
    leave_out(run);
}

Worked UpgradeKind::work(Run& run, UpgradeInRun& upgrade) {
    return apply_upgrade(run, upgrade, reached_after(run, upgrade), true);
}

void UpgradeKind::end(Run& run) {
    if (m_request.soak.count() > 0 && !soak(run, m_request.soak)) return;
    run.recorded->finish(RunState::succeeded, Outcome::succeeded, run.options.reason);
    run.report.outcome = Outcome::succeeded;
    run.report.cluster_version = run.choice->plan.final_version.to_string();
}

RunReport run_upgrade(const EngineParts& parts, const UpgradeRequest& request) {
    Run run(parts, request, KindOfRun::upgrade);
    UpgradeKind kind(request);
    return run_pipeline(run, kind);
}

PlanReport plan_upgrade(const EngineParts& parts, const UpgradeRequest& request) {
    Run run(parts, request, KindOfRun::upgrade);
    UpgradeKind kind(request);
    carry_out(run, kind);
    return {std::move(run.report), std::move(run.facts)};
}

RunReport make_plan_report(const EngineParts& parts, const Selection& selection) {
    LookingPlanner planner(parts.config, parts.source, parts.processes.sandbox_support());
    const std::unique_ptr<LedgerView> ledger = parts.ledgers.look();
    const LedgerFacts facts = facts_as_of_now(*ledger, parts.clock);
    planner.check(facts);
    return planner.report(*ledger, facts, selection);
}

}  // namespace runner
