// SPDX-License-Identifier: Apache-2.0
// Plays scripted upgrades as the real host runs plugins: the same events in the same order.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/engine_fakes.hpp"

namespace test {

/// What a phase was asked for, without what lives no longer than it.
struct SeenRequest {
    std::string version;
    runner::PhaseRequest request;  ///< its descriptors are closed by now
    bool compares_description = false;
};

/// What the phases of one world share. All must outlive the hosts.
struct Stage {
    Process& process;
    const FakeSignals& signals;
    FakeWorkTree& work_tree;
    Surroundings& now;
    std::map<std::string, ScriptedUpgrade> scripts{};  ///< by version
    std::map<std::string, int> effects{};              ///< how often each command took effect
    std::vector<std::string> phases{};                 ///< `apply 0.0.51`, in order
    std::vector<SeenRequest> requests{};               ///< of the same phases
    std::vector<std::string> after_effects{};  ///< versions applied to a world changed by then
    bool committing = false;                   ///< a file is compared and replaced just now
    /// Called before each phase; may change the world.
    std::function<void(const std::string& version, runner::HostPhase phase)> before_phase{};
};

class ScriptedHost final : public runner::PhaseHost {
 public:
    explicit ScriptedHost(Stage& stage) : m_stage(stage) {}
    runner::PhaseResult run(const runner::PhaseRequest& request,
                            runner::HostEvents& events) override;

 private:
    Stage& m_stage;
};

/// Starts such hosts, and plays the programs of hooks.
class FakeProcesses final : public runner::Processes {
 public:
    explicit FakeProcesses(Stage& stage) : m_stage(stage) {}
    runner::SandboxSupport support = runner::SandboxSupport::files_and_network;
    std::vector<std::string> programs;   ///< that were run
    std::vector<std::string> cancelled;  ///< those of them that a signal stopped
    std::map<std::string, upgrade::services::CommandSpec> specs;  ///< by program: what it gets
    std::map<std::string, int> exit_statuses;                     ///< by program; others end with 0
    std::map<std::string, std::string> outputs;                   ///< by program: what it prints
    std::map<std::string, std::string> errors;  ///< by program: what it prints as its errors
    std::set<std::string> absent;               ///< programs that cannot be started

    std::unique_ptr<runner::PhaseHost> start_host(runner::HostOptions, const runner::StopSignals&,
                                                  const runner::Clock&) override {
        return std::make_unique<ScriptedHost>(m_stage);
    }
    int run_program(const upgrade::services::CommandSpec& program) override;
    [[nodiscard]] runner::SandboxSupport sandbox_support() const override { return support; }

 private:
    Stage& m_stage;
};

}  // namespace test
