// SPDX-License-Identifier: Apache-2.0
#include "engine/rollback_run.hpp"

#include <algorithm>

#include "engine/confirmations.hpp"
#include "engine/early_end.hpp"
#include "engine/hooks.hpp"
#include "engine/phase_runner.hpp"
#include "engine/recorded_run.hpp"
#include "engine/recovery.hpp"
#include "engine/rollback.hpp"
#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "services/diff.hpp"
#include "support/file.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_file = 256U << 20U;

class RollbackRun {
 public:
    RollbackRun(const EngineParts& parts, const RollbackRequest& request)
        : m_parts(parts), m_request(request) {}

    RunReport run() {
        m_report.cluster = m_parts.config.name;
        m_report.dry_run = m_request.dry_run;
        m_report.rollback = true;
        try {
            work();
        } catch (const Interrupted& interrupted) {
            end_interrupted(m_report, m_run, interrupted.signal);
        } catch (const Error& error) {
            end_failed(m_report, m_run, error, m_parts.signals, m_changing,
                       m_changing ? RunState::rollback_failed : RunState::failed_pre,
                       Outcome::rollback_failed);
        }
        if (m_run && !m_report.run.empty()) hooks().after(m_report);
        m_phases.reset();
        m_run.reset();
        m_parts.reporter.finished(m_report);
        return std::move(m_report);
    }

 private:
    void work() {
        if (!m_request.dry_run && !m_request.yes && !m_parts.terminal.interactive()) {
            throw Error(Failure::usage,
                        "there is no terminal to ask on, and --yes was not given; nothing was "
                        "changed",
                        "add --yes to go ahead without a question, or --dry-run to look");
        }
        m_view = m_parts.look_at_ledger();
        check_run_id(*m_view, m_request.run_id);
        select(*m_view);
        if (m_selected.empty()) {
            m_report.outcome = Outcome::nothing_to_do;
            return;
        }
        load();
        m_parts.reporter.planned(m_report);
        if (!m_request.dry_run) begin();
        show();
        if (m_request.dry_run) {
            m_report.outcome = Outcome::succeeded;
            return;
        }
        m_run->move_to(RunState::awaiting_confirmation);
        ask();
        hooks().before(m_report);
        check_interrupted(m_parts.signals);
        undo_all();
    }

    [[nodiscard]] Hooks hooks() const {
        return {m_parts.config, m_run->ledger(), m_parts.reporter, m_parts.signals, m_parts.clock};
    }

    /// What is to be undone, in the reverse of the order in which it was done.
    void select(LedgerView& ledger) {
        const LedgerFacts facts = ledger.facts();
        check_identity(m_parts.config, facts);
        if (!facts.cluster.cluster_version || !facts.cluster.original_version) return;
        m_original = *facts.cluster.original_version;
        m_report.original_version = m_original.to_string();
        m_report.cluster_version = facts.cluster.cluster_version->to_string();
        m_done = ledger.done();
        const auto version = [](const DoneRecord& done) {
            return UpgradeVersion::parse(done.version);
        };
        std::reverse(m_done.begin(), m_done.end());
        m_selected.clear();
        if (m_request.target.empty()) {
            if (!m_done.empty()) m_selected.push_back(m_done.front());
            m_target = m_original;
        } else {
            m_target = target_version();
            std::copy_if(m_done.begin(), m_done.end(), std::back_inserter(m_selected),
                         [&](const DoneRecord& done) { return version(done).semver > m_target; });
        }
        m_report.target = m_request.target.empty() && !m_selected.empty()
                              ? version_without(m_selected.size()).to_string()
                              : m_target.to_string();
        m_report.final_version = m_report.target;
    }

    [[nodiscard]] SemanticVersion target_version() const {
        SemanticVersion target;
        try {
            target = SemanticVersion::parse(m_request.target);
        } catch (const Error& error) {
            throw error.as(Failure::usage).within("--to");
        }
        if (target < m_original) {
            throw Error(Failure::refused, "--to " + target.to_string() +
                                              " is below the original version " +
                                              m_original.to_string() +
                                              ", with which the cluster was made; nothing "
                                              "was changed");
        }
        return target;
    }

