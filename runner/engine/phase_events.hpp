// SPDX-License-Identifier: Apache-2.0
// What a phase of an upgrade tells and asks, handed to the reporter, the log and the ledger.
// Nothing of it is believed unseen.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/lease_holder.hpp"
#include "engine/parts.hpp"
#include "engine/upgrade_in_run.hpp"
#include "support/redaction.hpp"
#include "support/text.hpp"

namespace runner {

struct PhaseRunnerOptions {
    bool debug = false;
    bool yes = false;  ///< confirmations are skipped
    int lease = -1;
    bool sandbox = true;        ///< the kernel enforces the declared permissions, where it can
    bool hold_to_shown = true;  ///< apply does what its simulation has shown, or nothing
    /// That each phase finds empty; it goes by a name in what is compared. Empty: there is none.
    std::string temporary_folder{};
    /// Called when a step is recorded as finished; what it throws ends the plugin there. For
    /// proving that an upgrade that died goes on.
    std::function<void(const std::string& step)> after_step;
};

/// Where a phase is recorded; without a writer nowhere.
struct PhaseRecord {
    Ledger* writer = nullptr;
    std::string run;
    bool force = false;  ///< rollback: files that were changed by hand are put back, too
};

/// Serves one phase.
class PhaseEvents final : public HostEvents {
 public:
    /// All must outlive it. `view` serves state values.
    PhaseEvents(const EngineParts& parts, const PhaseRunnerOptions& options,
                const Redactor& redactor, LedgerView& view, const UpgradeInRun& upgrade,
                HostPhase phase, const PhaseRecord& record);

    void on_log(std::int32_t level, const std::string& text) override;
    void on_output(std::string_view bytes) override;
    void on_progress(std::uint64_t done, std::uint64_t total, const std::string& message) override;
    void on_command_shown(const std::vector<std::string>& arguments,
                          const CommandInput& input) override;
    void on_command_begun(const BegunCommand& begun) override;
    void on_step_begun(const std::string& id, const std::string& description) override;
    bool confirm(const std::string& question) override;
    std::optional<std::string> state_value(std::int32_t scope, const std::string& key) override;
    void record_files(const std::string& step, const std::vector<HostFileChange>& changes) override;
    void record_step(const std::string& id, const HostValues& values) override;
    void record_step_undone(const std::string& id, const HostValues& values) override;
    upgrade::services::FileChanges undone_in_simulation(const std::string& step) override;
    void on_stop_signal(int count) override;
    void tick() override;

    /// A last line without its newline.
    void end_of_output();
    /// What a phase has told at its end is not recorded with a secret in it. Throws
    /// Error{preparation}.
    void refuse_secrets_in(const PhaseResult& result) const;

    /// Whether something was refused in a way that the sandbox refuses.
    [[nodiscard]] bool saw_refusal() const { return m_saw_refusal; }
    /// Why the upgrade was stopped before it wrote something else than was shown, or before its
    /// undo put back what somebody has changed; empty: it was not.
    [[nodiscard]] const std::string& changed_since_shown() const { return m_changed; }
    /// The commands that a simulation has shown.
    [[nodiscard]] std::vector<CommandWords> take_commands() { return std::move(m_commands); }
    /// The changing commands that were started for real, masked.
    [[nodiscard]] const std::vector<std::string>& commands_begun() const { return m_begun; }
    /// Those of a step that did not finish, added to those of earlier tries.
    void add_open_commands(std::vector<std::string>& commands) const {
        if (m_finished_a_step) commands.clear();
        commands.insert(commands.end(), m_in_open_step.begin(), m_in_open_step.end());
    }

 private:
    /// What the ledger and saved plans keep they keep for ever, and readable. Throws
    /// Error{preparation}.
    void refuse_secret(const std::string& what, const std::string& text) const;
    void refuse_secrets(const HostValues& values) const;
    void printed(std::string_view text);
    void line(std::int32_t level, const std::string& text);
    void flush_lines() { show(m_lines.flush()); }
    void show(const std::vector<LineRedactor::Line>& lines);
    [[nodiscard]] FileIntent checked_intent(const HostFileChange& change,
                                            const std::vector<std::string>& own_paths) const;
    /// An original is kept beside the ledger, with those of its upgrade.
    void check_original(const HostFileChange& change) const;
    [[nodiscard]] bool is_held_to_shown() const {
        return m_phase == HostPhase::apply && m_options.hold_to_shown;
    }
    [[noreturn]] void refuse_as_changed(const std::string& why);
    /// These throw Error{preparation} when it is not what was shown.
    void hold_to_shown(const std::string& step, const HostFileChange& change,
                       const FileIntent& intent);
    void hold_to_shown(const BegunCommand& command);
    /// A command as it is told, its secrets masked.
    [[nodiscard]] ToldCommand told(const std::vector<std::string>& arguments) const;
    /// A text of one line as it is told: masked, then made harmless, then cut.
    [[nodiscard]] std::string shown(const std::string& text, std::size_t limit) const;
    /// A word of a command as it can be compared.
    [[nodiscard]] std::string comparable(const std::string& word) const;
    void refuse_changed_by_hand();
    void end_step() {
        m_step_is_open = m_has_open_effects = false;
        m_in_open_step.clear();
    }
    Ledger& writer();

    const EngineParts& m_parts;
    const PhaseRunnerOptions& m_options;
    const Redactor& m_redactor;
    LedgerView& m_view;
    const UpgradeInRun& m_upgrade;
    HostPhase m_phase;
    PhaseRecord m_record;
    std::unique_ptr<RunLog> m_log;
    LineRedactor m_lines;
    Heart m_heart;
    LineBuffer m_output;
    std::vector<CommandWords> m_commands;
    std::vector<std::string> m_begun;
    std::vector<std::string> m_in_open_step;
    bool m_step_is_open = false;
    bool m_has_open_effects = false;  ///< commands that belong to no finished step, as recorded
    bool m_finished_a_step = false;
    std::string m_changed;
    bool m_saw_refusal = false;
};

/// The kernel's words for what the sandbox refuses, as programs print them.
bool tells_of_refusal(const std::string& text);

}  // namespace runner
