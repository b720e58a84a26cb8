// SPDX-License-Identifier: Apache-2.0
#include "engine/pipeline.hpp"

#include "engine/attempt.hpp"
#include "engine/confirmations.hpp"
#include "engine/ending.hpp"
#include "engine/image_preparation.hpp"
#include "engine/recovery.hpp"
#include "engine/standing.hpp"
#include "ledger/beside.hpp"
#include "model/error.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_image_bytes = 256U << 20U;  // of images kept from rehearsal to work
constexpr std::size_t k_max_images = 4096;

class Pipeline {
 public:
    Pipeline(Run& run, Kind& kind) : m_run(run), m_kind(kind), m_parts(run.parts) {}

    void carry_out() {
        keep_given_secrets();
        look();
        choose();
        const bool something = !m_run.upgrades.empty() ||
                               (!m_run.options.dry_run && m_kind.goes_on_without_upgrades(m_run));
        if (!something) {
            publish();
            m_kind.end_with_nothing_to_do(m_run);
            return;
        }
        if (is_recorded()) {
            take_lease();
            choose();  // somebody else may have been here meanwhile
        }
        if (m_run.upgrades.empty()) {
            publish();
            ask_without_upgrades();
            m_kind.end_with_nothing_to_do(m_run);
            return;
        }
        admit();
        prepare();
        if (m_kind.changes_something()) rehearse();
        if (m_run.options.dry_run) {
            m_run.report.outcome = Outcome::succeeded;
            return;
        }
        ask();
        work();
    }

 private:
    [[nodiscard]] bool is_recorded() const {
        return m_kind.changes_something() && !m_run.options.dry_run;
    }

    /// Before anything is told: an error may speak of them, too.
    void keep_given_secrets() {
        for (const auto& [name, secret] : m_run.options.parameters.secrets)
            m_parts.redactor.add("--secret " + name, secret.reveal());
    }

    void look() {
        m_kind.check_request(m_run);
        m_run.supply.emplace(m_parts.config, m_parts.source, &m_parts.folder, m_kind.trust(m_run));
        m_run.view = m_parts.ledgers.look();
        check_run_id(*m_run.view, m_run.options.run_id);
        take_facts(facts_as_of_now(*m_run.view, m_parts.clock));
        pass_gates(m_run.gate_input(), GateMoment::look);
        m_run.check_interrupted();
    }

    void choose() {
        m_kind.choose(m_run);
        pass_gates(m_run.gate_input(), GateMoment::choose);
    }

    /// What is known of the cluster from here on. An original version that was asked for, because
    /// neither ledger nor config has one, stays.
    void take_facts(LedgerFacts facts) {
        m_run.facts = std::move(facts);
        if (const auto known = known_original_version(m_parts.config, m_run.facts))
            m_run.original = known;
    }

    /// Lease, what an earlier run left, and the row of this one.
    void take_lease() {
        m_run.recorded.emplace(m_parts.ledgers.open(), m_run.options.wait, m_parts.reporter,
                               m_parts.signals, m_parts.clock, m_run.options.run_id);
        m_run.check_interrupted();
        // Its host starts while the ledger is written.
        if (!m_run.upgrades.empty()) m_run.phase_runner();
        Ledger& ledger = m_run.ledger();
        take_facts(ledger.facts());
        // Before anything is written; the others are asked when what an earlier run left is
        // settled.
        pass_gate(m_run.gate_input(), gate_named("identity"));
        if (m_run.facts.identity)
            m_run.report.ledger_copy = m_parts.folder.copy_ledger(ledger, m_run.recorded->id());
        const bool unfinished = m_run.facts.unfinished();
        m_run.recorded->recover(m_parts.work_tree);
        if (unfinished) take_facts(ledger.facts());
        pass_gates(m_run.gate_input(), GateMoment::look);
        start_if_new(ledger, m_run.facts, m_parts.config, m_run.original);
        m_run.recorded->begin(m_kind.command(m_run), m_run.report.target, m_run.options.reason);
        m_run.report.run = m_run.recorded->id();
    }

    void publish() {
        if (!m_kind.changes_something()) return;
        m_kind.describe(m_run);
        add_signature_warnings(m_run.report, m_run.upgrades);
        for (const std::string& warning : m_run.report.warnings) m_parts.reporter.warning(warning);
        m_parts.reporter.planned(m_run.report);
    }

