// SPDX-License-Identifier: Apache-2.0
#include "engine/upgrade_run.hpp"

#include <algorithm>

#include "engine/application.hpp"
#include "engine/confirmations.hpp"
#include "engine/early_end.hpp"
#include "engine/hooks.hpp"
#include "engine/image_preparation.hpp"
#include "engine/phase_runner.hpp"
#include "engine/recorded_run.hpp"
#include "host/sandbox.hpp"
#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_image_bytes = 256U << 20U;  // of images kept from simulation to apply
constexpr std::size_t k_max_images = 4096;

class UpgradeRun {
 public:
    UpgradeRun(const EngineParts& parts, const UpgradeRequest& request)
        : m_parts(parts), m_request(request) {}

    RunReport run() {
        m_report.cluster = m_parts.config.name;
        m_report.dry_run = m_request.dry_run;
        try {
            prepare_and_apply();
        } catch (const Interrupted& interrupted) {
            end_interrupted(m_report, m_run, interrupted.signal);
        } catch (const Error& error) {
            if (m_application) m_application->record_failure(error);
            end_failed(m_report, m_run, error, m_parts.signals, changing(),
                       m_application ? RunState::failed : RunState::failed_pre, Outcome::failed);
        }
        if (m_run && !m_report.run.empty()) hooks().after(m_report);
        m_application.reset();
        m_phases.reset();  // no plugin process is left when the lease goes
        m_run.reset();
        m_parts.reporter.finished(m_report);
        return std::move(m_report);
    }

 private:
    void prepare_and_apply() {
        if (!m_request.dry_run && !m_request.yes && !m_parts.terminal.interactive()) {
            throw Error(Failure::usage,
                        "there is no terminal to ask on, and --yes was not given; nothing was "
                        "fetched or changed",
                        "add --yes to go ahead without a question, or --dry-run to look");
        }
        m_planner.emplace(m_parts.config, m_parts.source, TrustPolicy::of(m_parts.config));
        m_view = m_parts.look_at_ledger();
        check_run_id(*m_view, m_request.run_id);
        LedgerFacts facts = m_view->facts();
        check_identity(m_parts.config, facts);
        m_original = original_version(facts);
        m_planner->list();
        check_interrupted();
        make_plan(facts);
        const bool settled = facts.identity &&
                             facts.cluster.cluster_version == m_prepared.plan.final_version &&
                             facts.cluster.original_version && !facts.has_unfinished_run &&
                             !facts.has_unfinished_files;
        // A run whose id was given is in the history for those who gave it.
        const bool recorded = !settled || !m_request.run_id.empty();
        if (m_prepared.plan.due.empty() && (!recorded || m_request.dry_run)) {
            publish_plan();
            finish(Outcome::nothing_to_do, m_report.cluster_version);
            return;
        }
        if (!m_request.dry_run) {
            facts = begin_recorded_run();
            make_plan(facts);
        }
        if (m_prepared.plan.due.empty()) {
            publish_plan();
            raise_without_upgrades();
            return;
        }
        prepare(facts);
        if (m_request.dry_run) {
            finish(Outcome::succeeded, m_report.cluster_version);
            return;
        }
        ask();
        hooks().before(m_report);
        check_interrupted();
        m_application.emplace(m_parts, m_request, m_planner->store(), m_ready, *m_run, phases(),
                              m_report);
        m_application->run();
    }

    [[nodiscard]] Selection selection() const {
        return m_request.saved_plan ? m_request.saved_plan->selection() : m_request.selection;
    }

