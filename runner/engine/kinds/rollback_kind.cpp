// SPDX-License-Identifier: Apache-2.0
#include "engine/kinds/rollback_kind.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "engine/advice.hpp"
#include "engine/ending.hpp"
#include "engine/pipeline.hpp"
#include "engine/standing.hpp"
#include "engine/undo.hpp"
#include "engine/undo_order.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

SemanticVersion semver_of(const UpgradeInRun& upgrade) {
    return UpgradeVersion::parse(upgrade.version).semver;
}

[[noreturn]] void refuse(const UpgradeInRun& upgrade, const std::string& why,
                         Failure failure = Failure::refused, std::string next = {}) {
    throw Error(failure,
                upgrade.version + " cannot be rolled back: " + why + "; nothing was changed",
                next.empty() ? "undo it by hand, and then: " + forget_by_hand(upgrade.version)
                             : std::move(next));
}

/// The diff of what is put back, and the files as they are then.
upgrade::services::FileChanges show_files(Run& run, const UpgradeInRun& upgrade) {
    const std::vector<FileIntent> changes = run.ledger_view().changed_files(upgrade.version);
    upgrade::services::FileChanges originals = originals_of(changes, run.parts.work_tree);
    PhaseRunner& phases = run.phase_runner();
    for (const auto& [path, oldest] : oldest_of_each(changes)) {
        const std::optional<std::string> now = phases.simulated_content(path);
        phases.show_diff(path, {now, phases.simulated_mode(path)},
                         {originals.at(path).content, oldest.old_mode});
    }
    return originals;
}

/// What its undo may leave of it; empty: nothing.
std::string what_may_stay(const Run& run, const UpgradeInRun& upgrade) {
    if (upgrade.undo_steps)
        return upgrade.version +
               " is not declared reversible: its finished steps are undone as far as they have an "
               "undo; what a command of a step without one has changed stays";
    const UnsettledUpgrade* half = unsettled_in(run.facts, upgrade.version);
    if (half == nullptr || half->is_undo || !half->other_effects) return {};
    return upgrade.version +
           " stopped amid commands that belong to no finished step: the undo of its steps does not "
           "undo them; 'runner logs " +
           upgrade.version + "' shows them";
}

}  // namespace

SemanticVersion RollbackKind::target_version() const {
    SemanticVersion target;
    try {
        target = SemanticVersion::parse(m_request.target);
    } catch (const Error& error) {
        throw error.as(Failure::usage).within("--to");
    }
    if (target >= m_original) return target;
    throw Error(Failure::refused, "--to " + target.to_string() + " is below the original version " +
                                      m_original.to_string() +
                                      ", with which the cluster was made; nothing was changed");
}

std::vector<UpgradeInRun> RollbackKind::candidates(Run& run) const {
    // What is half undone is finished first.
    std::vector<UnsettledUpgrade> unsettled = run.facts.unsettled;
    std::stable_partition(unsettled.begin(), unsettled.end(), is_half_undone);
    std::vector<UpgradeInRun> half;
    std::set<std::string> seen;
    for (const UnsettledUpgrade& upgrade : unsettled) {
        if (!is_half_way(upgrade)) continue;
        half.push_back(from_ledger(upgrade.version, upgrade.tag, upgrade.platform, upgrade.digest));
        half.back().done_how = upgrade.done ? "upgrade" : "";
        half.back().half_way = true;
        seen.insert(upgrade.version);
    }
    for (auto one = m_done.rbegin(); one != m_done.rend(); ++one) {
        const DoneRecord& done = one->first;
        if (seen.count(done.version) != 0) continue;
        half.push_back(from_ledger(done.version, done.tag, done.platform, done.digest));
        half.back().done_how = done.how;
    }
    return half;
}

std::vector<UpgradeInRun> RollbackKind::selected(Run& run,
                                                 std::vector<UpgradeInRun> candidates) const {
    std::set<std::string> wanted;
    for (const UpgradeInRun& upgrade : candidates) {
        const bool named = m_request.target.empty()
                               ? wanted.empty()
                               : semver_of(upgrade) > m_target || upgrade.half_way;
        if (named) wanted.insert(upgrade.version);
    }
    const UndoOrder order = order_to_undo(run.ledger_view(), candidates, std::move(wanted));
    for (const std::string& reason : order.reasons) run.report.warnings.push_back(reason);
    std::vector<UpgradeInRun> chosen;
    for (const std::string& version : order.versions) {
        chosen.push_back(std::move(*std::find_if(
            candidates.begin(), candidates.end(),
            [&](const UpgradeInRun& candidate) { return candidate.version == version; })));
    }
    return chosen;
}