    /// Where the cluster stands when the first `count` of the selected ones are undone: the newest
    /// version below which nothing that was done is undone.
    [[nodiscard]] SemanticVersion version_without(std::size_t count) const {
        SemanticVersion undone = UpgradeVersion::parse(m_selected.front().version).semver;
        for (std::size_t i = 0; i < count; ++i)
            undone = std::min(undone, UpgradeVersion::parse(m_selected[i].version).semver);
        SemanticVersion reached = m_target;
        for (const DoneRecord& done : m_done) {
            const SemanticVersion version = UpgradeVersion::parse(done.version).semver;
            if (version < undone) reached = std::max(reached, version);
        }
        return reached;
    }

    /// The verified image of each, the very one that was run.
    void load() {
        TrustPolicy trust = TrustPolicy::of(m_parts.config);
        m_releases = m_parts.source.list();
        std::vector<const Release*> wanted;
        for (const DoneRecord& done : m_selected) {
            if (done.how != "upgrade") {
                throw Error(Failure::refused,
                            done.version + " was not run here but recorded ('" + done.how +
                                "'): what it has changed is not known; nothing was changed",
                            "undo it by hand, and then: runner state forget " + done.version);
            }
            if (done.tag.empty()) {
                throw Error(Failure::refused,
                            done.version +
                                " was run from a file, and no release has what would "
                                "undo it; nothing was changed",
                            "undo it by hand, and then: runner state forget " + done.version);
            }
            const auto found =
                std::find_if(m_releases.begin(), m_releases.end(),
                             [&](const Release& release) { return release.tag == done.tag; });
            if (found == m_releases.end()) {
                throw Error(Failure::preparation,
                            "the release '" + done.tag + "' of " + done.version +
                                " is no longer there; nothing was changed",
                            "bring it back, or take a mirror that has it");
            }
            m_parts.source.complete({&*found});
            if (!found->problem.empty())
                throw Error(Failure::preparation,
                            "release '" + found->tag + "' is malformed: " + found->problem);
            wanted.push_back(&*found);
        }
        UpgradeStore store(m_parts.source, m_parts.config.releases.prefix, Platform::current(),
                           std::move(trust));
        const std::vector<KnownUpgrade> known = store.manifests(wanted);
        store.fetch(known, {});
        std::vector<const Manifest*> manifests;
        for (const KnownUpgrade& upgrade : known) manifests.push_back(&upgrade.manifest);
        std::vector<ParameterValues> values = resolve_parameters(
            manifests, m_request.parameters,
            {m_parts.config.parameters, m_view->facts().parameter_values}, &m_parts.terminal);
        for (std::size_t i = 0; i < known.size(); ++i)
            add(store, known[i], m_selected[i], std::move(values[i]));
    }

    void add(UpgradeStore& store, const KnownUpgrade& known, const DoneRecord& done,
             ParameterValues values) {
        if (!done.digest.empty() && known.archive_digest.to_string() != done.digest) {
            throw Error(Failure::preparation,
                        done.version + " was changed after it was applied: its release now has " +
                            known.archive_digest.to_string() + ", applied was " + done.digest +
                            "; nothing was changed",
                        "bring the release back that was applied");
        }
        RunnableUpgrade upgrade;
        upgrade.version = done.version;
        upgrade.manifest = known.manifest;
        upgrade.manifest_json = known.manifest.to_json();
        upgrade.check_description = false;  // it ran here before: the digest is the same
        const UpgradeImage image = store.image(known);
        upgrade.form = image.form;
        upgrade.image = seal(image);
        upgrade.parameters = std::move(values);
        const std::string reason = why_not_undoable(upgrade);
        if (!reason.empty()) {
            throw Error(
                Failure::refused,
                done.version + " cannot be rolled back: " + reason + "; nothing was changed",
                "undo it by hand, and then: runner state forget " + done.version);
        }
        for (const FileIntent& change : m_view->changed_files(done.version)) {
            if (change.kept || change.backup.empty()) continue;
            throw Error(Failure::refused,
                        done.version + " cannot be rolled back: the original of " + change.path +
                            " is no longer kept, only those of the newest " +
                            counted(k_kept_originals, "upgrade") + " are; nothing was changed",
                        "undo it by hand, and then: runner state forget " + done.version);
        }
        PlannedUpgrade shown;
        shown.version = done.version;
        shown.tag = done.tag;
        shown.digest = done.digest;
        shown.manifest = known.manifest;
        shown.signer = known.signer;
        m_report.due.push_back(shown);
        for (const std::string& secret : secrets_in(upgrade.manifest, upgrade.parameters))
            m_redactor.add(secret);
        m_upgrades.push_back(std::move(upgrade));
    }