    /// The plan for these facts; a saved one must still be what comes out.
    void make_plan(const LedgerFacts& facts) {
        const auto& saved = m_request.saved_plan;
        if (!saved) {
            m_prepared = m_planner->plan(facts, *m_original, selection());
            return;
        }
        saved->check_ledger(facts, identity());
        try {
            m_prepared = m_planner->plan(facts, *m_original, selection());
        } catch (const Error& error) {
            throw error.as(Failure::refused)
                .within("the saved plan " + saved->file + " no longer fits");
        }
        saved->check_plan(m_prepared);
        const std::vector<std::string> later = saved->released_since(m_prepared);
        if (!later.empty())
            m_prepared.plan.warnings.push_back("due by now, and not part of the saved plan: " +
                                               join(later, ", "));
    }

    [[nodiscard]] ClusterIdentity identity() const {
        return {m_parts.config.name, m_parts.config.region, m_parts.config.account_id};
    }

    SemanticVersion original_version(const LedgerFacts& facts) {
        if (const auto known = known_original_version(m_parts.config, facts)) return *known;
        if (m_parts.terminal.interactive()) {
            const auto answer = m_parts.terminal.ask("With which version was the cluster '" +
                                                     m_parts.config.name + "' made? ");
            if (answer && !answer->empty()) {
                try {
                    return SemanticVersion::parse(*answer);
                } catch (const Error& error) {
                    throw error.as(Failure::preparation);
                }
            }
            check_interrupted();
        }
        throw Error(
            Failure::preparation,
            "the original version of the cluster '" + m_parts.config.name + "' is not known",
            "write originalVersion into " + m_parts.config.file.string() +
                ": the version that the cluster was made with; nothing at or below it ever runs");
    }

    void check_interrupted() const { runner::check_interrupted(m_parts.signals); }

    /// The report is that of the plan as it is now.
    void report_plan() {
        RunReport planned = m_planner->report(m_prepared, m_request.report_other);
        planned.run = m_report.run;
        planned.dry_run = m_report.dry_run;
        planned.ledger_copy = m_report.ledger_copy;
        m_report = std::move(planned);
    }

    void publish_plan() {
        report_plan();
        for (const std::string& warning : m_report.warnings) m_parts.reporter.warning(warning);
        m_parts.reporter.planned(m_report);
    }

    /// Lease, what an earlier run left, and the row of this one. Returns the facts as of the lease.
    LedgerFacts begin_recorded_run() {
        m_run.emplace(m_parts.open_ledger(), m_request.wait, m_parts.reporter, m_parts.signals,
                      m_parts.clock, m_request.run_id);
        check_interrupted();
        if (!m_prepared.plan.due.empty()) phases();  // its host starts while the ledger is written
        LedgerFacts facts = ledger().facts();
        check_identity(m_parts.config, facts);
        if (facts.identity) m_report.ledger_copy = m_run->copy_ledger(m_parts.config.state);
        m_run->recover(m_parts.config.repository_directory);
        if (!facts.identity) ledger().set_identity(identity());
        if (!facts.cluster.original_version) ledger().set_original_version(*m_original);
        m_run->begin("upgrade", m_prepared.plan.target.to_string(), m_request.reason);
        m_report.run = m_run->id();
        return facts;
    }

    /// Whether something may be changed by now.
    [[nodiscard]] bool changing() const {
        return m_raising || (m_application && m_application->changing());
    }

    [[nodiscard]] Hooks hooks() const {
        return {m_parts.config, ledger(), m_parts.reporter, m_parts.signals, m_parts.clock};
    }

    [[nodiscard]] Ledger& ledger() const { return m_run->ledger(); }
    /// The one that is written, once there is one.
    [[nodiscard]] LedgerView& view() const { return m_run ? ledger() : *m_view; }

    void move_to(RunState next) {
        if (m_run) m_run->move_to(next);
    }

    void raise_without_upgrades() {
        m_raising = true;
        ledger().raise_cluster_version(m_prepared.plan.final_version, m_report.run);
        m_run->finish(RunState::succeeded, Outcome::nothing_to_do, m_request.reason);
        finish(Outcome::nothing_to_do, m_prepared.plan.final_version.to_string());
    }

