// SPDX-License-Identifier: Apache-2.0
// One phase of one upgrade as the host sees it: makes the ABI's service tables over a Backend.
// The runner's plugin process and the unit-test harness use the same code, so that what a test sees
// is what runs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/files.hpp"
#include "services/learned_texts.hpp"
#include "upgrade/abi.h"

namespace upgrade::services {

enum class Phase { preflight, simulate, apply, verify, rollback, simulate_rollback };

/// State values by (scope, key); scope is one of UPGRADE_SCOPE_*.
using StateValues = std::map<std::pair<std::int32_t, std::string>, std::string>;

/// What a session needs from whoever runs it. Each call may throw Refusal.
class Backend : public FileWitness {
 public:
    virtual void log(std::int32_t level, std::string_view text) = 0;
    virtual void progress(std::uint64_t done, std::uint64_t total, std::string_view message) = 0;
    virtual bool confirm(std::string_view question) = 0;
    /// A changing command that a simulation shows instead of running.
    virtual void command_shown(const std::vector<std::string>& arguments,
                               std::string_view input) = 0;
    /// A CHANGE or RENDER command that is about to run for real; it does not run when this throws.
    /// `learned`: for each argument the parts of it that the simulation could not know.
    virtual void command_begun(const std::vector<std::string>& arguments,
                               const std::vector<TextRanges>& learned) = 0;
    /// Whether the step was finished in an earlier attempt.
    virtual bool step_is_finished(const std::string& id) = 0;
    // A simulation tells what it was made from.
    void found(const std::string&, PathKind, const std::string*) override {}
    void listed(const std::string&, const std::vector<std::string>&) override {}
    virtual void step_begun(const std::string& id, std::string_view description) = 0;
    /// Makes what is pending in `files`, and remembers durably what is about to be renamed or
    /// removed before it is; nothing is pending afterwards. `step` is empty outside of steps.
    /// `rendered`: the paths whose new bytes are what a RENDER command of this phase has printed.
    virtual void commit(const std::string& step, RepositoryFiles& files,
                        const std::set<std::string>& rendered) = 0;
    /// A simulation: what a real run would make at this point.
    virtual void files_shown(const std::string& step, const std::vector<ShownFile>& changes) = 0;
    /// Remembers durably that the step is finished, with its state values.
    virtual void step_finished(const std::string& id, const StateValues& values) = 0;
    /// The step's undo has run. A rollback remembers that durably and puts the step's files back,
    /// before this returns nothing. A simulated one changes nothing, and returns what the files are
    /// that would be put back now, those included that the undo itself has changed.
    virtual FileChanges step_undone(const std::string& id, const StateValues& values) = 0;
    virtual std::optional<std::string> state(std::int32_t scope, const std::string& key) = 0;
    virtual bool cancelled() = 0;
    /// Readable when cancelled() may have changed; -1: none.
    virtual int wake_descriptor() { return -1; }
};

struct SessionOptions {
    Phase phase = Phase::simulate;
    std::string repository;      ///< the repository directory, absolute
    FileChanges base;            ///< what upgrades before this one would have changed
    bool after_effects = false;  ///< since the simulation, commands may have changed the world
    std::vector<std::string> write_paths;      ///< declared
    std::vector<std::string> protected_paths;  ///< never written, whatever is declared
    std::vector<std::string> commands;         ///< declared
    std::map<std::string, std::string> info;   ///< for info/1
    std::map<std::string, std::optional<std::string>>
        parameters;  ///< declared ones; nothing: no value
};

/// What the plugin said through error/1.
struct PhaseReport {
    std::string message;
    std::string remedy;
};

class Session {
 public:
    Session(SessionOptions options, Backend& backend);

    [[nodiscard]] const upgrade_host& host() const { return m_host; }

    /// After the phase function returned UPGRADE_OK: commits what was written outside of steps
    /// (apply, rollback), or shows it (simulate). Returns the state values that were set outside of
    /// steps; they belong to the completion.
    StateValues complete();

