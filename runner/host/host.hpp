// SPDX-License-Identifier: Apache-2.0
// The supervisor's side of plugin processes: starts one for a phase, serves its requests, and tells
// how it ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/digest.hpp"
#include "model/json.hpp"
#include "model/manifest.hpp"
#include "model/secret.hpp"
#include "services/changes.hpp"
#include "services/files.hpp"
#include "services/learned_texts.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"
#include "support/unique_fd.hpp"

namespace runner {

enum class HostPhase {
    preflight,
    simulate,
    apply,
    verify,
    rollback,
    simulate_rollback,  ///< as rollback, but nothing is changed and nothing recorded
};
const char* to_string(HostPhase phase);

/// How a phase ended. Everything but `ok`, `nothing_to_do` and `blocked` is a failure with its own
/// name.
enum class PhaseEnd {
    ok,
    nothing_to_do,
    blocked,
    failed,     ///< the upgrade said so
    aborted,    ///< the user answered no to the upgrade's question
    transient,  ///< it may go well when it is tried again
    cancelled,
    not_loaded,   ///< the library could not be loaded, or is not what its manifest says
    exit_status,  ///< ended without saying *done*, or said so and then failed
    killed_by_signal,
    timed_out,
    protocol_violation,
    output_limit,
    changed,  ///< stopped before it did something else than was shown
};

/// State values by (scope, key).
using HostValues = std::map<std::pair<std::int32_t, std::string>, std::string>;

/// The bound of file changes in a file in memory, in bytes.
constexpr std::size_t k_max_overlay = 512U << 20U;

/// A file that the upgrade is about to change for real.
struct HostFileChange {
    std::string path;
    std::string temporary;
    std::string backup;
    std::string digest;     ///< of the new bytes; empty when the file is removed
    bool rendered = false;  ///< the new bytes are what a RENDER command of this phase has printed
    std::optional<unsigned> mode{};  ///< of the new file, as PreparedChange has it
    std::size_t made_folders = 0;    ///< how many of the folders above it are made for it
};

/// A file change that a simulation has shown at the point where a real run commits it: the list of
/// a simulation equals what record_files gets in the real run.
struct ShownChange {
    std::string step;  ///< empty outside of steps
    std::string path;
    std::optional<Digest> digest;  ///< of the new content; absent: the file is removed
};

/// What a simulation has found in the repository beneath its own changes.
struct FoundFile {
    upgrade::services::PathKind kind = upgrade::services::PathKind::none;
    std::optional<Digest> digest;  ///< of a file's content; absent: it was not read
};
struct FoundInRepository {
    std::map<std::string, FoundFile> files;  ///< by path
    /// By pattern: the digest of the sorted paths, each with a newline.
    std::map<std::string, Digest> lists;
};

/// A command that changes or renders something and is about to begin for real.
struct BegunCommand {
    std::vector<std::string> arguments;
    /// For each argument the parts of it that the simulation could not know, as programs have
    /// printed them since something was changed.
    std::vector<upgrade::services::TextRanges> learned;
};

/// What a command would read from its standard input.
struct CommandInput {
    std::string text;  ///< its beginning, where it is longer than k_max_told_input
    std::uint64_t bytes = 0;
};

/// What a running phase tells and asks. Calls that throw end the phase as failed.
class HostEvents {
 public:
    virtual ~HostEvents() = default;
    virtual void on_log(std::int32_t level, const std::string& text) = 0;
    /// Standard output and error of the process, in the order they were written.
    virtual void on_output(std::string_view bytes) = 0;
    virtual void on_progress(std::uint64_t done, std::uint64_t total,
                             const std::string& message) = 0;
    /// Of a command that is too long for a message the beginning is told, here and when it begins,
    /// and a digest of all of it.
    virtual void on_command_shown(const std::vector<std::string>& arguments,
                                  const CommandInput& input) = 0;
    /// A command that changes or renders something is about to run for real; it waits for this, and
    /// does not run when this throws.
    virtual void on_command_begun(const BegunCommand& command) = 0;
    virtual void on_step_begun(const std::string& id, const std::string& description) = 0;
    virtual bool confirm(const std::string& question) = 0;
    virtual std::optional<std::string> state_value(std::int32_t scope, const std::string& key) = 0;
    /// Throws ProtocolError where it names what it may not.
    virtual void record_files(const std::string& step,
                              const std::vector<HostFileChange>& changes) = 0;
    virtual void record_step(const std::string& id, const HostValues& values) = 0;
    virtual void record_step_undone(const std::string& id, const HostValues& values) = 0;
    /// simulate_rollback, instead of record_step_undone: the files that a real run would put back
    /// now, by what they would be. The undo of the steps before it sees them so.
    virtual upgrade::services::FileChanges undone_in_simulation(const std::string& step) = 0;
    /// A stop signal came; `count` of them so far.
    virtual void on_stop_signal(int count) = 0;
    /// Called now and then while the phase runs.
    virtual void tick() = 0;
};

struct PhaseRequest {
    HostPhase phase = HostPhase::simulate;
    UpgradeForm form = UpgradeForm::plugin;
    int image = -1;  ///< the library or program, sealed
    const Json* manifest =
        nullptr;            ///< what the plugin's description is compared with; null: not compared
    bool describe = false;  ///< only load it and ask for its description
    std::optional<HostPhase>
        without_preflight;  ///< preflight: what a plugin without one goes on with
    std::filesystem::path repository;
    std::filesystem::path backup_folder;
    std::vector<std::string> write_paths;
    /// Relative: what is never written, whatever is declared.
    std::vector<std::string> protected_paths;
    std::vector<std::string> commands;
    bool network = false;
    bool sandbox = true;  ///< the kernel enforces these three, where it can
    std::map<std::string, std::string> info;
    std::map<std::string, std::optional<Secret>> parameters;
    std::vector<std::string> finished_steps;
    /// apply: commands may have changed the world since it was simulated.
    bool after_effects = false;
    int overlay = -1;                    ///< encoded changes of the upgrades before it; -1: none
    std::vector<std::string> arguments;  ///< of an executable upgrade
    bool relay_input = false;            ///< hand standard input on to an executable upgrade
    std::chrono::milliseconds timeout{std::chrono::hours(1)};
    int signals_before = 0;             ///< stop signals that were meant for an earlier phase
    bool stop_at_first_signal = false;  ///< nothing was changed yet: end it at once
    bool another_follows = false;       ///< prepare the next process while this one runs
};

struct PhaseResult {
    PhaseEnd end = PhaseEnd::failed;
    HostPhase phase = HostPhase::simulate;  ///< the one that ran
    std::string message;                    ///< what happened, for people
    std::string remedy;
    std::vector<std::string> implements;
    HostValues values;
    UniqueFd changes;                ///< encoded changes of a simulation; empty when there are none
    std::vector<ShownChange> shown;  ///< of a simulation: its commits, in order
    FoundInRepository found;         ///< of a simulation: what it was made from
    std::size_t renders = 0;         ///< of a simulation: how many RENDER commands it has shown
    std::size_t blind_renders = 0;   ///< those for files that it has not looked at before
    std::string description;
    std::uint32_t strays = 0;
    [[nodiscard]] bool ok() const { return end == PhaseEnd::ok; }
    /// Nothing went wrong, though there may have been nothing to do.
    [[nodiscard]] bool good() const { return ok() || end == PhaseEnd::nothing_to_do; }
    [[nodiscard]] bool has(const char* phase_name) const;
};

struct HostOptions {
    std::vector<std::string> environment;  ///< `NAME=value`; all that upgrades see
    int lease = -1;                        ///< kept open until no plugin process is left
    std::chrono::milliseconds grace{std::chrono::seconds(10)};  ///< from TERM to KILL
};

/// Runs phases. The engine knows only this, so that its tests can run phases of their own making.
class PhaseHost {
 public:
    virtual ~PhaseHost() = default;

    /// Runs one phase to its end. What `events` throws ends the phase and is thrown on.
    virtual PhaseResult run(const PhaseRequest& request, HostEvents& events) = 0;
    /// The folder that each phase finds empty, another one in each run; empty: there is none.
    [[nodiscard]] virtual std::filesystem::path temporary_folder() const { return {}; }
};

/// Runs each phase in a process of its own. Each finds an empty temporary folder.
class PluginHost final : public PhaseHost {
 public:
    /// `signals` and `clock` must outlive it. The host parent is started here and ended by the
    /// destructor.
    PluginHost(HostOptions options, const StopSignals& signals, const Clock& clock);
    ~PluginHost() override;
    PluginHost(const PluginHost&) = delete;
    PluginHost& operator=(const PluginHost&) = delete;

    PhaseResult run(const PhaseRequest& request, HostEvents& events) override;
    [[nodiscard]] std::filesystem::path temporary_folder() const override;

 private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// The variables that upgrades get: an allow-list from this process's environment, then `declared`,
/// never anything of the dynamic loader. `NAME=value`.
std::vector<std::string> plugin_environment(const std::map<std::string, std::string>& declared);

}  // namespace runner
