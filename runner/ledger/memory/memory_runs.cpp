// SPDX-License-Identifier: Apache-2.0
// Runs and attempts.
#include "ledger/memory/memory_writer.hpp"
#include "ledger/refusals.hpp"

namespace runner {

void MemoryLedger::begin_run(const RunStart& run) {
    write("begin_run", [&](MemoryTables& tables) {
        if (!tables.run_by_id.emplace(run.id, tables.runs.size()).second)
            throw Error(Failure::preparation, "the ledger in memory has a run " + run.id);
        RunRecord record;
        record.start = run;
        record.start.reason.clear();  // it is in the history
        record.started_at = now();
        tables.runs.push_back({std::move(record), {}});
        event("run_started", run.id, "");
    });
}

RunRecord& MemoryLedger::run_to_move(const std::string& run, RunState from, RunState to) {
    require_lease();
    if (!may_move(from, to)) throw no_such_move(from, to);
    MemoryTables& tables = *m_store.m_tables;
    const auto found = tables.run_by_id.find(run);
    if (found == tables.run_by_id.end() || tables.runs[found->second].record.state != from)
        throw moved_by_others(run, from);
    return tables.runs[found->second].record;
}

void MemoryLedger::move_run(const std::string& run, RunState from, RunState to) {
    write("move_run", [&](MemoryTables&) { run_to_move(run, from, to).state = to; });
}

void MemoryLedger::finish_run(const std::string& run, RunState from, RunState to, Outcome outcome,
                              const std::string& message) {
    write("finish_run", [&](MemoryTables& tables) {
        run_to_move(run, from, to);
        close_run(tables.run_by_id.at(run), to, outcome, message);
        event("run_finished", run, "");
    });
}

void MemoryLedger::close_run(std::size_t index, RunState state, Outcome outcome,
                             const std::string& message) {
    RunRecord& record = m_store.m_tables->runs[index].record;
    record.state = state;
    record.outcome = to_string(outcome);
    record.message = message;
    record.finished_at = now();
}

std::vector<InterruptedRun> MemoryLedger::mark_interrupted() {
    std::vector<InterruptedRun> interrupted;
    write("mark_interrupted", [&](MemoryTables& tables) {
        for (std::size_t index = 0; index < tables.runs.size(); ++index) {
            const RunRecord& record = tables.runs[index].record;
            if (record.finished_at) continue;
            InterruptedRun run{
                record.start.id, record.start.actor, record.start.host, record.started_at, {}, 0,
                record.state};
            for (const std::size_t number : tables.runs[index].attempts) {
                AttemptRecord& attempt = tables.attempts[number].record;
                if (attempt.outcome == "succeeded" || attempt.outcome == "nothing_to_do")
                    ++run.finished;
                if (!attempt.outcome.empty()) continue;
                if (run.upgrade.empty()) run.upgrade = attempt.version;
                attempt.outcome = to_string(Outcome::interrupted);
                attempt.message = "the runner died while it ran";
                attempt.finished_at = now();
            }
            close_run(index, RunState::interrupted, Outcome::interrupted, "the runner died");
            event("run_interrupted", run.id, run.upgrade);
            interrupted.push_back(std::move(run));
        }
    });
    return interrupted;
}

void MemoryLedger::close_loose_ends() {
    write("close_loose_ends", [&](MemoryTables& tables) {
        bool any = false;
        for (MemoryAttempt& attempt : tables.attempts) {
            const MemoryRun& run = tables.runs[tables.run_by_id.at(attempt.record.run)];
            if (!attempt.record.outcome.empty() || !run.record.finished_at) continue;
            attempt.record.outcome = to_string(Outcome::interrupted);
            attempt.record.finished_at = now();
            any = true;
        }
        if (any) event("loose_ends_closed", "", "");
    });
}

void MemoryLedger::advance(const std::string& run, const std::optional<AttemptEnd>& end,
                           const std::optional<AttemptStart>& start) {
    write("advance", [&](MemoryTables& tables) {
        require_lease();
        if (start && tables.run_by_id.count(run) == 0)
            throw Error(Failure::preparation, "the ledger in memory has no run " + run);
        if (end) close_attempt(run, *end);
        if (start) open_attempt(run, *start);
    });
}

void MemoryLedger::open_attempt(const std::string& run, const AttemptStart& start) {
    MemoryTables& tables = *m_store.m_tables;
    const std::size_t index = tables.attempts.size();
    MemoryAttempt attempt;
    attempt.record.id = static_cast<std::int64_t>(index) + 1;
    attempt.record.run = run;
    attempt.record.version = start.version;
    attempt.record.tag = start.tag;
    attempt.record.digest = start.digest ? start.digest->to_string() : "";
    attempt.record.signer = start.signer;
    attempt.record.log = start.log;
    attempt.record.late = start.late;
    attempt.record.started_at = now();
    attempt.platform = start.platform;
    attempt.is_undo = start.is_undo;
    attempt.effects_at_any_time = start.other_effects;
    attempt.manifest = {start.form, start.manifest, start.has_check};
    if (start.digest)
        tables.pins.emplace(std::pair(start.version, start.platform), attempt.record.digest);
    tables.attempts.push_back(std::move(attempt));
    tables.runs[tables.run_by_id.at(run)].attempts.push_back(index);
    event("attempt_started", run, start.version);
}

void MemoryLedger::close_attempt(const std::string& run, const AttemptEnd& end) {
    MemoryTables& tables = *m_store.m_tables;
    const Settles settles = settled_by(end.outcome);
    const MemoryAttempt* newest = nullptr;
    const auto found = tables.run_by_id.find(run);
    const std::vector<std::size_t> none;
    for (const std::size_t index :
         found == tables.run_by_id.end() ? none : tables.runs[found->second].attempts) {
        MemoryAttempt& attempt = tables.attempts[index];
        if (attempt.record.version != end.version) continue;
        newest = &attempt;
        if (!attempt.record.outcome.empty()) continue;
        attempt.record.outcome = to_string(end.outcome);
        attempt.record.message = end.message;
        attempt.record.finished_at = now();
        attempt.record.apply_time = end.apply_time;
        attempt.record.verify_time = end.verify_time;
        attempt.settled = settles != Settles::nothing;
    }
    if (settles == Settles::upgrade) {
        settle_attempts(end.version);
        tables.finish_files(end.version);
    }
    if (end.done) {
        if (newest == nullptr) return;
        const AttemptRecord& attempt = newest->record;
        tables.add_done(
            {end.version, attempt.tag, newest->platform, attempt.digest, run, "upgrade", now()});
        store_values(end.version, end.values);
        tables.declared.insert(end.declarations.begin(), end.declarations.end());
        for (const auto& [name, value] : end.parameters) tables.parameters[name] = value;
    }
    if (end.undone) undo_records(end);
    if (settles == Settles::upgrade && tables.done.count(end.version) == 0)
        tables.remove_effects(end.version);
    if (end.cluster_version) raise_version(*end.cluster_version);
    event("attempt_finished", run, end.version);
}

void MemoryLedger::undo_records(const AttemptEnd& end) {
    MemoryTables& tables = *m_store.m_tables;
    tables.done.erase(end.version);
    if (end.lowered_version && tables.identity) tables.cluster_version = end.lowered_version;
}

void MemoryLedger::record_other_effects(const std::string& run, const std::string& version) {
    write("record_other_effects", [&](MemoryTables& tables) {
        require_lease();
        for (MemoryAttempt& attempt : tables.attempts) {
            const AttemptRecord& record = attempt.record;
            if (record.run == run && record.version == version && record.outcome.empty())
                attempt.open_commands = true;
        }
    });
}

}  // namespace runner