    /// Fetch, verify, parameters, simulate: everything that can fail without anything having
    /// changed.
    void prepare(const LedgerFacts& facts) {
        move_to(RunState::fetching);
        build_what_is_due();
        m_planner->load_manifests(m_prepared, facts.cluster);
        check_pins();
        if (m_request.saved_plan) m_request.saved_plan->check_plan(m_prepared);
        publish_plan();
        if (m_request.yes && !m_request.dry_run) risks().require_confirmed();
        resolve(facts);
        m_planner->store().fetch(m_prepared.upgrades,
                                 [this](std::uint64_t done, std::uint64_t total) {
                                     m_parts.reporter.fetching(done, total);
                                 });
        check_interrupted();
        move_to(RunState::simulating);
        simulate();
        leave_out_blocked(facts);
        move_to(RunState::awaiting_confirmation);
    }

    /// Of a source that builds; each with a log of its own.
    void build_what_is_due() {
        std::vector<const Release*> unbuilt;
        for (const DueUpgrade& due : m_prepared.plan.due) {
            const Release& release = (*m_prepared.releases)[due.release];
            if (!m_parts.source.is_built(release)) unbuilt.push_back(&release);
        }
        if (unbuilt.empty()) return;
        move_to(RunState::building);
        for (std::size_t i = 0; i < unbuilt.size(); ++i) {
            const std::string version = unbuilt[i]->version.value().to_string();
            m_parts.reporter.notice("building " + version + " from its tag (" +
                                    std::to_string(i + 1) + " of " +
                                    std::to_string(unbuilt.size()) + ")");
            const auto log = m_report.run.empty() ? std::filesystem::path()
                                                  : m_parts.config.state.parent_path() /
                                                        build_log_name(m_report.run, version);
            try {
                m_parts.source.build(*unbuilt[i], log);
            } catch (const Error& error) {
                check_interrupted();
                throw Error(error.failure(), std::string(error.what()) + "; nothing was changed",
                            error.next().empty() && !log.empty()
                                ? "'runner logs " + version + " --build' shows what its build said"
                                : error.next());
            }
            check_interrupted();
        }
    }

    void check_pins() {
        const std::string platform = Platform::current().to_string();
        for (const KnownUpgrade& upgrade : m_prepared.upgrades) {
            const std::string version = upgrade.manifest.version.to_string();
            const auto pinned = view().pinned(version, platform);
            if (!pinned || *pinned == upgrade.archive_digest) continue;
            const auto& accepted = m_request.accept_changed;
            if (std::find(accepted.begin(), accepted.end(), version) != accepted.end()) {
                if (m_run)
                    ledger().accept_digest(version, platform, upgrade.archive_digest,
                                           m_run->actor());
                continue;
            }
            throw Error(Failure::preparation,
                        version +
                            " was changed after it was first attempted: its release now has " +
                            upgrade.archive_digest.to_string() + ", attempted was " +
                            pinned->to_string() + "; nothing was changed",
                        "ask its author for a hotfix of another version, or take the new one with "
                        "--accept-changed " +
                            version);
        }
    }

    [[nodiscard]] Risks risks() const {
        return {m_prepared, m_request.confirm_downtime, m_request.confirm_major};
    }

    void resolve(const LedgerFacts& facts) {
        std::vector<const Manifest*> manifests;
        for (const KnownUpgrade& upgrade : m_prepared.upgrades)
            manifests.push_back(&upgrade.manifest);
        std::vector<ParameterValues> values = resolve_parameters(
            manifests, m_request.parameters, {m_parts.config.parameters, facts.parameter_values},
            &m_parts.terminal);
        for (std::size_t i = 0; i < m_prepared.upgrades.size(); ++i) {
            RunnableUpgrade upgrade;
            upgrade.manifest = m_prepared.upgrades[i].manifest;
            upgrade.version = upgrade.manifest.version.to_string();
            upgrade.manifest_json = upgrade.manifest.to_json();
            upgrade.parameters = std::move(values[i]);
            phases().keep_secrets_of(upgrade);
            m_runnable.push_back(std::move(upgrade));
        }
    }

