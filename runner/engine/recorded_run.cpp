// SPDX-License-Identifier: Apache-2.0
#include "engine/recorded_run.hpp"

#include <utility>

#include "engine/recovery.hpp"
#include "support/text.hpp"

namespace runner {
RecordedRun::RecordedRun(std::unique_ptr<Ledger> ledger, std::chrono::milliseconds wait,
                         Reporter& reporter, const StopSignals& signals, const Clock& clock,
                         const std::string& id)
    : m_reporter(reporter),
      m_ledger(std::move(ledger)),
      m_owner(make_lease_owner(id.empty() ? make_run_id(clock) : id)),
      m_lease(*m_ledger) {
    const std::string note =
        acquire_lease(*m_ledger, m_owner, wait, signals, clock,
                      [&](const std::string& words) { m_reporter.notice(words); });
    if (!note.empty()) m_reporter.notice(note);
}

void RecordedRun::recover(WorkTree& work_tree) {
    for (const InterruptedRun& left : m_ledger->mark_interrupted()) {
        m_reporter.moved(left.id, left.state, RunState::interrupted);
        const bool undoing = left.state == RunState::rolling_back;
        const std::string where =
            left.upgrade.empty() ? "" : (undoing ? " while it undid " : " in ") + left.upgrade;
        m_reporter.notice("run " + left.id + " of " + left.actor + " on " + left.host +
                          " was interrupted" + where + " after " +
                          counted(left.finished, "finished upgrade") +
                          (undoing ? "" : "; going on from there"));
    }
    for (const std::string& restored : restore_unfinished_files(*m_ledger, work_tree)) {
        m_reporter.notice(restored);
    }
}

void RecordedRun::begin(const std::string& command, const std::string& target,
                        const std::string& reason) {
    m_ledger->begin_run(
        {id(), command, m_owner.actor, m_owner.host, m_owner.pid, RUNNER_VERSION, target, reason});
    m_begun = true;
}

void RecordedRun::move_to(RunState next) {
    m_ledger->move_run(id(), m_state, next);
    m_reporter.moved(id(), m_state, next);
    m_state = next;
}

void RecordedRun::finish(RunState end, Outcome outcome, const std::string& message) {
    m_ledger->finish_run(id(), m_state, end, outcome, message);
    m_reporter.moved(id(), m_state, end);
    m_state = end;
}

void RecordedRun::abandon(RunState end, Outcome outcome, const std::string& message) {
    if (!m_begun || is_end(m_state)) return;
    try {
        finish(may_move(m_state, end) ? end : RunState::interrupted, outcome, message);
    } catch (const Error& error) {
        m_reporter.warning(std::string("the end of the run could not be recorded: ") +
                           error.what());
    }
}

}  // namespace runner
