// SPDX-License-Identifier: Apache-2.0
// A run in the ledger: its lease, its row, its state.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "engine/lease_holder.hpp"
#include "engine/report.hpp"
#include "engine/work_tree.hpp"
#include "ledger/ledger.hpp"
#include "model/run_state.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"

namespace runner {

/// From the lease to the end of the run. The lease goes when this goes, so every plugin process
/// must have ended before.
class RecordedRun {
 public:
    /// Takes the lease, waiting up to `wait`; reports whose lease was taken over. Throws
    /// Error{lease_held}, Interrupted.
    /// `id`: the run's; empty: a new one.
    RecordedRun(std::unique_ptr<Ledger> ledger, std::chrono::milliseconds wait, Reporter& reporter,
                const StopSignals& signals, const Clock& clock, const std::string& id = {});

    [[nodiscard]] Ledger& ledger() const { return *m_ledger; }
    [[nodiscard]] const std::string& id() const { return m_owner.owner; }
    /// Who runs it, for the history.
    [[nodiscard]] const std::string& actor() const { return m_owner.actor; }
    [[nodiscard]] RunState state() const { return m_state; }

    /// Tidies up after a run that died, and reports what it did: marks it interrupted, puts back
    /// the files of its unfinished step.
    void recover(WorkTree& work_tree);
    /// Opens the row: from here on the run is in the history.
    void begin(const std::string& command, const std::string& target,
               const std::string& reason = {});
    void move_to(RunState next);
    void finish(RunState end, Outcome outcome, const std::string& message);
    /// Like finish, when something has failed: does nothing without an open row, records
    /// `interrupted` where `end` cannot follow, and only warns when the ledger itself fails.
    void abandon(RunState end, Outcome outcome, const std::string& message);

 private:
    Reporter& m_reporter;
    std::unique_ptr<Ledger> m_ledger;
    LeaseInfo m_owner;
    LeaseHolder m_lease;
    RunState m_state = RunState::queued;
    bool m_begun = false;
};

}  // namespace runner