    /// Who may go on: manifests read, gates passed.
    void admit() {
        m_run.move_to(RunState::fetching);
        build_what_is_not_built();
        m_kind.load(m_run);
        for (UpgradeInRun& upgrade : m_run.upgrades) {
            if (upgrade.supplier == Supplier::source && upgrade.known.release != nullptr)
                upgrade.notes = m_parts.source.notes(*upgrade.known.release);
        }
        mark_news(m_run.upgrades, m_run.facts.declared);
        m_kind.pass_admission(m_run);
        publish();
        pass_gates(m_run.gate_input(), GateMoment::ask);
    }

    /// Of a source that builds; each with a log of its own.
    void build_what_is_not_built() {
        std::vector<const Release*> unbuilt;
        for (const UpgradeInRun& upgrade : m_run.upgrades) {
            if (upgrade.supplier == Supplier::source && upgrade.known.release != nullptr &&
                !m_parts.source.is_built(*upgrade.known.release))
                unbuilt.push_back(upgrade.known.release);
        }
        if (unbuilt.empty()) return;
        m_run.move_to(RunState::building);
        for (std::size_t i = 0; i < unbuilt.size(); ++i) build(*unbuilt[i], i, unbuilt.size());
    }

    void build(const Release& release, std::size_t i, std::size_t count) {
        const std::string version = release.version.value().to_string();
        m_parts.reporter.notice("building " + version + " from its tag (" + std::to_string(i + 1) +
                                " of " + std::to_string(count) + ")");
        const auto log =
            m_run.report.run.empty()
                ? std::filesystem::path()
                : m_parts.folder.place_of(build_log_name(m_run.report.run, version).string());
        try {
            m_parts.source.build(release, log);
        } catch (const Error& error) {
            m_run.check_interrupted();
            throw error.followed_by(
                "nothing was changed",
                error.next().empty() && !log.empty()
                    ? "'runner logs " + version + " --build' shows what its build said"
                    : error.next());
        }
        m_run.check_interrupted();
    }

    /// Values and archives: everything that can fail without anything having changed.
    void prepare() {
        m_kind.resolve_parameters(m_run);
        for (const UpgradeInRun& upgrade : m_run.upgrades)
            m_run.phase_runner().keep_secrets_of(upgrade);
        m_kind.fetch(m_run);
        m_run.check_interrupted();
    }

    void rehearse() {
        m_run.move_to(RunState::simulating);
        warn_of_what_is_not_enforced();
        m_parts.reporter.simulation_begins(m_run.upgrades.size());
        {
            std::vector<const UpgradeInRun*> wanted;
            for (const UpgradeInRun& upgrade : m_run.upgrades) {
                if (m_kind.wants_image(upgrade)) wanted.push_back(&upgrade);
            }
            ImagePreparation preparation(*m_run.supply, std::move(wanted));
            std::size_t kept_bytes = 0;
            std::size_t kept = 0;
            for (UpgradeInRun& upgrade : m_run.upgrades) {
                bool keep = true;
                if (m_kind.wants_image(upgrade)) {
                    PreparedImage image = preparation.take();
                    upgrade.form = image.form;
                    upgrade.image = std::move(image.file);
                    kept_bytes += image.size;
                    keep = kept_bytes <= k_max_image_bytes && kept++ < k_max_images;
                }
                m_kind.rehearse(m_run, upgrade);
                if (!keep) upgrade.image.reset();
            }
        }
        m_kind.settle_rehearsal(m_run);
        m_run.move_to(RunState::awaiting_confirmation);
    }

    void warn_of_what_is_not_enforced() {
        if (!gate_named("enforcement").stands_for(m_run.kind)) return;
        if (m_parts.config.policy.enforcement == Enforcement::disabled) {
            m_parts.reporter.warning(
                "the config's policy has the kernel enforce nothing of what upgrades declare");
            return;
        }
        const SandboxSupport support = m_parts.processes.sandbox_support();
        if (support == SandboxSupport::files_and_network) return;
        m_parts.reporter.warning(
            support == SandboxSupport::none
                ? "this kernel has no Landlock: the declared permissions are kept by the SDK's "
                  "services alone"
                : "this kernel's Landlock knows no network: permission to use it is not enforced");
    }

