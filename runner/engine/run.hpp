// SPDX-License-Identifier: Apache-2.0
// A run on its way: what its stages hand on to each other.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/gates/gate.hpp"
#include "engine/hooks.hpp"
#include "engine/parts.hpp"
#include "engine/phase_runner.hpp"
#include "engine/planning.hpp"
#include "engine/recorded_run.hpp"
#include "engine/report.hpp"
#include "engine/run_options.hpp"
#include "engine/supply.hpp"
#include "engine/upgrade_in_run.hpp"

namespace runner {

struct Run {
    Run(const EngineParts& engine_parts, const RunOptions& run_options, KindOfRun run_kind)
        : parts(engine_parts), options(run_options), kind(run_kind) {
        report.cluster = parts.config.name;
        report.dry_run = options.dry_run;
    }

    const EngineParts& parts;
    const RunOptions& options;
    KindOfRun kind;

    std::unique_ptr<LedgerView> view;     ///< until the lease is held
    std::optional<RecordedRun> recorded;  ///< from the lease on
    LedgerFacts facts;                    ///< as of when the upgrades were chosen
    std::optional<SemanticVersion> original;
    std::optional<Supply> supply;
    std::optional<Choice> choice;                    ///< of what is due
    const std::vector<Release>* releases = nullptr;  ///< of the source; null: not listed
    std::vector<UpgradeInRun> upgrades;              ///< in the order in which they are worked on
    std::map<std::string, std::string> left_out;     ///< still due, and not part of it: why
    RunReport report;                                ///< what is told at the end
    /// After `recorded`: all processes of plugins end before the lease is given back.
    std::optional<PhaseRunner> phases;

    /// For runs whose phases need other options than those of the user.
    std::function<void(PhaseRunnerOptions&)> adjust_phases;

    bool hooks_begun = false;            ///< `before` was called: `after` has to follow
    bool changing = false;               ///< something may be changed by now
    UpgradeInRun* current = nullptr;     ///< whose attempt is open
    bool current_is_undo = false;        ///< that attempt is to undo it
    std::optional<AttemptEnd> finished;  ///< how the last attempt ended, as long as it is not
                                         ///< committed

    [[nodiscard]] Ledger& ledger() const { return recorded->ledger(); }
    /// The one that is written, once there is one.
    [[nodiscard]] LedgerView& ledger_view() const {
        return recorded ? static_cast<LedgerView&>(recorded->ledger()) : *view;
    }
    /// Where phases are recorded.
    [[nodiscard]] PhaseRecord record() const {
        return recorded ? PhaseRecord{&recorded->ledger(), report.run, options.force}
                        : PhaseRecord{};
    }
    [[nodiscard]] GateInput gate_input() const;
    /// Where the cluster stands: at its original version until an upgrade has raised it.
    [[nodiscard]] std::optional<SemanticVersion> cluster_version() const {
        return facts.cluster.cluster_version ? facts.cluster.cluster_version : original;
    }
    [[nodiscard]] Hooks hooks() const { return {parts, ledger()}; }

    /// The host of phases, started when it is first needed.
    PhaseRunner& phase_runner();
    /// Moves the recorded run; without one nothing happens.
    void move_to(RunState next) {
        if (recorded && recorded->state() != next) recorded->move_to(next);
    }
    /// Throws Interrupted when a stop signal has come.
    void check_interrupted() const { runner::check_interrupted(parts.signals); }
    /// The report's list of upgrades is as they are now.
    void refresh_report();
    /// The report's cluster version is the ledger's.
    void refresh_version();
    void warn(const std::string& text);
};

/// The options of the phases of a run.
PhaseRunnerOptions phase_options(const Run& run);

/// How a phase ended, for people.
std::string words_for(const PhaseResult& result, HostPhase phase);

/// Tells of processes that a phase has left behind.
void warn_about_strays(Run& run, const UpgradeInRun& upgrade, const PhaseResult& result);

/// Takes the upgrades whose verdict is `left_out` out of the run. Whether there were any.
bool take_out_left_out(Run& run);

/// Those that are worked on before it. `upgrade`: one of the run's.
std::span<const UpgradeInRun> upgrades_before(const Run& run, const UpgradeInRun& upgrade);

/// An upgrade's place in its run, from 0.
std::size_t position_of(const Run& run, const UpgradeInRun& upgrade);

}  // namespace runner