    void begin() {
        m_run.emplace(m_parts.open_ledger(), m_request.wait, m_parts.reporter, m_parts.signals,
                      m_parts.clock, m_request.run_id);
        m_report.ledger_copy = m_run->copy_ledger(m_parts.config.state);
        m_run->recover(m_parts.config.repository_directory);
        const std::vector<DoneRecord> before = m_selected;
        select(m_run->ledger());
        const bool same = std::equal(before.begin(), before.end(), m_selected.begin(),
                                     m_selected.end(), [](const auto& a, const auto& b) {
                                         return a.version == b.version && a.digest == b.digest;
                                     });
        if (!same)
            throw Error(Failure::preparation,
                        "the ledger was changed meanwhile; nothing was rolled back",
                        "run it again");
        m_run->begin(m_request.target.empty() ? "rollback" : "rollback --to " + m_request.target,
                     m_report.target);
        m_report.run = m_run->id();
        m_run->move_to(RunState::fetching);
        m_run->move_to(RunState::simulating);
    }

    /// What each will put back, as diffs; a file that was changed by hand stops it here.
    void show() {
        LedgerView& ledger = m_run ? static_cast<LedgerView&>(m_run->ledger()) : *m_view;
        const std::filesystem::path& repository = m_parts.config.repository_directory;
        m_parts.reporter.simulation_begins(m_upgrades.size());
        std::map<std::string, std::optional<std::string>> after;
        for (std::size_t i = 0; i < m_upgrades.size(); ++i) {
            const RunnableUpgrade& upgrade = m_upgrades[i];
            m_parts.reporter.phase_begins(upgrade.version, HostPhase::simulate, i + 1,
                                          m_upgrades.size());
            // Only of the first is it certain what the files are before it.
            if (i == 0 && !m_request.force) refuse_what_was_changed_by_hand(ledger, upgrade);
            std::map<std::string, std::optional<std::string>> original;
            for (const FileIntent& change : ledger.changed_files(upgrade.version)) {
                original[change.path] = change.backup.empty()
                                            ? std::nullopt
                                            : std::optional(read_file(change.backup, k_max_file));
            }
            for (const auto& [path, content] : original) {
                const auto known = after.find(path);
                const std::optional<std::string> now =
                    known != after.end() ? known->second
                                         : read_file_if_there(repository / path, k_max_file);
                const std::string diff = upgrade::services::unified_diff(path, now, content);
                if (!diff.empty()) m_parts.reporter.diff(m_redactor.mask(diff));
                after[path] = content;
            }
            m_parts.reporter.phase_ends(
                upgrade.version, HostPhase::simulate,
                counted(original.size(), "file") + " to put back" +
                    (upgrade.manifest.reversible ? ", after its own rollback" : ""),
                true);
        }
    }

    void refuse_what_was_changed_by_hand(LedgerView& ledger, const RunnableUpgrade& upgrade) {
        const std::vector<std::string> changed =
            changed_by_hand(ledger, upgrade.version, m_parts.config.repository_directory);
        if (changed.empty()) return;
        throw Error(Failure::refused,
                    upgrade.version + " cannot be rolled back: " + join(changed, ", ") +
                        (changed.size() == 1 ? " was" : " were") +
                        " changed by hand since; nothing was changed",
                    "undo those changes first, or overwrite them with --force");
    }