    /// Goes on as another phase, before the plugin has used any service: one process serves
    /// preflight and simulation of a plugin that has no preflight.
    void become(Phase phase);

    /// How many RENDER commands a simulation has shown: what they would print is not known yet.
    [[nodiscard]] std::size_t renders() const { return m_renders; }
    /// Those of them before which their file was not asked for, as SDK 1.0.0 made them: which files
    /// they are for is not known.
    [[nodiscard]] std::size_t blind_renders() const { return m_blind_renders; }

    /// The signal that has ended the last command; 0: it was not ended by one.
    [[nodiscard]] int command_signal() const { return m_command_signal; }

    /// What a simulation would have changed.
    [[nodiscard]] FileChanges changes() const { return m_files.changes(); }
    [[nodiscard]] const PhaseReport& report() const { return m_report; }

    // The services, called by the tables in session.cpp.
    void report_error(std::string_view message, std::string_view remedy);
    void log(std::int32_t level, std::string_view text);
    std::int32_t info(std::string_view key, upgrade_sink sink);
    std::int32_t parameter(std::string_view name, upgrade_sink sink);
    std::int32_t state_get(std::int32_t scope, std::string_view key, upgrade_sink sink);
    void state_set(std::int32_t scope, std::string_view key, std::string_view value);
    void progress(std::uint64_t done, std::uint64_t total, std::string_view message);
    std::int32_t confirm(std::string_view question);
    bool cancelled();
    std::int32_t step_begin(std::string_view id, std::string_view description);
    void step_finish(std::string_view id);
    void step_undone(std::string_view id);
    void walk(bool on);
    [[nodiscard]] const RepositoryFiles& files() const { return m_files; }
    // `render` asks for its file, and reads it, right before its program is run.
    void asked_for(std::string_view path) { m_asked_for = path; }
    void has_read(std::string_view path) {
        if (path != m_asked_for) m_asked_for.clear();
    }
    /// For a path that is about to be changed. Throws Refusal when this phase or the manifest does
    /// not allow it.
    RepositoryFiles& files_to_change(std::string_view path);
    std::int32_t run(const upgrade_command& command, upgrade_sink output);

    /// The text of the newest refusal since the last call that succeeded.
    void refused(std::string text) { m_last_refusal = std::move(text); }
    void succeeded() { m_last_refusal.clear(); }

 private:
    [[nodiscard]] bool may_change() const {
        return m_options.phase != Phase::preflight && m_options.phase != Phase::verify;
    }
    [[nodiscard]] bool is_real() const {
        return m_options.phase == Phase::apply || m_options.phase == Phase::rollback;
    }
    [[nodiscard]] bool is_simulation() const {
        return m_options.phase == Phase::simulate || m_options.phase == Phase::simulate_rollback;
    }
    /// A command that changes or renders something begins for real.
    void begin(const std::vector<std::string>& arguments);
    /// Where a real run commits what was written, a simulation shows it.
    void commit_files(const std::string& step);
    [[nodiscard]] bool is_rollback() const {
        return m_options.phase == Phase::rollback || m_options.phase == Phase::simulate_rollback;
    }

    SessionOptions m_options;
    Backend& m_backend;
    RepositoryFiles m_files;
    StateValues m_values;
    std::string m_step;
    std::set<std::string> m_begun;  ///< every step's id that this phase has asked for
    PhaseReport m_report;
    std::string m_last_refusal;
    std::size_t m_renders = 0;
    std::size_t m_blind_renders = 0;
    int m_command_signal = 0;
    std::string m_asked_for;  ///< the file that was asked for last, if no other was read since
    std::set<std::string> m_rendered;  ///< what RENDER commands have printed
    LearnedTexts m_learned;            ///< what programs have printed since something was changed
    bool m_walking = false;            ///< rollback: over apply, to find the undo of its steps
    upgrade_host m_host{};
};

}  // namespace upgrade::services
