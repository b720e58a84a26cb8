// SPDX-License-Identifier: Apache-2.0
// A harness for the unit tests of an upgrade: a temporary repository, canned commands, parameters;
// then look at what a simulation would change, apply, apply again, kill after a step, roll back. It
// knows no test framework: it returns values, and the test asserts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/session.hpp"
#include "upgrade/plugin.hpp"

namespace upgrade::testing {

/// One file change of a step.
struct StepChange {
    std::string step;                    ///< empty outside of steps
    std::string path;                    ///< relative to the repository
    std::optional<std::string> content;  ///< the new one; nothing: the file is removed
    bool rendered = false;               ///< it is what a program has printed (`Exec::render`)
};

/// What a phase came to.
struct PhaseResult {
    std::int32_t status = UPGRADE_OK;         ///< one of the UPGRADE_* codes
    std::string message;                      ///< why it is not ok
    std::string remedy;                       ///< of a blocked one
    services::FileChanges changes;            ///< of a simulation, also of a rollback
    std::string diff;                         ///< the same as unified diffs, as operators see them
    std::vector<std::string> shown_commands;  ///< changing commands that a simulation only showed
    std::size_t renders = 0;  ///< how many of them would have made the content of a file
    std::vector<std::string> begun_commands;  ///< changing commands that a run has run
    /// File changes in the order in which they were committed; of a simulation: would be.
    std::vector<StepChange> committed;
    /// Done.
    bool ok() const { return status == UPGRADE_OK; }
    /// It threw Blocked.
    bool blocked() const { return status == UPGRADE_BLOCKED; }
    /// It threw NothingToDo.
    bool nothing_to_do() const { return status == UPGRADE_NOTHING_TO_DO; }
    /// It threw Aborted: a question was answered with no.
    bool aborted() const { return status == UPGRADE_ABORTED; }
    /// Whether the run would try it again.
    bool transient() const { return status == UPGRADE_TRANSIENT; }
};

/// One cluster's repository and ledger, for one upgrade. Removed by the destructor.
class Harness final : private services::Backend {
 public:
    Harness();
    ~Harness() override;
    Harness(const Harness&) = delete;
    Harness& operator=(const Harness&) = delete;

    /// Copies a folder, for example the fixture of the upgrade, into the repository.
    void copy_from(const std::string& folder);
    /// Makes a file of the repository.
    void write(const std::string& path, const std::string& content);
    /// A file of the repository. Throws std::runtime_error when there is none.
    std::string read(const std::string& path) const;
    /// Whether the repository has it.
    bool exists(const std::string& path) const;
    /// Every file by its path, to compare the whole repository before and after.
    std::map<std::string, std::string> snapshot() const;

    /// Declares a parameter, with a value or without.
    void parameter(const std::string& name, std::optional<std::string> value);
    /// `permissions.write` of the manifest (default: everything).
    void allow_writes(std::vector<std::string> paths) { m_write_paths = std::move(paths); }
    /// `permissions.commands` of the manifest (default: every command).
    void allow_commands(std::vector<std::string> commands) { m_commands = std::move(commands); }
    /// The cluster's name (default: test).
    void cluster_name(const std::string& name) { m_info["clusterName"] = name; }
    /// Puts a program in front of PATH that prints `output` and exits with `exit_status`, and
    /// remembers its calls.
    void can_command(const std::string& name, const std::string& output, int exit_status = 0);
    /// The same for one line of arguments, joined by spaces; the general answer is for all others.
    void can_command_with(const std::string& name, const std::string& arguments,
                          const std::string& output, int exit_status = 0);
    /// The argument lines with which a canned program was called.
    std::vector<std::string> calls(const std::string& name) const;
    /// To every question from now on (default: yes).
    void answer(bool yes) { m_answer = yes; }
    /// The run dies right after this step is finished: the next phase starts from what was
    /// recorded.
    void die_after_step(const std::string& id) { m_die_after = id; }

    /// Can it run here?
    template <typename Type>
    PhaseResult preflight() {
        return run<Type>(services::Phase::preflight);
    }
    /// Apply, for show: its changes are in the result, nothing is changed.
    template <typename Type>
    PhaseResult simulate() {
        return run<Type>(services::Phase::simulate);
    }
    /// Apply, for real; steps that are finished already are left out.
    template <typename Type>
    PhaseResult apply() {
        return run<Type>(services::Phase::apply);
    }
    /// Did it work?
    template <typename Type>
    PhaseResult verify() {
        return run<Type>(services::Phase::verify);
    }
    /// The upgrade's rollback, which finds the files of a step put back once it is undone, then all
    /// files as they were before the first apply.
    template <typename Type>
    PhaseResult rollback() {
        PhaseResult result = run<Type>(services::Phase::rollback);
        if (result.ok()) restore_files();
        return result;
    }
    /// rollback, for show: what it would put back and the commands that it would run are in the
    /// result, nothing is changed.
    template <typename Type>
    PhaseResult simulate_rollback() {
        return run<Type>(services::Phase::simulate_rollback);
    }

