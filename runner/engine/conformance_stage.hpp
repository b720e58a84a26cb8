// SPDX-License-Identifier: Apache-2.0
// Where an upgrade is proven: a repository and a ledger of its own, in which it runs as often as
// need be.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/conformance.hpp"
#include "engine/kinds/kind.hpp"
#include "engine/report.hpp"
#include "support/file.hpp"
#include "support/redaction.hpp"

namespace runner {

/// What is at a path.
struct SnapshotEntry {
    std::string content;             ///< of a link where it leads
    std::optional<unsigned> mode{};  ///< the bits that chmod sets; absent: not known
};
/// The files below a folder, by relative path.
using Snapshot = std::map<std::string, SnapshotEntry>;
Snapshot snapshot_of(const std::filesystem::path& folder);
/// The folders below it, their names with a slash at the end.
Snapshot folders_of(const std::filesystem::path& folder);

/// Notes what a rule wants to know.
class NotingReporter final : public QuietReporter {
 public:
    void command_shown(const ToldCommand& command) override { commands.push_back(command.text); }
    void step(const std::string& id, const std::string&, HostPhase phase) override {
        if (phase == HostPhase::apply) steps.push_back(id);
    }
    std::vector<std::string> commands;
    std::vector<std::string> steps;
};

/// Answers every question alike, and counts them.
class OneAnswer final : public Terminal {
 public:
    explicit OneAnswer(bool yes) : m_yes(yes) {}
    [[nodiscard]] bool interactive() const override { return true; }
    std::optional<std::string> ask(const std::string&) override {
        ++asked;
        return m_yes ? "y" : "n";
    }
    int asked = 0;

 private:
    bool m_yes;
};

/// What a run on a stage came to.
struct Attempt {
    PhaseResult simulation;
    PhaseResult last;  ///< of apply, or of verify when that ran
    bool died = false;
    Snapshot after_simulation;
    Snapshot promised;  ///< what the simulation says the files will be
    [[nodiscard]] bool good() const {
        return !died && (simulation.end == PhaseEnd::nothing_to_do || last.ok());
    }
    [[nodiscard]] std::string words() const;
};

class Stage {
 public:
    /// `upgrade`, `signals` and `clock` must outlive it. `sandbox`: the kernel enforces what the
    /// upgrade declares.
    Stage(const ConformanceRequest& request, const UpgradeInRun& upgrade,
          const StopSignals& signals, const Clock& clock, bool sandbox = false);

    [[nodiscard]] const std::filesystem::path& repository() const {
        return m_config.repository_directory;
    }
    /// The repository, the ledger and the log.
    [[nodiscard]] const std::filesystem::path& folder() const { return m_folder.path(); }

    /// Simulates, applies, verifies; with `die_after`, everything is killed when that step is
    /// finished.
    Attempt run(Terminal& terminal, const std::string& die_after = {});
    /// Undoes what run() did; what went wrong, or nothing.
    std::string roll_back();

    NotingReporter reporter;

 private:
    RunReport run_kind(Kind& kind, Terminal& terminal, const std::string& die_after);

    const UpgradeInRun& m_upgrade;
    const StopSignals& m_signals;
    const Clock& m_clock;
    Redactor m_redactor;
    bool m_sandbox;
    TemporaryFolder m_folder;
    ClusterConfig m_config;
    std::unique_ptr<ReleaseSource> m_source;
    SystemProcesses m_processes;
    std::unique_ptr<LedgerStore> m_ledgers;
    std::unique_ptr<RunFolder> m_run_folder;
    std::unique_ptr<WorkTree> m_work_tree;
};

}  // namespace runner
