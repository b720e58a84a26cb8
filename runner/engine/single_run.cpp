// SPDX-License-Identifier: Apache-2.0
#include "engine/single_run.hpp"

#include <algorithm>

#include "engine/confirmations.hpp"
#include "engine/early_end.hpp"
#include "engine/phase_runner.hpp"
#include "engine/recorded_run.hpp"
#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_plugin = 256U << 20U;

class NobodyThere final : public Terminal {
 public:
    [[nodiscard]] bool interactive() const override { return false; }
    std::optional<std::string> ask(const std::string&) override { return std::nullopt; }
};

bool is_file(const std::string& name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(name, ignored);
}

/// `<prefix>_<version>` of an executable upgrade's file name.
Manifest manifest_from_name(const std::filesystem::path& file) {
    const std::string name = file.filename().string();
    const std::size_t underscore = name.find('_');
    return Manifest::undeclared(UpgradeVersion::parse(
        underscore == std::string::npos ? name : name.substr(underscore + 1)));
}

class SingleRun {
 public:
    SingleRun(const EngineParts& parts, const SingleRunRequest& request)
        : m_parts(parts), m_request(request) {}

    RunReport run() {
        m_report.cluster = m_parts.config.name;
        m_report.dry_run = m_request.dry_run;
        try {
            work();
        } catch (const Interrupted& interrupted) {
            end_interrupted(m_report, m_run, interrupted.signal);
        } catch (const Error& error) {
            end_failed(m_report, m_run, error, m_parts.signals, m_changing,
                       m_changing ? RunState::failed : RunState::failed_pre, Outcome::failed);
        }
        m_phases.reset();
        m_run.reset();
        m_parts.reporter.finished(m_report);
        return std::move(m_report);
    }

 private:
    void work() {
        m_view = m_parts.look_at_ledger();
        check_identity(m_parts.config, m_view->facts());
        load();
        const std::string version = m_upgrade.version;
        if (!m_request.dry_run) begin();
        make_phases();
        PlannedUpgrade shown;
        shown.version = version;
        shown.tag = m_tag;
        shown.digest = m_digest ? m_digest->to_string() : "";
        shown.manifest = m_upgrade.manifest;
        m_report.due.push_back(shown);
        simulate();
        if (m_request.dry_run) {
            m_report.outcome = Outcome::succeeded;
            return;
        }
        if (!m_request.confirm) {
            if (!m_parts.terminal.interactive()) {
                throw Error(Failure::usage,
                            "there is no terminal to ask on, and --confirm was not given; nothing "
                            "was changed",
                            "add --confirm to go ahead without a question");
            }
            confirm(m_parts.terminal, m_parts.signals,
                    "Run " + version + " on the cluster '" + m_parts.config.name + "'?");
        }
        apply();
    }

    void load() {
        UpgradeImage image;
        if (is_file(m_request.upgrade)) {
            image = image_from_file(m_request.upgrade);
            m_upgrade.manifest =
                image.form == UpgradeForm::plugin
                    ? describe_plugin(m_request.upgrade, m_parts.signals, m_parts.clock)
                    : manifest_from_name(m_request.upgrade);
            m_upgrade.check_description = false;
        } else {
            TrustPolicy trust = TrustPolicy::of(m_parts.config);
            const UpgradeVersion wanted = UpgradeVersion::parse(m_request.upgrade);
            m_releases = m_parts.source.list();
            const auto found =
                std::find_if(m_releases.begin(), m_releases.end(),
                             [&](const Release& release) { return release.version == wanted; });
            if (found == m_releases.end()) {
                throw Error(Failure::preparation,
                            "there is no file and no release " + m_request.upgrade,
                            "'runner releases list' shows the releases");
            }
            m_parts.source.complete({&*found});
            if (!found->problem.empty())
                throw Error(Failure::preparation,
                            "release '" + found->tag + "' is malformed: " + found->problem);
            UpgradeStore store(m_parts.source, m_parts.config.releases.prefix, Platform::current(),
                               std::move(trust));
            const std::vector<KnownUpgrade> known = store.manifests({&*found});
            store.fetch(known, {});
            image = store.image(known.front());
            m_upgrade.manifest = known.front().manifest;
            m_upgrade.manifest_json = m_upgrade.manifest.to_json();
            m_digest = known.front().archive_digest;
            m_tag = found->tag;
            if (known.front().signer) m_signer = known.front().signer->key;
            if (!known.front().signature_problem.empty())
                m_parts.reporter.warning(known.front().signature_problem);
        }
        m_upgrade.version = m_upgrade.manifest.version.to_string();
        m_upgrade.form = image.form;
        m_upgrade.image = seal(image);
        m_upgrade.parameters =
            resolve_parameters({&m_upgrade.manifest}, m_request.parameters,
                               {m_parts.config.parameters, m_view->facts().parameter_values},
                               &m_parts.terminal)
                .front();
    }

    void begin() {
        m_run.emplace(m_parts.open_ledger(), std::chrono::milliseconds(0), m_parts.reporter,
                      m_parts.signals, m_parts.clock);
        const LedgerFacts facts = m_run->ledger().facts();
        check_identity(m_parts.config, facts);
        m_run->recover(m_parts.config.repository_directory);
        if (!facts.identity)
            m_run->ledger().set_identity(
                {m_parts.config.name, m_parts.config.region, m_parts.config.account_id});
        m_run->begin("run " + m_upgrade.version, "");
        m_report.run = m_run->id();
        m_run->move_to(RunState::fetching);
        m_run->move_to(RunState::simulating);
    }