    /// Finished steps, in order.
    const std::vector<std::string>& finished_steps() const { return m_finished; }
    /// Log lines of all phases, in order.
    const std::vector<std::string>& log_lines() const { return m_log; }
    /// What the upgrade has stored under this key, or nothing.
    std::optional<std::string> state_value(const std::string& key) const;
    /// The repository's folder, the working directory of all phases.
    const std::string& repository() const { return m_repository; }

 private:
    template <typename Type>
    PhaseResult run(services::Phase phase) {
        services::Session session(options(phase), *this);
        Context context(session.host());
        Type upgrade;
        std::int32_t status = UPGRADE_OK;
        PhaseResult result;
        try {
            if (phase == services::Phase::preflight) upgrade.preflight(context);
            if (phase == services::Phase::simulate || phase == services::Phase::apply)
                upgrade.apply(context);
            if (phase == services::Phase::verify) upgrade.verify(context);
            if (phase == services::Phase::rollback || phase == services::Phase::simulate_rollback)
                upgrade.rollback(context);
        } catch (const Blocked& blocked) {
            status = UPGRADE_BLOCKED;
            session.report_error(blocked.what(), blocked.remedy());
        } catch (const NothingToDo& nothing) {
            status = UPGRADE_NOTHING_TO_DO;
            session.report_error(nothing.what(), "");
        } catch (const Aborted& aborted) {
            status = UPGRADE_ABORTED;
            session.report_error(aborted.what(), "");
        } catch (const Transient& transient) {
            status = UPGRADE_TRANSIENT;
            session.report_error(transient.what(), "");
        } catch (const Cancelled& cancelled) {
            status = UPGRADE_CANCELLED;
            session.report_error(cancelled.what(), "");
        } catch (const std::exception& error) {
            status = UPGRADE_FAILED;
            session.report_error(error.what(), "");
        }
        finish(phase, session, status, result);
        return result;
    }

    services::SessionOptions options(services::Phase phase);
    void finish(services::Phase phase, services::Session& session, std::int32_t status,
                PhaseResult& result);
    /// A file before it was changed.
    struct Original {
        std::string step;
        std::string path;
        std::optional<std::string> content;
    };
    /// Takes out what goes back when `step` is undone, in the order of the changes: its own
    /// changes, and what was changed after its first one outside of steps. The runner's ledger
    /// decides the same.
    static std::vector<Original> take_undone_with(const std::string& step,
                                                  std::vector<Original>& originals);
    /// What the files were before these changes.
    static services::FileChanges contents_of(const std::vector<Original>& originals);
    void make(const services::FileChanges& changes);
    void restore_files();
    static void install_command(const std::string& stem);

    void log(std::int32_t level, std::string_view text) override;
    void progress(std::uint64_t, std::uint64_t, std::string_view) override {}
    bool confirm(std::string_view) override { return m_answer; }
    void command_shown(const std::vector<std::string>& arguments, std::string_view input) override;
    void command_begun(const std::vector<std::string>& arguments,
                       const std::vector<services::TextRanges>& learned) override;
    bool step_is_finished(const std::string& id) override;
    void step_begun(const std::string&, std::string_view) override {}
    void commit(const std::string& step, services::RepositoryFiles& files,
                const std::set<std::string>& rendered) override;
    void files_shown(const std::string& step,
                     const std::vector<services::ShownFile>& changes) override;
    void step_finished(const std::string& id, const services::StateValues& values) override;
    services::FileChanges step_undone(const std::string& id,
                                      const services::StateValues& values) override;
    std::optional<std::string> state(std::int32_t scope, const std::string& key) override;
    bool cancelled() override { return false; }

    std::string m_folder;
    std::string m_repository;
    services::Phase m_phase = services::Phase::simulate;
    std::size_t m_commits = 0;
    std::vector<Original> m_originals;  ///< in the order of the changes
    std::map<std::string, std::optional<std::string>> m_parameters;
    std::vector<std::string> m_write_paths{"."};
    std::vector<std::string> m_commands{"*"};
    std::map<std::string, std::string> m_info{{"clusterName", "test"}, {"debug", "false"}};
    services::StateValues m_values;
    std::vector<std::string> m_finished;
    std::vector<std::string> m_log;
    std::vector<std::string> m_shown;
    std::vector<std::string> m_begun;
    std::vector<StepChange> m_committed;
    std::string m_die_after;
    std::string m_old_path;
    bool m_answer = true;
    int m_answers = 0;
};

}  // namespace upgrade::testing