    PhaseRunner& phases() {
        if (!m_phases) {
            PhaseRunnerOptions options;
            options.debug = m_request.debug;
            options.yes = m_request.yes;
            options.lease = m_run ? ledger().lease_descriptor() : -1;
            m_phases.emplace(m_parts.config, options, view(), m_parts.reporter, m_parts.terminal,
                             m_parts.signals, m_parts.clock);
        }
        return *m_phases;
    }

    void say_what_is_enforced() {
        const SandboxSupport support = sandbox_support();
        const Enforcement wanted = m_parts.config.policy.enforcement;
        if (wanted == Enforcement::disabled) {
            m_parts.reporter.warning(
                "the config's policy has the kernel enforce nothing of what upgrades declare");
            return;
        }
        if (support == SandboxSupport::files_and_network) return;
        if (wanted == Enforcement::required)
            throw Error(Failure::preparation,
                        "this kernel cannot enforce what upgrades declare, and the config's policy "
                        "requires it; nothing was changed",
                        "run it on a Linux of at least 6.7 with Landlock, or set "
                        "policy.enforcement: available");
        m_parts.reporter.warning(
            support == SandboxSupport::none
                ? "this kernel has no Landlock: the declared permissions are kept by the SDK's "
                  "services alone"
                : "this kernel's Landlock knows no network: permission to use it is not enforced");
    }

    void simulate() {
        say_what_is_enforced();
        m_parts.reporter.simulation_begins(m_runnable.size());
        ImagePreparation preparation(m_planner->store(), m_prepared.upgrades);
        std::size_t kept_bytes = 0;
        for (std::size_t i = 0; i < m_runnable.size(); ++i) {
            RunnableUpgrade& upgrade = m_runnable[i];
            PreparedImage image = preparation.take(i);
            upgrade.form = image.form;
            upgrade.image = std::move(image.file);
            kept_bytes += image.size;
            const bool keep = kept_bytes <= k_max_image_bytes && i < k_max_images;
            m_parts.reporter.phase_begins(upgrade.version, HostPhase::simulate, i + 1,
                                          m_runnable.size());
            m_ready.nothing_to_do.push_back(false);
            if (requires_what_is_blocked(upgrade)) continue;
            PhaseResult result = phases().simulate(upgrade, i + 1 < m_runnable.size());
            if (!keep) upgrade.image.reset();
            check_interrupted();
            warn_about_strays(upgrade, result);
            const bool good = result.ok() || result.end == PhaseEnd::nothing_to_do;
            const std::string words = words_for(result, result.phase);
            m_parts.reporter.phase_ends(upgrade.version, HostPhase::simulate, words, good);
            m_ready.nothing_to_do.back() = result.end == PhaseEnd::nothing_to_do;
            if (good) continue;
            if (result.end == PhaseEnd::blocked && go_on_without(upgrade.version, words)) continue;
            m_report.due[i].outcome =
                result.end == PhaseEnd::blocked ? Outcome::blocked : Outcome::failed;
            m_report.due[i].message = words;
            throw Error(Failure::preparation,
                        upgrade.version + ": " +
                            (result.end == PhaseEnd::blocked ? "it cannot run here: "
                                                             : "its simulation failed: ") +
                            result.message + "; nothing was changed",
                        !result.remedy.empty()
                            ? result.remedy
                            : "mend the cause, or leave the upgrade out with --skip");
        }
    }

    /// --keep-going, or the user's choice.
    bool go_on_without(const std::string& version, const std::string& words) {
        if (!m_request.keep_going) {
            if (m_request.yes || m_request.dry_run || !m_parts.terminal.interactive()) return false;
            const auto answer =
                m_parts.terminal.ask(version + " is " + words +
                                     ". Go on without it, and without what requires it? [y/N] ");
            check_interrupted();
            if (!means_yes(answer)) return false;
        }
        m_blocked[version] = words;
        return true;
    }