    void ask() {
        if (m_request.yes) return;
        confirm(m_parts.terminal, m_parts.signals,
                "This will roll the cluster '" + m_parts.config.name + "' back to " +
                    m_report.final_version + ". Do you want to continue?");
    }

    void undo_all() {
        PhaseRunnerOptions options;
        options.debug = m_request.debug;
        options.yes = true;  // the question was answered
        options.lease = m_run->ledger().lease_descriptor();
        m_phases.emplace(m_parts.config, options, m_run->ledger(), m_parts.reporter,
                         m_parts.terminal, m_parts.signals, m_parts.clock);
        for (const RunnableUpgrade& upgrade : m_upgrades) m_phases->keep_secrets_of(upgrade);
        m_run->move_to(RunState::rolling_back);
        m_parts.reporter.applying_begins(m_upgrades.size());
        for (std::size_t i = 0; i < m_upgrades.size(); ++i) {
            if (m_parts.signals.count() > 0) {
                throw Error(Failure::apply_failed,
                            "stopped by a signal after " + counted(i, "upgrade") + "; " +
                                counted(m_upgrades.size() - i, "upgrade") + " not rolled back",
                            "run it again to go on");
            }
            undo_one(i);
        }
        m_run->finish(RunState::rolled_back, Outcome::rolled_back, m_request.reason);
        m_report.outcome = Outcome::rolled_back;
    }

    void undo_one(std::size_t i) {
        const RunnableUpgrade& upgrade = m_upgrades[i];
        const std::filesystem::path log = log_name(m_report.run, upgrade.version);
        AttemptStart start;
        start.version = upgrade.version;
        start.tag = m_selected[i].tag;
        start.platform = m_selected[i].platform;
        start.digest = Digest::parse(m_selected[i].digest);
        start.log = log.string();
        m_run->ledger().advance(m_report.run, std::nullopt, start);
        m_changing = true;
        m_parts.reporter.phase_begins(upgrade.version, HostPhase::rollback, i + 1,
                                      m_upgrades.size());
        AttemptEnd end;
        end.version = upgrade.version;
        end.outcome = Outcome::rollback_failed;
        UndoResult result;
        try {
            result = undo_upgrade(
                *m_phases, upgrade, m_run->ledger(), m_parts.config.repository_directory,
                {m_report.run, m_parts.config.state.parent_path() / log, m_request.force});
        } catch (const Error& error) {
            result.message = error.what();
        }
        if (result.good) {
            end.outcome = Outcome::rolled_back;
            end.undone = true;
            end.lowered_version = version_without(i + 1);
        }
        end.message = result.message;
        m_parts.reporter.phase_ends(upgrade.version, HostPhase::rollback, result.message,
                                    result.good);
        m_run->ledger().advance(m_report.run, end, std::nullopt);
        m_report.due[i].outcome = end.outcome;
        m_report.due[i].message = end.message;
        if (!result.good) {
            throw Error(Failure::apply_failed,
                        upgrade.version + " could not be rolled back: " + result.message + "; " +
                            counted(i, "upgrade") + " before it rolled back",
                        "mend the cause and run it again: it goes on from there");
        }
        m_report.cluster_version = end.lowered_version->to_string();
    }

    const EngineParts& m_parts;
    const RollbackRequest& m_request;
    RunReport m_report;
    SemanticVersion m_original;
    SemanticVersion m_target;
    std::vector<DoneRecord> m_done;      ///< newest first
    std::vector<DoneRecord> m_selected;  ///< of these, what is to be undone
    std::vector<Release> m_releases;
    std::vector<RunnableUpgrade> m_upgrades;
    Redactor m_redactor;
    std::unique_ptr<LedgerView> m_view;
    std::optional<RecordedRun> m_run;
    std::optional<PhaseRunner> m_phases;
    bool m_changing = false;
};

}  // namespace

RunReport run_rollback(const EngineParts& parts, const RollbackRequest& request) {
    return RollbackRun(parts, request).run();
}

}  // namespace runner