    void make_phases() {
        PhaseRunnerOptions options;
        options.debug = m_request.debug;
        options.yes = m_request.confirm;
        options.lease = m_run ? m_run->ledger().lease_descriptor() : -1;
        LedgerView& ledger = m_run ? static_cast<LedgerView&>(m_run->ledger()) : *m_view;
        m_phases.emplace(m_parts.config, options, ledger, m_parts.reporter, m_parts.terminal,
                         m_parts.signals, m_parts.clock);
        m_phases->keep_secrets_of(m_upgrade);
    }

    void simulate() {
        m_parts.reporter.simulation_begins(1);
        m_parts.reporter.phase_begins(m_upgrade.version, HostPhase::simulate, 1, 1);
        const PhaseResult result = m_phases->simulate(m_upgrade, !m_request.dry_run);
        const bool good = result.ok() || result.end == PhaseEnd::nothing_to_do;
        m_parts.reporter.phase_ends(m_upgrade.version, HostPhase::simulate,
                                    result.message.empty() ? "done" : result.message, good);
        m_nothing = result.end == PhaseEnd::nothing_to_do;
        if (!good) {
            throw Error(Failure::preparation,
                        m_upgrade.version + ": its simulation failed: " + result.message +
                            "; nothing was changed",
                        result.remedy);
        }
    }

    void apply() {
        m_run->move_to(RunState::awaiting_confirmation);
        m_run->move_to(RunState::applying);
        m_parts.reporter.applying_begins(1);
        const std::filesystem::path log = log_name(m_report.run, m_upgrade.version);
        m_run->ledger().advance(
            m_report.run, std::nullopt,
            AttemptStart{m_upgrade.version, m_tag, Platform::current().to_string(), m_digest,
                         m_signer, false, log.string()});
        m_changing = true;
        m_parts.reporter.phase_begins(m_upgrade.version, HostPhase::apply, 1, 1);
        PhaseResult result;
        result.end = PhaseEnd::ok;
        const std::filesystem::path file = m_parts.config.state.parent_path() / log;
        if (!m_nothing) {
            result = m_phases->apply(m_upgrade, m_run->ledger(), m_report.run, file, true);
            if (result.ok() && result.has("verify")) {
                HostValues values = std::move(result.values);
                result = m_phases->verify(m_upgrade, &m_run->ledger(), m_report.run, file, false);
                result.values = std::move(values);
            }
        }
        m_parts.reporter.phase_ends(m_upgrade.version, HostPhase::apply,
                                    result.ok() ? "done" : result.message, result.ok());
        AttemptEnd end;
        end.version = m_upgrade.version;
        end.outcome = result.ok() ? (m_nothing ? Outcome::nothing_to_do : Outcome::succeeded)
                                  : Outcome::failed;
        end.message = result.ok() ? "" : result.message;
        end.done = result.ok() && m_request.record;
        if (result.ok()) end.values = result.values;
        end.declarations = declarations_of(m_upgrade.manifest);
        end.parameters = values_to_keep(m_upgrade.manifest, m_upgrade.parameters);
        m_run->ledger().advance(m_report.run, end, std::nullopt);
        m_report.due.front().outcome = end.outcome;
        m_report.due.front().message = end.message;
        if (!result.ok()) {
            throw Error(Failure::apply_failed, m_upgrade.version + " failed: " + result.message,
                        "mend the cause and run it again: it goes on after the last finished step");
        }
        m_run->finish(RunState::succeeded, Outcome::succeeded, "");
        m_report.outcome = end.outcome;
    }

    const EngineParts& m_parts;
    const SingleRunRequest& m_request;
    RunReport m_report;
    RunnableUpgrade m_upgrade;
    std::vector<Release> m_releases;
    std::optional<Digest> m_digest;
    std::string m_tag;
    std::string m_signer;
    std::unique_ptr<LedgerView> m_view;
    std::optional<RecordedRun> m_run;
    std::optional<PhaseRunner> m_phases;
    bool m_changing = false;
    bool m_nothing = false;
};

}  // namespace

UpgradeImage image_from_file(const std::filesystem::path& file) {
    UpgradeImage image;
    image.name = file.filename().string();
    image.content = read_file(file, k_max_plugin);
    const std::string extension = file.extension().string();
    image.form =
        extension == ".so" || extension == ".dylib" ? UpgradeForm::plugin : UpgradeForm::executable;
    return image;
}

RunReport run_single(const EngineParts& parts, const SingleRunRequest& request) {
    return SingleRun(parts, request).run();
}

Manifest describe_plugin(const std::filesystem::path& plugin, const StopSignals& signals,
                         const Clock& clock) {
    ClusterConfig config;
    config.name = "none";
    config.repository_directory = std::filesystem::current_path();
    config.state = config.repository_directory / ".runner/state.db";
    QuietReporter reporter;
    const std::unique_ptr<LedgerView> ledger = look_at_ledger({});  // there is none
    NobodyThere nobody;
    RunnableUpgrade upgrade;
    upgrade.version = plugin.filename().string();
    upgrade.check_description = false;
    upgrade.image = seal(image_from_file(plugin));
    PhaseRunner phases(config, {}, *ledger, reporter, nobody, signals, clock);
    const PhaseResult result = phases.describe(upgrade);
    if (!result.ok())
        throw Error(Failure::preparation,
                    plugin.string() + " cannot be loaded as an upgrade: " + result.message);
    return Manifest::parse(result.description, plugin.string() + ": its description");
}

}  // namespace runner
