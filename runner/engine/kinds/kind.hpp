// SPDX-License-Identifier: Apache-2.0
// What distinguishes one kind of run from another: which upgrades it chooses, and what it does with
// one. The sequence is the pipeline's; which gates stand is in the table of gates.
#pragma once

#include <string>

#include "engine/run.hpp"

namespace runner {

/// What working on one upgrade came to.
struct Worked {
    AttemptEnd end;
    bool good = false;  ///< the run goes on
};

/// What of an upgrade has to be looked at once more right before it begins.
enum class SecondLook {
    none,
    verdict,  ///< whether it can run
    work,     ///< also what it does: this run itself has changed what that was made from
};

class Kind {
 public:
    virtual ~Kind() = default;

    // What it is.
    /// As the history has it: `upgrade`, `rollback --to 0.0.62`.
    [[nodiscard]] virtual std::string command(const Run& run) const = 0;
    /// Whether it changes something, unless it is a dry run: then it takes the lease, is in the
    /// history, and shows before it acts.
    [[nodiscard]] virtual bool changes_something() const { return true; }
    /// Whether somebody is asked, and the config's hooks are run.
    [[nodiscard]] virtual bool has_user() const { return changes_something(); }
    /// The option that stands for a yes.
    [[nodiscard]] virtual const char* yes_option() const { return "--yes"; }
    /// Whether its work is to undo upgrades.
    [[nodiscard]] virtual bool undoes() const { return false; }
    /// The state of a run that works.
    [[nodiscard]] RunState working() const {
        return undoes() ? RunState::rolling_back : RunState::applying;
    }
    /// How a run ends that fails after something may have been changed.
    [[nodiscard]] RunState failed() const {
        return undoes() ? RunState::rollback_failed : RunState::failed;
    }
    [[nodiscard]] Outcome failed_outcome() const {
        return undoes() ? Outcome::rollback_failed : Outcome::failed;
    }
    /// Who is believed. Throws Error{usage} when the config cannot say.
    [[nodiscard]] virtual TrustPolicy trust(const Run& run) const {
        return TrustPolicy::of(run.parts.config);
    }

    // Choosing.
    /// Throws Error{usage} when nobody could answer the question that will come.
    virtual void check_request(const Run& run) const;
    /// Fills run.upgrades and what the report says of the whole, from run.facts. Called when
    /// looking, and once more under the lease.
    virtual void choose(Run& run) = 0;
    /// Whether there is something to record although nothing was chosen.
    [[nodiscard]] virtual bool goes_on_without_upgrades(const Run&) const { return false; }
    /// Whether that has to be asked for.
    [[nodiscard]] virtual bool asks_without_upgrades(const Run&) const { return false; }
    /// Ends a run in which there is nothing to do.
    virtual void end_with_nothing_to_do(Run& run);
    /// Reads what has to be known of each before the gates are asked.
    virtual void load(Run& run) { run.supply->load(run.upgrades, true); }
    /// The gates. Throws Error.
    virtual void pass_admission(Run& run) { pass_gates(run.gate_input(), GateMoment::admit); }
    /// Brings the report up to date, before it is shown.
    virtual void describe(Run& run) { run.refresh_report(); }

    // Preparing and showing.
    /// Values for the parameters of all upgrades. Throws Error{preparation}.
    virtual void resolve_parameters(Run& run);
    /// The archives of those that need them.
    virtual void fetch(Run& run);
    /// Whether its library or program is needed, and not there yet.
    [[nodiscard]] bool wants_image(const UpgradeInRun& upgrade) const {
        return !upgrade.image && needs_image(upgrade);
    }
    /// Whether its library or program is needed.
    [[nodiscard]] virtual bool needs_image(const UpgradeInRun& upgrade) const {
        return upgrade.known.release != nullptr;
    }
    /// Shows what would be done with one, and changes nothing. Throws Error{preparation} when it
    /// cannot be done.
    virtual void rehearse(Run& run, UpgradeInRun& upgrade) = 0;
    /// After all were rehearsed.
    virtual void settle_rehearsal(Run&) {}
    /// What is asked before anything is done, beside the risks: a sentence.
    [[nodiscard]] virtual std::string question(const Run& run) const = 0;

    // Working.
    /// Before the first one begins. Throws Error when not all can be worked on.
    virtual void before_work(Run&) {}
    [[nodiscard]] virtual SecondLook second_look(Run&, const UpgradeInRun&) const {
        return SecondLook::none;
    }
    /// Right before one begins: judges it once more, where `look` asks for it. Throws Error when it
    /// is not as it was shown.
    virtual void look_again(Run&, UpgradeInRun&, SecondLook) {}
    /// After look_again has set the verdict `left_out`: takes it out of the run.
    virtual void go_on_without(Run&) {}
    /// Keeps what undoing or checking it later takes.
    virtual void keep_for_later(Run&, const UpgradeInRun&) {}
    /// Does it. How it ended is not committed when this returns.
    virtual Worked work(Run& run, UpgradeInRun& upgrade) = 0;
    /// After the last one, when all went well.
    virtual void end(Run& run) = 0;
    /// After one that did not go well.
    virtual void end_after_failure(Run& run, UpgradeInRun& upgrade, const AttemptEnd& end) = 0;
};

/// For run.adjust_phases: who asked for an undo or a check has answered what an upgrade asks.
void confirm_everything(PhaseRunnerOptions& phases);

/// Gives every upgrade of the run values for its parameters. Throws Error{preparation} that names
/// everything that is missing or wrong.
void assign_parameters(Run& run, const GivenParameters& given);

}  // namespace runner
