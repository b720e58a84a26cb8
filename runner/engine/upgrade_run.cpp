// SPDX-License-Identifier: Apache-2.0
#include "engine/upgrade_run.hpp"

#include <algorithm>

#include "engine/image_preparation.hpp"
#include "engine/phase_runner.hpp"
#include "engine/recorded_run.hpp"
#include "engine/rollback.hpp"
#include "host/sandbox.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_image_bytes = 256U << 20U;  // of images kept from simulation to apply
constexpr std::size_t k_max_images = 4096;

std::string words_for(const PhaseResult& result, HostPhase phase) {
    const char* verb = phase == HostPhase::verify ? "verification" : to_string(phase);
    switch (result.end) {
        case PhaseEnd::ok:
            return "done";
        case PhaseEnd::nothing_to_do:
            return "nothing to do: " + result.message;
        case PhaseEnd::blocked:
            return "blocked: " + result.message +
                   (result.remedy.empty() ? "" : "; " + result.remedy);
        case PhaseEnd::not_loaded:
            return "cannot be loaded: " + result.message;
        case PhaseEnd::aborted:
            return "aborted: " + result.message;
        case PhaseEnd::cancelled:
            return "cancelled: " + result.message;
        default:
            return std::string(verb) + " failed: " + result.message;
    }
}

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
            end_interrupted(interrupted.signal);
        } catch (const Error& error) {
            if (m_parts.signals.count() > 0 && !m_changing &&
                error.failure() == Failure::preparation) {
                end_interrupted(m_parts.signals.first_signal());
            } else {
                end_failed(error);
            }
        }
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
        LedgerFacts facts = m_view->facts();
        check_identity(m_parts.config, facts);
        m_original = original_version(facts);
        m_planner->list();
        check_interrupted();
        m_prepared = m_planner->plan(facts, *m_original, m_request.selection);
        const bool settled = facts.identity &&
                             facts.cluster.cluster_version == m_prepared.plan.final_version &&
                             facts.cluster.original_version && !facts.has_unfinished_run;
        if (m_prepared.plan.due.empty() && (settled || m_request.dry_run)) {
            publish_plan();
            finish(Outcome::nothing_to_do, m_report.cluster_version);
            return;
        }
        if (!m_request.dry_run) {
            facts = begin_recorded_run();
            m_prepared = m_planner->plan(facts, *m_original, m_request.selection);
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
        apply_all();
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

    void check_interrupted() const {
        if (m_parts.signals.count() > 0) throw Interrupted{m_parts.signals.first_signal()};
    }

    void publish_plan() {
        RunReport planned = m_planner->report(m_prepared, m_request.report_other);
        planned.run = m_report.run;
        planned.dry_run = m_report.dry_run;
        m_report = std::move(planned);
        for (const std::string& warning : m_report.warnings) m_parts.reporter.warning(warning);
        m_parts.reporter.planned(m_report);
    }

    /// Lease, what an earlier run left, and the row of this one. Returns the facts as of the lease.
    LedgerFacts begin_recorded_run() {
        m_run.emplace(m_parts.open_ledger(), m_request.wait, m_parts.reporter, m_parts.signals,
                      m_parts.clock);
        check_interrupted();
        if (!m_prepared.plan.due.empty()) phases();  // its host starts while the ledger is written
        LedgerFacts facts = ledger().facts();
        check_identity(m_parts.config, facts);
        m_run->recover(m_parts.config.repository_directory);
        if (!facts.identity)
            ledger().set_identity(
                {m_parts.config.name, m_parts.config.region, m_parts.config.account_id});
        if (!facts.cluster.original_version) ledger().set_original_version(*m_original);
        m_run->begin("upgrade", m_prepared.plan.target.to_string());
        m_report.run = m_run->id();
        return facts;
    }

    [[nodiscard]] Ledger& ledger() const { return m_run->ledger(); }
    /// The one that is written, once there is one.
    [[nodiscard]] LedgerView& view() const { return m_run ? ledger() : *m_view; }

    void move_to(RunState next) {
        if (m_run) m_run->move_to(next);
    }

    void raise_without_upgrades() {
        m_changing = true;
        ledger().raise_cluster_version(m_prepared.plan.final_version, m_report.run);
        m_run->finish(RunState::succeeded, Outcome::nothing_to_do, "");
        finish(Outcome::nothing_to_do, m_prepared.plan.final_version.to_string());
    }

    /// Fetch, verify, parameters, simulate: everything that can fail without anything having
    /// changed.
    void prepare(const LedgerFacts& facts) {
        move_to(RunState::fetching);
        m_planner->load_manifests(m_prepared, facts.cluster);
        check_pins();
        publish_plan();
        check_confirmations();
        resolve();
        m_planner->store().fetch(m_prepared.upgrades,
                                 [this](std::uint64_t done, std::uint64_t total) {
                                     m_parts.reporter.fetching(done, total);
                                 });
        check_interrupted();
        move_to(RunState::simulating);
        simulate();
        move_to(RunState::awaiting_confirmation);
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

    /// The due upgrades that cause downtime, named; empty when none does.
    [[nodiscard]] std::string downtime() const {
        std::vector<std::string> versions;
        for (const KnownUpgrade& upgrade : m_prepared.upgrades) {
            if (upgrade.manifest.downtime) versions.push_back(upgrade.manifest.version.to_string());
        }
        return join(versions, ", ");
    }
    [[nodiscard]] bool major_step() const {
        return m_prepared.plan.final_version.major != m_prepared.plan.cluster_version.major;
    }

    /// --yes alone does not cover what people want to be asked about by itself.
    void check_confirmations() const {
        if (!m_request.yes || m_request.dry_run) return;
        std::string missing;
        std::string option;
        if (!downtime().empty() && !m_request.confirm_downtime) {
            missing = "downtime is caused by " + downtime();
            option = "--confirm-downtime";
        }
        if (major_step() && !m_request.confirm_major) {
            missing += (missing.empty() ? "" : "; ") + std::string("this is a step from ") +
                       m_prepared.plan.cluster_version.to_string() + " to another major version, " +
                       m_prepared.plan.final_version.to_string();
            option += (option.empty() ? "" : " and ") + std::string("--confirm-major");
        }
        if (missing.empty()) return;
        throw Error(Failure::preparation,
                    missing +
                        "; --yes does not cover that; nothing was "
                        "changed",
                    "add " + option + " when that is meant");
    }

    void resolve() {
        std::vector<const Manifest*> manifests;
        for (const KnownUpgrade& upgrade : m_prepared.upgrades)
            manifests.push_back(&upgrade.manifest);
        std::vector<ParameterValues> values = resolve_parameters(
            manifests, m_request.parameters, m_parts.config.parameters, &m_parts.terminal);
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

    /// The image, verified again when it was not kept.
    void have_image(std::size_t i) {
        if (!m_runnable[i].image)
            m_runnable[i].image = seal(m_planner->store().image(m_prepared.upgrades[i]));
    }

    void say_what_is_enforced() {
        const SandboxSupport support = sandbox_support();
        if (support == SandboxSupport::files_and_network) return;
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
            PhaseResult result = phases().simulate(upgrade, i + 1 < m_runnable.size());
            if (!keep) upgrade.image.reset();
            check_interrupted();
            warn_about_strays(upgrade, result);
            const bool good = result.ok() || result.end == PhaseEnd::nothing_to_do;
            const std::string words = words_for(result, result.phase);
            m_parts.reporter.phase_ends(upgrade.version, HostPhase::simulate, words, good);
            m_nothing_to_do.push_back(result.end == PhaseEnd::nothing_to_do);
            if (good) continue;
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

    void warn_about_strays(const RunnableUpgrade& upgrade, const PhaseResult& result) {
        if (result.strays == 0) return;
        m_parts.reporter.warning(upgrade.version + " left " + std::to_string(result.strays) +
                                 (result.strays == 1 ? " process" : " processes") +
                                 " behind; ended");
    }

    void ask() {
        if (m_request.yes) return;
        ask_one("This will upgrade the cluster '" + m_parts.config.name + "' to " +
                m_report.final_version + ".");
        if (!downtime().empty() && !m_request.confirm_downtime)
            ask_one("Downtime is caused by " + downtime() + ".");
        if (major_step() && !m_request.confirm_major) {
            ask_one("This is a step from " + m_prepared.plan.cluster_version.to_string() +
                    " to another major version, " + m_report.final_version + ".");
        }
    }

    void ask_one(const std::string& fact) {
        const auto answer = m_parts.terminal.ask(fact + " Do you want to continue? [y/N] ");
        check_interrupted();
        if (means_yes(answer)) return;
        throw Error(Failure::declined, "declined; nothing was changed");
    }

    void apply_all() {
        m_phases_apply_begun = true;
        move_to(RunState::applying);
        m_parts.reporter.applying_begins(m_runnable.size());
        std::optional<AttemptEnd> finished;
        for (std::size_t i = 0; i < m_runnable.size(); ++i) {
            if (m_parts.signals.count() > 0) {
                ledger().advance(m_report.run, finished, std::nullopt);
                stop_between_upgrades(i);
                return;
            }
            if (m_run->state() == RunState::verifying) move_to(RunState::applying);
            // One commit closes the last upgrade and opens this one; only then does it begin.
            ledger().advance(m_report.run, finished, attempt_start(i));
            if (finished) note_version(*finished);
            m_changing = true;
            m_current = i;
            finished = apply_one(i);
            const bool cancelled = finished->outcome == Outcome::cancelled;
            if (!finished->done) roll_back(i, *finished);
            m_current.reset();
            m_report.due[i].outcome = finished->outcome;
            m_report.due[i].message = finished->message;
            if (!finished->done) {
                ledger().advance(m_report.run, finished, std::nullopt);
                stop_after_failure(i, *finished, cancelled);
                return;
            }
        }
        finished->cluster_version = m_prepared.plan.final_version;
        ledger().advance(m_report.run, finished, std::nullopt);
        m_run->finish(RunState::succeeded, Outcome::succeeded, "");
        finish(Outcome::succeeded, m_prepared.plan.final_version.to_string());
    }

    void note_version(const AttemptEnd& end) {
        if (end.cluster_version) m_report.cluster_version = end.cluster_version->to_string();
    }

    [[nodiscard]] std::filesystem::path log_of(std::size_t i) const {
        return std::filesystem::path("logs") / m_report.run / (m_runnable[i].version + ".log");
    }

    AttemptStart attempt_start(std::size_t i) {
        const KnownUpgrade& known = m_prepared.upgrades[i];
        AttemptStart start;
        start.version = m_runnable[i].version;
        start.tag = known.release->tag;
        start.platform = Platform::current().to_string();
        start.digest = known.archive_digest;
        start.signer = known.signer ? known.signer->key : "";
        start.late = m_prepared.plan.due[i].late;
        start.log = log_of(i).string();
        return start;
    }

    AttemptEnd apply_one(std::size_t i) {
        RunnableUpgrade& upgrade = m_runnable[i];
        AttemptEnd end;
        end.version = upgrade.version;
        const auto succeed = [&](Outcome outcome) {
            end.outcome = outcome;
            end.done = true;
            end.cluster_version = version_after(*m_prepared.releases, m_prepared.plan, i + 1);
            return end;
        };
        m_parts.reporter.phase_begins(upgrade.version, HostPhase::apply, i + 1, m_runnable.size());
        if (m_nothing_to_do[i]) {
            m_parts.reporter.phase_ends(upgrade.version, HostPhase::apply, "nothing to do", true);
            return succeed(Outcome::nothing_to_do);
        }
        have_image(i);
        const std::filesystem::path log = m_parts.config.state.parent_path() / log_of(i);
        const bool another = i + 1 < m_runnable.size();
        const auto begun = m_parts.clock.steady();
        PhaseResult result = phases().apply(upgrade, ledger(), m_report.run, log, another);
        end.apply_time = m_parts.clock.steady() - begun;
        warn_about_strays(upgrade, result);
        end.values = std::move(result.values);
        if (result.ok() && result.has("verify")) {
            move_to(RunState::verifying);
            const auto verify_begun = m_parts.clock.steady();
            PhaseResult verified = phases().verify(upgrade, &ledger(), m_report.run, log, another);
            end.verify_time = m_parts.clock.steady() - verify_begun;
            warn_about_strays(upgrade, verified);
            result = std::move(verified);
            result.phase = HostPhase::verify;
        } else {
            result.phase = HostPhase::apply;
        }
        upgrade.image.reset();
        const std::string words = words_for(result, result.phase);
        m_parts.reporter.phase_ends(upgrade.version, result.phase, words, result.ok());
        if (result.ok()) return succeed(Outcome::succeeded);
        end.values.clear();
        end.message = words;
        end.outcome = result.end == PhaseEnd::cancelled ? Outcome::cancelled
                      : result.end == PhaseEnd::aborted ? Outcome::aborted
                                                        : Outcome::failed;
        return end;
    }

    /// Undoes what failed, where that leaves nothing of it; else its finished steps stay.
    void roll_back(std::size_t i, AttemptEnd& end) {
        constexpr int k_kill_signals = 3;
        RunnableUpgrade& upgrade = m_runnable[i];
        if (!m_request.roll_back || m_parts.signals.count() >= k_kill_signals ||
            !why_not_undoable(upgrade).empty())
            return;
        move_to(RunState::rolling_back);
        m_parts.reporter.phase_begins(upgrade.version, HostPhase::rollback, i + 1,
                                      m_runnable.size());
        have_image(i);
        const UndoResult undone =
            undo_upgrade(phases(), upgrade, ledger(), m_parts.config.repository_directory,
                         {m_report.run, m_parts.config.state.parent_path() / log_of(i), false});
        m_parts.reporter.phase_ends(upgrade.version, HostPhase::rollback, undone.message,
                                    undone.good);
        end.undone = undone.good;
        end.outcome = undone.good ? Outcome::rolled_back : Outcome::rollback_failed;
        end.message += undone.good ? "; it was rolled back (" + undone.message + ")"
                                   : "; it could not be rolled back: " + undone.message;
    }

    void stop_between_upgrades(std::size_t next) {
        const std::size_t left = m_runnable.size() - next;
        const std::string message = "stopped by a signal after " + counted(next, "upgrade") + "; " +
                                    counted(left, "upgrade") + " left, none of them begun";
        m_report.error =
            RunError{"interrupted", message, "run it again to go on", next > 0 ? "perhaps" : "no"};
        m_run->finish(RunState::cancelled, Outcome::cancelled, message);
        refresh_version();
        m_report.outcome = Outcome::interrupted;
        m_report.exit_code = 128 + m_parts.signals.first_signal();
    }

    void stop_after_failure(std::size_t i, const AttemptEnd& end, bool cancelled) {
        const bool undone = end.outcome == Outcome::rolled_back;
        const std::size_t left = m_runnable.size() - i - 1;
        std::string message = end.version + ": " + end.message + "; " + counted(i, "upgrade") +
                              " before it done, " + counted(left, "upgrade") +
                              " after it not begun";
        std::vector<std::string> steps = ledger().finished_steps(end.version);
        if (!steps.empty()) message += "; its finished steps stay: " + join(steps, ", ");
        const Failure failure = undone ? Failure::rolled_back : Failure::apply_failed;
        const std::string go_on =
            undone ? "mend the cause and run it again; "
            : end.outcome == Outcome::rollback_failed
                ? "mend the cause and run it again, or put right by hand what it names; "
                : "mend the cause and run it again: it goes on after the last finished step; ";
        m_report.error = RunError{cancelled ? "interrupted" : to_string(failure), message,
                                  go_on + "'runner logs " + end.version + "' shows its output",
                                  undone ? "undone" : "perhaps"};
        const RunState state = undone                                    ? RunState::rolled_back
                               : end.outcome == Outcome::rollback_failed ? RunState::rollback_failed
                               : cancelled                               ? RunState::cancelled
                                                                         : RunState::failed;
        const Outcome outcome = state == RunState::failed ? Outcome::failed : end.outcome;
        m_run->finish(state, outcome, message);
        refresh_version();
        m_report.outcome = outcome;
        m_report.exit_code = cancelled ? 128 + m_parts.signals.first_signal() : exit_code(failure);
    }

    void refresh_version() {
        const auto version = ledger().facts().cluster.cluster_version;
        if (version) m_report.cluster_version = version->to_string();
    }

    void finish(Outcome outcome, const std::string& version) {
        m_report.outcome = outcome;
        m_report.cluster_version = version;
        m_report.exit_code = 0;
    }

    void end_interrupted(int signal) {
        if (m_run) m_run->abandon(RunState::cancelled, Outcome::interrupted, "interrupted");
        m_report.outcome = Outcome::interrupted;
        m_report.error = RunError{"interrupted", "interrupted; nothing was changed",
                                  "run it again to go on", "no"};
        m_report.exit_code = 128 + signal;
    }

    void end_failed(const Error& error) {
        const Failure failure = m_changing && error.failure() == Failure::preparation
                                    ? Failure::apply_failed
                                    : error.failure();
        if (m_current && m_run) {
            try {  // best effort: the ledger itself may be what failed
                AttemptEnd end;
                end.version = m_runnable[*m_current].version;
                end.message = error.what();
                ledger().advance(m_report.run, end, std::nullopt);
                m_report.due[*m_current].outcome = Outcome::failed;
                m_report.due[*m_current].message = error.what();
            } catch (const Error&) {
            }
        }
        const bool declined = failure == Failure::declined;
        if (m_run)
            m_run->abandon(declined               ? RunState::aborted
                           : m_phases_apply_begun ? RunState::failed
                                                  : RunState::failed_pre,
                           declined ? Outcome::aborted : Outcome::failed, error.what());
        m_report.outcome = declined ? Outcome::aborted : Outcome::failed;
        m_report.error =
            RunError{to_string(failure), error.what(), error.next(), m_changing ? "perhaps" : "no"};
        m_report.exit_code = exit_code(failure);
    }

    const EngineParts& m_parts;
    const UpgradeRequest& m_request;
    std::optional<Planner> m_planner;
    RunReport m_report;
    std::unique_ptr<LedgerView> m_view;
    std::optional<RecordedRun> m_run;
    std::optional<SemanticVersion> m_original;
    PreparedPlan m_prepared;
    std::vector<RunnableUpgrade> m_runnable;
    std::vector<bool> m_nothing_to_do;
    std::optional<PhaseRunner> m_phases;  // after the run: it ends first, with all plugin processes
    std::optional<std::size_t> m_current;
    bool m_changing = false;
    bool m_phases_apply_begun = false;
};

}  // namespace

RunReport run_upgrade(const EngineParts& parts, const UpgradeRequest& request) {
    return UpgradeRun(parts, request).run();
}

namespace {

/// Looking works without keys, and says what that means.
TrustPolicy policy_for_looking(const ClusterConfig& config, std::string& warning) {
    try {
        return TrustPolicy::of(config);
    } catch (const Error& error) {
        warning = std::string(error.what()) + "; 'upgrade' refuses to run like this";
        return {};
    }
}

}  // namespace

RunReport make_plan_report(const EngineParts& parts, const Selection& selection) {
    const std::unique_ptr<LedgerView> ledger = parts.look_at_ledger();
    const LedgerFacts facts = ledger->facts();
    check_identity(parts.config, facts);
    const auto original = known_original_version(parts.config, facts);
    if (!original) {
        throw Error(Failure::preparation,
                    "the original version of the cluster '" + parts.config.name + "' is not known",
                    "write originalVersion into " + parts.config.file.string());
    }
    std::string warning;
    Planner planner(parts.config, parts.source, policy_for_looking(parts.config, warning));
    planner.list();
    PreparedPlan prepared = planner.plan(facts, *original, selection);
    if (!prepared.plan.due.empty()) planner.load_manifests(prepared, facts.cluster);
    RunReport report = planner.report(prepared, true);
    if (!warning.empty()) report.warnings.push_back(warning);
    return report;
}

}  // namespace runner
