// SPDX-License-Identifier: Apache-2.0
// Runs and attempts.
#include "ledger/refusals.hpp"
#include "ledger/sqlite_store.hpp"

namespace runner {

std::vector<InterruptedRun> SqliteLedger::mark_interrupted() {
    std::vector<InterruptedRun> interrupted;
    write([&] {
        const StatementUse query = m_database->statement(
            "SELECT r.id, r.actor, r.host, r.started_at, "
            "coalesce((SELECT version FROM attempt WHERE run = r.id AND outcome IS NULL), ''), "
            "(SELECT count(*) FROM attempt WHERE run = r.id AND outcome IN ('succeeded', "
            "'nothing_to_do')), r.state "
            "FROM run r WHERE r.finished_at IS NULL ORDER BY r.rowid");
        while (query.executeStep()) {
            interrupted.push_back(
                {query.getColumn(0), query.getColumn(1), query.getColumn(2),
                 Time(query.getColumn(3).getInt64()), query.getColumn(4),
                 static_cast<std::size_t>(query.getColumn(5).getInt64()),
                 run_state_from(query.getColumn(6).getString()).value_or(RunState::queued)});
        }
        for (const InterruptedRun& run : interrupted) {
            const StatementUse attempt = m_database->statement(
                "UPDATE attempt SET outcome = 'interrupted', finished_at = ?1, "
                "message = 'the runner died while it ran' WHERE run = ?2 AND outcome IS NULL");
            attempt.bind(1, m_clock.wall().count());
            attempt.bind(2, run.id);
            attempt.exec();
            close_run(run.id, RunState::interrupted, Outcome::interrupted, "the runner died");
            event("run_interrupted", run.id, run.upgrade, Json::object());
        }
    });
    return interrupted;
}

void SqliteLedger::begin_run(const RunStart& run) {
    write([&] {
        const StatementUse insert = m_database->statement(
            "INSERT INTO run (id, command, actor, host, pid, runner_version, target, state, "
            "started_at, "
            "state_entered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?8)");
        insert.bind(1, run.id);
        insert.bind(2, run.command);
        insert.bind(3, run.actor);
        insert.bind(4, run.host);
        insert.bind(5, run.pid);
        insert.bind(6, run.runner_version);
        insert.bind(7, run.target);
        insert.bind(8, m_clock.wall().count());
        insert.exec();
        Json detail = {{"command", run.command}, {"actor", run.actor}, {"target", run.target}};
        if (!run.reason.empty()) detail["reason"] = run.reason;
        event("run_started", run.id, "", detail);
    });
}

void SqliteLedger::move(const std::string& run, RunState from, RunState to) {
    if (!may_move(from, to)) throw no_such_move(from, to);
    const StatementUse update = m_database->statement(
        "UPDATE run SET state = ?, state_entered_at = ? WHERE id = ? AND state = ?");
    update.bind(1, to_string(to));
    update.bind(2, m_clock.wall().count());
    update.bind(3, run);
    update.bind(4, to_string(from));
    if (update.exec() != 1) throw moved_by_others(run, from);
}

void SqliteLedger::move_run(const std::string& run, RunState from, RunState to) {
    write([&] {
        require_lease();
        move(run, from, to);
    });
}

void SqliteLedger::finish_run(const std::string& run, RunState from, RunState to, Outcome outcome,
                              const std::string& message) {
    write([&] {
        require_lease();
        move(run, from, to);
        close_run(run, to, outcome, message);
        event("run_finished", run, "", {{"outcome", to_string(outcome)}, {"message", message}});
    });
}

void SqliteLedger::close_run(const std::string& run, RunState state, Outcome outcome,
                             const std::string& message) {
    const StatementUse update = m_database->statement(
        "UPDATE run SET state = ?1, outcome = ?2, message = ?3, state_entered_at = ?4, "
        "finished_at = ?4 WHERE id = ?5");
    update.bind(1, to_string(state));
    update.bind(2, to_string(outcome));
    update.bind(3, message);
    update.bind(4, m_clock.wall().count());
    update.bind(5, run);
    update.exec();
}

/// Of an executable, or with network: no end of a step covers what it may have changed.
constexpr int k_effects_at_any_time = 2;

void SqliteLedger::advance(const std::string& run, const std::optional<AttemptEnd>& end,
                           const std::optional<AttemptStart>& start) {
    write([&] {
        require_lease();
        if (end) close_attempt(run, *end);
        if (start) open_attempt(run, *start);
    });
}

void SqliteLedger::open_attempt(const std::string& run, const AttemptStart& start) {
    const StatementUse insert = m_database->statement(
        "INSERT INTO attempt (run, version, tag, platform, digest, late, log, started_at, "
        "signer, form, manifest, has_check, is_undo, other_effects) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), ?, ?, ?, ?, ?)");
    const std::string digest = start.digest ? start.digest->to_string() : "";
    insert.bind(1, run);
    insert.bind(2, start.version);
    insert.bind(3, start.tag);
    insert.bind(4, start.platform);
    insert.bind(5, digest);
    insert.bind(6, start.late ? 1 : 0);
    insert.bind(7, start.log);
    insert.bind(8, m_clock.wall().count());
    insert.bind(9, start.signer);
    insert.bind(10, to_string(start.form));
    insert.bind(11, start.manifest);
    insert.bind(12, start.has_check ? 1 : 0);
    insert.bind(13, start.is_undo ? 1 : 0);
    insert.bind(14, start.other_effects ? k_effects_at_any_time : 0);
    insert.exec();
    if (start.digest) {
        const StatementUse pin = m_database->statement(
            "INSERT OR IGNORE INTO pin (version, platform, digest) VALUES (?, ?, ?)");
        pin.bind(1, start.version);
        pin.bind(2, start.platform);
        pin.bind(3, digest);
        pin.exec();
    }
    event("attempt_started", run, start.version, {{"digest", digest}});
}

void SqliteLedger::close_attempt(const std::string& run, const AttemptEnd& end) {
    const Settles settles = settled_by(end.outcome);
    const StatementUse update = m_database->statement(
        "UPDATE attempt SET outcome = ?, message = ?, finished_at = ?, apply_ms = ?, verify_ms "
        "= ?, settled = ? "
        "WHERE run = ? AND version = ? AND outcome IS NULL");
    update.bind(1, to_string(end.outcome));
    update.bind(2, end.message);
    update.bind(3, m_clock.wall().count());
    update.bind(4, end.apply_time.count());
    update.bind(5, end.verify_time.count());
    update.bind(6, settles == Settles::nothing ? 0 : 1);
    update.bind(7, run);
    update.bind(8, end.version);
    update.exec();
    if (settles == Settles::upgrade) {
        settle_attempts(end.version);
        finish_files(end.version);
    }
    if (end.done && !record_done_by_run(run, end)) return;
    if (end.undone) undo_records(end);
    if (settles == Settles::upgrade && !end.done && !is_done(end.version))
        remove_effects(end.version);
    if (end.cluster_version) raise_version(*end.cluster_version);
    event("attempt_finished", run, end.version,
          {{"outcome", to_string(end.outcome)}, {"message", end.message}});
}

bool SqliteLedger::record_done_by_run(const std::string& run, const AttemptEnd& end) {
    const StatementUse attempt = m_database->statement(
        "SELECT tag, platform, digest FROM attempt WHERE run = ? AND version = ? ORDER BY id "
        "DESC LIMIT 1");
    attempt.bind(1, run);
    attempt.bind(2, end.version);
    if (!attempt.executeStep()) return false;
    insert_done(end.version, attempt.getColumn(0), attempt.getColumn(1),
                Digest::parse(attempt.getColumn(2).getString()), run, "upgrade");
    store_values(end.version, end.values);
    store_declarations(end);
    return true;
}

bool SqliteLedger::is_done(const std::string& version) {
    const StatementUse done = m_database->statement("SELECT 1 FROM upgrade WHERE version = ?");
    done.bind(1, version);
    return done.executeStep();
}

void SqliteLedger::undo_records(const AttemptEnd& end) {
    const StatementUse remove = m_database->statement("DELETE FROM upgrade WHERE version = ?");
    remove.bind(1, end.version);
    remove.exec();
    if (end.lowered_version) set_version(*end.lowered_version);
}

bool SqliteLedger::remove_effects(const std::string& version) {
    bool any = false;
    for (const char* sql : {"DELETE FROM step WHERE version = ?",
                            "DELETE FROM file_change WHERE version = ? AND finished = 1"}) {
        const StatementUse remove = m_database->statement(sql);
        remove.bind(1, version);
        any = remove.exec() > 0 || any;
    }
    const StatementUse values = m_database->statement("DELETE FROM state_value WHERE scope = ?");
    values.bind(1, stored_scope(0, version));
    return values.exec() > 0 || any;
}

void SqliteLedger::record_other_effects(const std::string& run, const std::string& version) {
    write([&] {
        require_lease();
        const StatementUse update = m_database->statement(
            "UPDATE attempt SET other_effects = max(other_effects, 1) WHERE run = ? AND version = "
            "? "
            "AND outcome IS NULL");
        update.bind(1, run);
        update.bind(2, version);
        update.exec();
    });
}

void SqliteLedger::store_declarations(const AttemptEnd& end) {
    for (const Declaration& declaration : end.declarations) {
        const StatementUse insert = m_database->statement(
            "INSERT OR IGNORE INTO declaration (kind, name, version) VALUES (?, ?, ?)");
        insert.bind(1, declaration.kind);
        insert.bind(2, declaration.name);
        insert.bind(3, end.version);
        insert.exec();
    }
    for (const auto& [name, value] : end.parameters) {
        const StatementUse insert = m_database->statement(
            "INSERT OR REPLACE INTO parameter_value (name, value, version) VALUES (?, ?, ?)");
        insert.bind(1, name);
        insert.bind(2, value);
        insert.bind(3, end.version);
        insert.exec();
    }
}

}  // namespace runner
