// SPDX-License-Identifier: Apache-2.0
// Runs the phases of upgrades for the engine: requests made from config and manifest, events handed
// to the reporter, the log and the ledger, and the file changes of a simulated chain carried from
// one upgrade to the next.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/cluster_config.hpp"
#include "engine/parameters.hpp"
#include "engine/report.hpp"
#include "host/host.hpp"
#include "ledger/ledger.hpp"
#include "releases/upgrade_store.hpp"
#include "services/changes.hpp"
#include "support/file.hpp"
#include "support/redaction.hpp"
#include "support/terminal.hpp"

namespace runner {

/// An upgrade that is ready to run.
struct RunnableUpgrade {
    std::string version;
    Manifest manifest;
    Json manifest_json;  ///< what the plugin's own description is compared with
    bool check_description = true;
    UpgradeForm form = UpgradeForm::plugin;
    UniqueFd image;  ///< sealed
    ParameterValues parameters;
};

/// Makes the sealed image of a verified library or program.
UniqueFd seal(const UpgradeImage& image);

struct PhaseRunnerOptions {
    bool debug = false;
    bool yes = false;  ///< confirmations are skipped
    int lease = -1;
    bool sandbox = true;  ///< the kernel enforces the declared permissions, where it can
    /// Called when a step is recorded as finished; what it throws ends the plugin there. For
    /// proving that an upgrade that died goes on.
    std::function<void(const std::string& step)> after_step;
};

class PhaseEvents;

class PhaseRunner {
 public:
    /// All references must outlive it. `ledger` serves state values and finished steps.
    PhaseRunner(const ClusterConfig& config, PhaseRunnerOptions options, LedgerView& ledger,
                Reporter& reporter, Terminal& terminal, const StopSignals& signals,
                const Clock& clock);
    ~PhaseRunner();

    /// From now on the upgrade's secrets are masked in all that any upgrade says. Throws
    /// Error{usage} when one is too short for that.
    void keep_secrets_of(const RunnableUpgrade& upgrade);

    /// preflight and simulation; the diff against what came before is reported. `last`: no other
    /// simulation follows.
    PhaseResult simulate(const RunnableUpgrade& upgrade, bool another_follows);

    /// The real thing. `writer` records steps and files; `log` is the file that keeps the output.
    PhaseResult apply(const RunnableUpgrade& upgrade, Ledger& writer, const std::string& run,
                      const std::filesystem::path& log, bool another_follows);
    PhaseResult verify(const RunnableUpgrade& upgrade, Ledger* writer, const std::string& run,
                       const std::filesystem::path& log, bool another_follows);

    /// Its own undo, step by step; the files of a step are put back when it is undone (`force`:
    /// also those that were changed by hand since). Stop signals that came before are not for it.
    PhaseResult rollback(const RunnableUpgrade& upgrade, Ledger& writer, const std::string& run,
                         const std::filesystem::path& log, bool force);

    /// The files as they would be after everything that was simulated.
    [[nodiscard]] const upgrade::services::FileChanges& simulated_changes() const {
        return m_chain;
    }

    /// Loads the plugin only to ask for its description.
    PhaseResult describe(const RunnableUpgrade& upgrade);

 private:
    PhaseResult run(const RunnableUpgrade& upgrade, const PhaseRequest& request,
                    PhaseEvents& events);
    /// Runs `once` until it fails for more than a transient reason, as often as the config says.
    PhaseResult retried(const RunnableUpgrade& upgrade, Ledger* writer,
                        const std::function<PhaseResult()>& once);
    void pause(std::chrono::milliseconds length, Ledger* writer);
    /// Ends what the phase left of its folder for originals, when that stayed empty.
    static void tidy(const PhaseRequest& request);
    PhaseRequest request_for(const RunnableUpgrade& upgrade, HostPhase phase);
    void report_changes(const PhaseResult& result);
    std::optional<std::string> content_before(const std::string& path) const;

    const ClusterConfig& m_config;
    PhaseRunnerOptions m_options;
    LedgerView& m_ledger;
    Reporter& m_reporter;
    Terminal& m_terminal;
    const StopSignals& m_signals;
    const Clock& m_clock;
    PluginHost m_host;
    Redactor m_redactor;
    upgrade::services::FileChanges m_chain;
    UniqueFd m_overlay;
};

}  // namespace runner