void RollbackKind::choose(Run& run) {
    run.report.rollback = true;
    run.report.warnings.clear();
    run.upgrades.clear();
    const ClusterFacts& cluster = run.facts.cluster;
    if (!cluster.cluster_version || !cluster.original_version) return;
    m_original = *cluster.original_version;
    m_cluster_version = *cluster.cluster_version;
    m_target = m_request.target.empty() ? m_original : target_version();
    m_done.clear();
    for (DoneRecord& done : run.ledger_view().done()) {
        const SemanticVersion semver = UpgradeVersion::parse(done.version).semver;
        m_done.emplace_back(std::move(done), semver);
    }
    run.report.original_version = m_original.to_string();
    run.report.cluster_version = m_cluster_version.to_string();
    run.upgrades = selected(run, candidates(run));
    mark_late(run);
    run.report.final_version = version_without(run, run.upgrades.size()).to_string();
    run.report.target = m_request.target.empty() ? run.report.final_version : m_target.to_string();
    if (!run.upgrades.empty() || m_request.target.empty() || m_target == m_cluster_version) return;
    run.report.warnings.push_back(
        m_target > m_cluster_version
            ? "--to " + m_target.to_string() + " is above the cluster version " +
                  m_cluster_version.to_string()
            : "nothing that is done is above " + m_target.to_string() +
                  "; the cluster version stays: 'runner state correct-version' changes it by hand");
}

void RollbackKind::mark_late(Run& run) const {
    std::map<std::string, std::string> runs;  // by version: in which it was done
    for (const auto& [done, semver] : m_done) runs[done.version] = done.run;
    std::map<std::string, std::set<std::string>> late;  // by run
    for (UpgradeInRun& upgrade : run.upgrades) {
        const std::string& id = runs[upgrade.version];
        const auto [found, is_new] = late.try_emplace(id);
        if (const auto record = is_new ? run.ledger_view().run(id) : std::nullopt) {
            for (const AttemptRecord& attempt : record->attempts) {
                if (attempt.late) found->second.insert(attempt.version);
            }
        }
        upgrade.late = found->second.count(upgrade.version) != 0;
    }
}

SemanticVersion RollbackKind::version_without(const Run& run, std::size_t count) const {
    std::optional<SemanticVersion> lowest_undone;
    for (std::size_t i = 0; i < count; ++i) {
        const UpgradeInRun& upgrade = run.upgrades[i];
        // The cluster version never counted it, or did not rise for it.
        if (upgrade.done_how.empty() || upgrade.late) continue;
        const SemanticVersion version = semver_of(upgrade);
        lowest_undone = lowest_undone ? std::min(*lowest_undone, version) : version;
    }
    if (!lowest_undone) return m_cluster_version;
    SemanticVersion reached = m_target < *lowest_undone ? m_target : m_original;
    // Of those below it only hotfixes are undone.
    std::set<std::string> undone;
    for (std::size_t i = 0; i < count; ++i) {
        if (run.upgrades[i].late) undone.insert(run.upgrades[i].version);
    }
    for (const auto& [done, semver] : m_done) {
        if (semver < *lowest_undone && undone.count(done.version) == 0)
            reached = std::max(reached, semver);
    }
    return std::min(reached, m_cluster_version);
}

void RollbackKind::load_one(Run& run, UpgradeInRun& upgrade, bool is_known) const {
    if (!upgrade.done_how.empty() && upgrade.done_how != "upgrade")
        refuse(upgrade, "it was recorded by hand ('" + upgrade.done_how +
                            "'), so what of it is there is not known");
    upgrade.check_description = false;  // it ran here before: the digest is the same
    if (is_known) {
        upgrade.manifest_json = upgrade.manifest().to_json();
        const UnsettledUpgrade* half = unsettled_in(run.facts, upgrade.version);
        upgrade.undo_steps = half != nullptr && can_undo_steps(upgrade, *half);
        // Files are put back without a release.
        if (!needs_own_rollback(upgrade)) return;
    }
    if (upgrade.tag.empty())
        refuse(upgrade, "it was run from a file, and no release has what would undo it");
    try {
        run.supply->find_again(upgrade);
        run.supply->fetch({&upgrade}, {});
        run.supply->have_image(upgrade);
    } catch (const Error& error) {
        refuse(upgrade, error.what(), error.failure(), error.next());
    }
}

void RollbackKind::load(Run& run) {
    // Also those behind one that is refused are told as what they are.
    std::vector<bool> known;
    for (UpgradeInRun& upgrade : run.upgrades)
        known.push_back(recall_attempt(run.ledger_view(), upgrade));
    for (UpgradeInRun& upgrade : run.upgrades) {
        load_one(run, upgrade, known[position_of(run, upgrade)]);
        const std::string reason = why_not_undoable(upgrade);
        if (!reason.empty()) refuse(upgrade, reason);
        const std::string stays = what_may_stay(run, upgrade);
        if (!stays.empty()) run.report.warnings.push_back(stays);
    }
}

