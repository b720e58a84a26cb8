// SPDX-License-Identifier: Apache-2.0
// What the engine works with: where the outside world begins, as interfaces. Made in main, and with
// fakes in tests.
#pragma once

#include <memory>

#include "config/cluster_config.hpp"
#include "engine/report.hpp"
#include "engine/run_folder.hpp"
#include "engine/work_tree.hpp"
#include "host/host.hpp"
#include "host/sandbox.hpp"
#include "ledger/ledger_store.hpp"
#include "releases/source.hpp"
#include "services/command.hpp"
#include "support/clock.hpp"
#include "support/redaction.hpp"
#include "support/stop_signals.hpp"
#include "support/terminal.hpp"

namespace runner {

/// Programs that a run starts.
class Processes {
 public:
    virtual ~Processes() = default;
    /// What runs the phases of upgrades, each in a process of its own.
    virtual std::unique_ptr<PhaseHost> start_host(HostOptions options, const StopSignals& signals,
                                                  const Clock& clock) = 0;
    /// Runs a program of the user to its end; returns its exit status. Throws
    /// upgrade::services::Refusal.
    virtual int run_program(const upgrade::services::CommandSpec& program) = 0;
    /// What the kernel can enforce of what upgrades declare.
    [[nodiscard]] virtual SandboxSupport sandbox_support() const = 0;
};

/// The real ones.
class SystemProcesses final : public Processes {
 public:
    std::unique_ptr<PhaseHost> start_host(HostOptions options, const StopSignals& signals,
                                          const Clock& clock) override {
        return std::make_unique<PluginHost>(std::move(options), signals, clock);
    }
    int run_program(const upgrade::services::CommandSpec& program) override {
        return upgrade::services::run_command(program);
    }
    [[nodiscard]] SandboxSupport sandbox_support() const override {
        return runner::sandbox_support();
    }
};

/// All must outlive the run.
struct EngineParts {
    const ClusterConfig& config;
    ReleaseSource& source;
    LedgerStore& ledgers;
    RunFolder& folder;
    WorkTree& work_tree;
    Processes& processes;
    Reporter& reporter;
    Terminal& terminal;
    const StopSignals& signals;
    const Clock& clock;
    Redactor& redactor;  ///< of all that is told, logged and recorded in the run
};

}  // namespace runner