    void ask() {
        if (!m_run.options.yes && m_kind.has_user()) {
            std::vector<std::string> facts = unconfirmed_risks(m_run.gate_input());
            facts.insert(facts.begin(), m_kind.question(m_run));
            for (const std::string& fact : facts)
                confirm(m_parts.terminal, m_parts.signals, fact + " Do you want to continue?");
        }
        if (is_recorded() && m_kind.has_user() && !m_run.upgrades.empty()) {
            m_run.hooks_begun = true;
            m_run.hooks().before(m_run.report);
        }
        m_run.check_interrupted();
    }

    /// What is to be recorded although no upgrade runs may be more than a matter of form.
    void ask_without_upgrades() {
        if (!m_kind.asks_without_upgrades(m_run)) return;
        for (const RunState state :
             {RunState::fetching, RunState::simulating, RunState::awaiting_confirmation})
            m_run.move_to(state);
        pass_gates(m_run.gate_input(), GateMoment::ask);
        ask();
        m_run.move_to(RunState::applying);
    }

    void work() {
        m_kind.before_work(m_run);
        if (m_kind.changes_something()) m_parts.reporter.applying_begins(m_run.upgrades.size());
        std::size_t next = 0;
        while (next < m_run.upgrades.size()) {
            UpgradeInRun& upgrade = m_run.upgrades[next];
            if (m_parts.signals.count() > 0) {
                if (!is_recorded()) m_run.check_interrupted();
                settle(m_run);
                end_between_upgrades(m_run, m_kind, next);
                return;
            }
            look_again(upgrade);
            if (upgrade.verdict == Verdict::left_out) {
                settle(m_run);
                m_kind.go_on_without(m_run);
                continue;
            }
            ++next;
            begin(upgrade);
            const Worked worked = m_kind.work(m_run, upgrade);
            upgrade.outcome = worked.end.outcome;
            upgrade.message = worked.end.message;
            if (is_recorded()) m_run.finished = worked.end;
            if (worked.good) continue;
            settle(m_run);
            m_kind.end_after_failure(m_run, upgrade, worked.end);
            return;
        }
        settle(m_run);
        m_kind.end(m_run);
    }

    /// The world may have changed since it was shown what an upgrade does.
    void look_again(UpgradeInRun& upgrade) {
        try {
            const SecondLook look = m_kind.second_look(m_run, upgrade);
            // What is asked takes long enough for the upgrade before it to be recorded first.
            if (look != SecondLook::none) settle(m_run);
            m_kind.look_again(m_run, upgrade, look);
            if (upgrade.verdict == Verdict::left_out) return;
            if (const auto refusal = refusal_of(m_run.gate_input(), GateMoment::work, upgrade)) {
                upgrade.outcome = Outcome::failed;
                upgrade.message = refusal->what;
                throw_refusal(*refusal, "it was not begun");
            }
            if (is_recorded()) m_kind.keep_for_later(m_run, upgrade);
        } catch (...) {
            settle(m_run);
            throw;
        }
    }

    /// One commit closes the last upgrade and opens this one; only then does it begin.
    void begin(UpgradeInRun& upgrade) {
        if (!is_recorded()) return;
        if (m_run.recorded->state() != m_kind.working()) m_run.move_to(m_kind.working());
        open_attempt(m_run, upgrade, m_kind.undoes());
    }

    Run& m_run;
    Kind& m_kind;
    const EngineParts& m_parts;
};

}  // namespace

void carry_out(Run& run, Kind& kind) {
    Pipeline(run, kind).carry_out();
}

namespace {

/// Whatever became of the run: what is kept is kept for the newest alone.
void tidy_up(Run& run) {
    if (!run.recorded || !run.changing) return;
    try {
        remove_what_is_too_old(run.ledger(), run.parts.folder);
    } catch (const Error& error) {
        run.parts.reporter.warning(std::string("what is too old was not removed: ") + error.what());
    }
}

}  // namespace

RunReport run_pipeline(Run& run, Kind& kind) {
    try {
        carry_out(run, kind);
    } catch (const Interrupted& interrupted) {
        end_interrupted(run, interrupted.signal);
    } catch (const Error& error) {
        end_failed(run, kind, error);
    }
    run.refresh_report();
    tidy_up(run);
    if (run.hooks_begun) run.hooks().after(run.report);
    run.phases.reset();  // no plugin process is left when the lease goes
    run.recorded.reset();
    run.parts.reporter.finished(run.report);
    return std::move(run.report);
}

}  // namespace runner
