// SPDX-License-Identifier: Apache-2.0
// Runs the phases of upgrades for the engine: requests made from config and manifest, and the file
// changes of a simulated chain carried from one upgrade to the next.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/parts.hpp"
#include "engine/phase_events.hpp"
#include "engine/upgrade_in_run.hpp"
#include "ledger/ledger.hpp"
#include "services/changes.hpp"
#include "services/diff.hpp"

namespace runner {

class PhaseRunner {
 public:
    /// All references must outlive it. `ledger` serves state values and finished steps.
    PhaseRunner(const EngineParts& parts, PhaseRunnerOptions options, LedgerView& ledger);
    ~PhaseRunner();

    /// From now on the upgrade's secrets are masked in all that any upgrade says. Throws
    /// Error{usage} when one is too short for that.
    void keep_secrets_of(const UpgradeInRun& upgrade);

    /// preflight and simulation, on the files as what was simulated before would leave them; the
    /// diff is reported, and what was shown is kept in `upgrade`.
    PhaseResult simulate(UpgradeInRun& upgrade, bool another_follows);
    /// preflight alone, on everything as it is now.
    PhaseResult preflight(const UpgradeInRun& upgrade);
    /// The simulation of an undo: its commands are shown, nothing is changed.
    PhaseResult simulate_rollback(UpgradeInRun& upgrade);

    /// The real thing.
    PhaseResult apply(const UpgradeInRun& upgrade, const PhaseRecord& record, bool another_follows);
    /// Without a writer nothing is recorded.
    PhaseResult verify(const UpgradeInRun& upgrade, const PhaseRecord& record,
                       bool another_follows);
    /// Its own undo, step by step; the files of a step are put back when it is undone. Stop signals
    /// that came before are not for it.
    PhaseResult rollback(const UpgradeInRun& upgrade, const PhaseRecord& record);

    /// From now on nothing that was simulated counts: the next simulation begins with the files as
    /// they are.
    void forget_simulated();
    /// A file as it would be after everything that was simulated.
    [[nodiscard]] std::optional<std::string> simulated_content(const std::string& path) const;
    /// From now on these files count as changed so by what was simulated.
    void lay_over(const upgrade::services::FileChanges& changes);
    /// Its mode then; nothing: there is no file, or the mode of a new one is not known yet.
    [[nodiscard]] std::optional<unsigned> simulated_mode(const std::string& path) const;
    /// Shows what becomes of a file, its secrets masked.
    void show_diff(const std::string& path, const upgrade::services::DiffSide& before,
                   const upgrade::services::DiffSide& after);
    /// The files as they would be after everything that was simulated.
    [[nodiscard]] const upgrade::services::FileChanges& simulated_changes() const {
        return m_chain;
    }
    /// The commands that real phases have started since the attempt began, masked.
    [[nodiscard]] const std::vector<std::string>& commands_begun() const { return m_begun; }
    /// Another attempt begins.
    void forget_commands() { m_begun.clear(); }
    /// Those of the last apply that were started in a step that did not finish.
    [[nodiscard]] const std::vector<std::string>& open_commands() const { return m_open_commands; }

 private:
    /// What serves a phase; without a record nothing is recorded.
    PhaseEvents events_of(const UpgradeInRun& upgrade, HostPhase phase,
                          const PhaseRecord& record = {});
    PhaseResult run(const UpgradeInRun& upgrade, const PhaseRequest& request, PhaseEvents& events);
    /// Also keeps the commands that the phase has shown.
    PhaseResult run_shown(UpgradeInRun& upgrade, const PhaseRequest& request);
    /// Runs `once` until it fails for more than a transient reason, as often as the config says.
    /// `changes_files`: what its unfinished step has changed is put back before it is tried again.
    PhaseResult retried(const UpgradeInRun& upgrade, Ledger* writer, bool changes_files,
                        const std::function<PhaseResult()>& once);
    void pause(std::chrono::milliseconds length, Ledger* writer);
    PhaseRequest request_for(const UpgradeInRun& upgrade, HostPhase phase);
    PhaseResult simulate_once(UpgradeInRun& upgrade, HostPhase phase, bool another_follows);
    void take_shown(UpgradeInRun& upgrade, PhaseResult& result);
    /// Before the first effect, not amid the work.
    void refuse_what_cannot_be_written(const ShownWork& shown, PhaseResult& result) const;
    /// Notes what was at a path that an upgrade changes, before that. `content`: of a file there.
    void note_before(ShownWork& shown, const std::string& path,
                     const std::optional<std::string>& content) const;
    /// The mode of a file with a change after everything that was simulated; as simulated_mode has
    /// it.
    [[nodiscard]] std::optional<unsigned> mode_after(
        const std::string& path, const upgrade::services::FileChange& change) const;

    const EngineParts& m_parts;
    PhaseRunnerOptions m_options;
    LedgerView& m_ledger;
    std::unique_ptr<PhaseHost> m_host;
    upgrade::services::FileChanges m_chain;
    std::map<std::string, std::optional<unsigned>> m_chain_modes;  ///< of the same paths
    UniqueFd m_overlay;
    std::vector<std::string> m_begun;
    std::vector<std::string> m_open_commands;
    bool m_after_effects = false;  ///< something outside of the repository may be changed by now
};

}  // namespace runner