    bool requires_what_is_blocked(const RunnableUpgrade& upgrade) {
        for (const std::string& needed : upgrade.manifest.needed_upgrades) {
            if (m_blocked.count(needed) == 0) continue;
            const std::string words = "blocked: it requires " + needed + ", which is blocked";
            m_parts.reporter.phase_ends(upgrade.version, HostPhase::simulate, words, false);
            m_blocked[upgrade.version] = words;
            return true;
        }
        return false;
    }

    /// The plan without what turned out to be blocked: it stays due, and the cluster version below.
    void leave_out_blocked(const LedgerFacts& facts) {
        if (m_blocked.empty()) return;
        std::vector<RunnableUpgrade> runnable;
        std::vector<bool> nothing_to_do;
        for (std::size_t i = 0; i < m_runnable.size(); ++i) {
            if (m_blocked.count(m_runnable[i].version) != 0) continue;
            runnable.push_back(std::move(m_runnable[i]));
            nothing_to_do.push_back(m_ready.nothing_to_do[i]);
        }
        m_runnable = std::move(runnable);
        m_ready.nothing_to_do = std::move(nothing_to_do);
        m_prepared = m_planner->plan(facts, *m_original, selection(), m_blocked);
        m_planner->load_manifests(m_prepared, facts.cluster);
        report_plan();
        for (const auto& [version, words] : m_blocked) {
            m_report.warnings.push_back(version + " is left out: " + words);
            m_parts.reporter.warning(m_report.warnings.back());
        }
        if (m_runnable.empty())
            throw Error(Failure::preparation,
                        "everything that is due is blocked; nothing was changed",
                        "do what it says above, and run it again");
    }

    void warn_about_strays(const RunnableUpgrade& upgrade, const PhaseResult& result) {
        if (result.strays == 0) return;
        m_parts.reporter.warning(upgrade.version + " left " + std::to_string(result.strays) +
                                 (result.strays == 1 ? " process" : " processes") +
                                 " behind; ended");
    }

    void ask() {
        if (m_request.yes) return;
        std::vector<std::string> facts = risks().sentences();
        facts.insert(facts.begin(), "This will upgrade the cluster '" + m_parts.config.name +
                                        "' to " + m_report.final_version + ".");
        for (const std::string& fact : facts)
            confirm(m_parts.terminal, m_parts.signals, fact + " Do you want to continue?");
    }

    void finish(Outcome outcome, const std::string& version) {
        m_report.outcome = outcome;
        m_report.cluster_version = version;
        m_report.exit_code = 0;
    }

    const EngineParts& m_parts;
    const UpgradeRequest& m_request;
    std::optional<Planner> m_planner;
    RunReport m_report;
    std::unique_ptr<LedgerView> m_view;
    std::optional<RecordedRun> m_run;
    std::optional<SemanticVersion> m_original;
    PreparedRun m_ready;
    PreparedPlan& m_prepared = m_ready.plan;
    std::vector<RunnableUpgrade>& m_runnable = m_ready.upgrades;
    std::optional<PhaseRunner> m_phases;  // after the run: it ends first, with all plugin processes
    std::map<std::string, std::string> m_blocked;  ///< by version: why it is left out
    std::optional<Application> m_application;
    bool m_raising = false;
};

}  // namespace

RunReport run_upgrade(const EngineParts& parts, const UpgradeRequest& request) {
    return UpgradeRun(parts, request).run();
}

PlanReport make_plan_report(const EngineParts& parts, const Selection& selection) {
    LookingPlanner planner(parts.config, parts.source);
    LedgerFacts facts = parts.look_at_ledger()->facts();
    planner.check(facts);
    planner.list();
    RunReport report = planner.report(facts, selection);
    return {std::move(report), std::move(facts)};
}

}  // namespace runner