std::optional<Refusal> RollbackKind::refusal(const Run& run) const {
    std::vector<std::string> versions;
    for (const UpgradeInRun& upgrade : run.upgrades) versions.push_back(upgrade.version);
    return refusal_to_undo(run.ledger_view(), run.parts.work_tree, versions, run.options.force);
}

void RollbackKind::pass_admission(Run& run) {
    Kind::pass_admission(run);
    if (const auto found = refusal(run)) throw_refusal(*found, "nothing was changed");
}

void RollbackKind::before_work(Run& run) {
    if (const auto found = refusal(run))
        throw_refusal(changed_since_shown(*found), "nothing was changed");
}

void RollbackKind::rehearse(Run& run, UpgradeInRun& upgrade) {
    Reporter& reporter = run.parts.reporter;
    PhaseRunner& phases = run.phase_runner();
    reporter.phase_begins(upgrade.version, HostPhase::simulate, position_of(run, upgrade) + 1,
                          run.upgrades.size());
    const bool own = needs_own_rollback(upgrade);
    if (own) {
        const PhaseResult result = phases.simulate_rollback(upgrade);
        run.check_interrupted();
        // What commands before it would have changed, the rest of a simulated undo does not see.
        const auto runs_none = [](const UpgradeInRun& one) { return one.shown.commands.empty(); };
        const auto before = upgrades_before(run, upgrade);
        const bool certain =
            runs_none(upgrade) && std::all_of(before.begin(), before.end(), runs_none);
        if (!result.ok() && certain) {
            upgrade.message = result.message;
            refuse(upgrade, "its own rollback would fail: " + result.message, Failure::preparation,
                   "mend the cause and run it again");
        }
        if (!result.ok())
            run.warn("the undo of " + upgrade.version +
                     " could not be simulated to its end: " + result.message +
                     "; for real it may go well, as its commands were not run here");
    }
    const upgrade::services::FileChanges originals = show_files(run, upgrade);
    if (!originals.empty()) phases.lay_over(originals);
    upgrade.words = counted(originals.size(), "file") + " to put back" +
                    (own ? ", after its own rollback" : "");
    reporter.phase_ends(upgrade.version, HostPhase::simulate, upgrade.words, true);
}

std::string RollbackKind::question(const Run& run) const {
    return "This will roll the cluster '" + run.parts.config.name + "' back to " +
           run.report.final_version + ".";
}

Worked RollbackKind::work(Run& run, UpgradeInRun& upgrade) {
    const std::size_t position = position_of(run, upgrade);
    run.parts.reporter.phase_begins(upgrade.version, HostPhase::rollback, position + 1,
                                    run.upgrades.size());
    UndoResult undone =
        undo_upgrade(run.phase_runner(), upgrade, run.parts.work_tree, run.record());
    Worked worked;
    worked.end.version = upgrade.version;
    worked.end.outcome = undone.outcome();
    worked.end.undone = undone.good;
    if (undone.good) worked.end.lowered_version = version_without(run, position + 1);
    worked.end.message = undone.message;
    upgrade.commands_run = std::move(undone.commands);
    worked.good = undone.good;
    run.parts.reporter.phase_ends(upgrade.version, HostPhase::rollback,
                                  undone.message + (undone.good ? "; recording" : ""), undone.good);
    return worked;
}

void RollbackKind::end(Run& run) {
    run.recorded->finish(RunState::rolled_back, Outcome::rolled_back, run.options.reason);
    run.report.outcome = Outcome::rolled_back;
}

void RollbackKind::end_after_failure(Run& run, UpgradeInRun& upgrade, const AttemptEnd& end) {
    Changes changes = changes_of(run, upgrade);
    const std::string message = upgrade.version + " could not be rolled back: " + end.message +
                                "; " + counted(position_of(run, upgrade), "upgrade") +
                                " before it rolled back" +
                                words_for_changes(changes, "files not put back");
    // It was refused before its first effect, and none was undone before it.
    const bool unchanged = end.outcome == Outcome::blocked && &upgrade == run.upgrades.data();
    const Outcome outcome =
        end.outcome == Outcome::blocked ? Outcome::failed : Outcome::rollback_failed;
    const Failure failure = unchanged ? Failure::refused : Failure::apply_failed;
    RunError error{to_string(failure), message,
                   "mend the cause and run it again: it goes on from there",
                   unchanged ? "no" : "perhaps"};
    if (!unchanged) error.commands = recipe_by_hand(run, upgrade.version, changes);
    error.changes = std::move(changes);
    end_run(run, {RunState::rollback_failed, outcome, std::move(error), exit_code(failure)});
}

RunReport run_rollback(const EngineParts& parts, const RollbackRequest& request) {
    Run run(parts, request, KindOfRun::rollback);
    run.adjust_phases = confirm_everything;
    RollbackKind kind(request);
    return run_pipeline(run, kind);
}

}  // namespace runner
