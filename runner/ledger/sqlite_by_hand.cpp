// SPDX-License-Identifier: Apache-2.0
// What people change in a ledger.
#include "ledger/refusals.hpp"
#include "ledger/sqlite_store.hpp"

namespace runner {
namespace {

/// Who and why. What somebody has tampered with is told by first_broken_event, and hinders nothing
/// here.
void take_detail(HandChange& change, const std::string& text) {
    try {
        const std::string what = "an event of the history";
        const Json document = parse_json(text, what);
        const JsonObject detail(document, what);
        if (change.kind == "version_corrected") change.version = detail.string_or("to", "");
        change.actor = detail.string_or("actor", "");
        change.reason =
            detail.string_or("reason", detail.string_or("text", detail.string_or("digest", "")));
    } catch (const Error&) {
        change.reason = "(cannot be read)";
    }
}

}  // namespace

void SqliteLedger::record_done(const DoneRecord& done, const std::string& actor,
                               const std::string& reason) {
    write([&] {
        insert_done(done.version, done.tag, done.platform, Digest::parse(done.digest), done.run,
                    done.how);
        settle_attempts(done.version);
        event("recorded", done.run, done.version, {{"actor", actor}, {"reason", reason}});
    });
}

void SqliteLedger::record_skip(const SkippedUpgrade& skip) {
    write([&] {
        if (is_done(skip.version)) throw done_already(skip.version);
        const StatementUse insert = m_database->statement(
            "INSERT OR REPLACE INTO skip (version, reason, actor, recorded_at) VALUES (?, ?, "
            "?, ?)");
        insert.bind(1, skip.version);
        insert.bind(2, skip.reason);
        insert.bind(3, skip.actor);
        insert.bind(4, m_clock.wall().count());
        insert.exec();
        event("skipped", "", skip.version, {{"actor", skip.actor}, {"reason", skip.reason}});
    });
}

bool SqliteLedger::remove_skip(const std::string& version, const std::string& actor) {
    bool was_skipped = false;
    write([&] {
        const StatementUse remove = m_database->statement("DELETE FROM skip WHERE version = ?");
        remove.bind(1, version);
        was_skipped = remove.exec() > 0;
        if (was_skipped) event("unskipped", "", version, {{"actor", actor}});
    });
    return was_skipped;
}

bool SqliteLedger::forget(const std::string& version, const std::string& actor,
                          const std::string& reason) {
    bool was_done = false;
    write([&] {
        const StatementUse remove = m_database->statement("DELETE FROM upgrade WHERE version = ?");
        remove.bind(1, version);
        was_done = remove.exec() > 0;
        const StatementUse pin = m_database->statement("DELETE FROM pin WHERE version = ?");
        pin.bind(1, version);
        was_done = pin.exec() > 0 || was_done;
        was_done = remove_effects(version) || was_done;
        was_done = settle_attempts(version) || was_done;
        if (was_done) event("forgotten", "", version, {{"actor", actor}, {"reason", reason}});
    });
    return was_done;
}

std::vector<HandChange> SqliteQueries::changes_by_hand(std::size_t limit) {
    std::vector<HandChange> changes;
    if (m_database == nullptr) return changes;
    const StatementUse query =
        m_database->statement("SELECT kind, version, detail, at FROM history ORDER BY seq DESC");
    while (changes.size() < limit && query.executeStep()) {
        HandChange change{query.getColumn(0), query.getColumn(1), {}, {}, {}};
        if (!is_by_hand(change.kind)) continue;
        change.at = Time(query.getColumn(3).getInt64());
        take_detail(change, query.getColumn(2));
        changes.push_back(std::move(change));
    }
    return changes;
}

bool SqliteLedger::settle_attempts(const std::string& version) {
    const StatementUse settle =
        m_database->statement("UPDATE attempt SET settled = 1 WHERE version = ? AND settled = 0");
    settle.bind(1, version);
    return settle.exec() > 0;
}

void SqliteLedger::import(const LedgerDump& dump, const std::string& actor) {
    write([&] {
        if (m_queries.facts().identity) throw not_empty(m_file.string());
        const StatementUse insert = m_database->statement(
            "INSERT INTO cluster (id, name, region, account_id, original_version, "
            "cluster_version) "
            "VALUES (1, ?, ?, ?, ?, ?)");
        insert.bind(1, dump.identity.name);
        insert.bind(2, dump.identity.region);
        insert.bind(3, dump.identity.account_id);
        if (dump.original_version) insert.bind(4, dump.original_version->to_string());
        if (dump.cluster_version) insert.bind(5, dump.cluster_version->to_string());
        insert.exec();
        for (const DoneRecord& done : dump.done) {
            insert_done(done.version, done.tag, done.platform, Digest::parse(done.digest), done.run,
                        "import", done.recorded_at);
        }
        import_rest(dump);
        event("imported", "", "", {{"actor", actor}, {"upgrades", dump.done.size()}});
    });
}

void SqliteLedger::import_rest(const LedgerDump& dump) {
    const auto insert = [&](const char* sql, const std::vector<std::string>& values) {
        const StatementUse statement = m_database->statement(sql);
        for (std::size_t i = 0; i < values.size(); ++i)
            statement.bind(static_cast<int>(i) + 1, values[i]);
        statement.exec();
    };
    const std::string now = std::to_string(m_clock.wall().count());
    for (const SkippedUpgrade& skip : dump.skipped)
        insert("INSERT INTO skip (version, reason, actor, recorded_at) VALUES (?, ?, ?, ?)",
               {skip.version, skip.reason, skip.actor, now});
    for (const LedgerDump::Pin& pin : dump.pins)
        insert("INSERT INTO pin (version, platform, digest) VALUES (?, ?, ?)",
               {pin.version, pin.platform, pin.digest});
    for (const LedgerDump::Step& step : dump.steps)
        insert(
            "INSERT INTO step (version, id, position, run, finished_at) VALUES (?1, ?2, "
            "(SELECT coalesce(max(position), -1) + 1 FROM step WHERE version = ?1), '', ?3)",
            {step.version, step.id, now});
    for (const auto& [key, value] : dump.values)
        insert("INSERT INTO state_value (scope, key, value) VALUES (?, ?, ?)",
               {key.first, key.second, value});
    for (const auto& [name, value] : dump.parameters)
        insert("INSERT INTO parameter_value (name, value, version) VALUES (?, ?, '')",
               {name, value});
    for (const Declaration& declaration : dump.declared)
        insert("INSERT INTO declaration (kind, name, version) VALUES (?, ?, '')",
               {declaration.kind, declaration.name});
}

void SqliteLedger::insert_done(const std::string& version, const std::string& tag,
                               const std::string& platform, const std::optional<Digest>& digest,
                               const std::string& run, const std::string& how,
                               std::optional<Time> recorded_at) {
    const StatementUse insert = m_database->statement(
        "INSERT OR REPLACE INTO upgrade (version, tag, platform, digest, run, how, "
        "recorded_at, position) VALUES (?, ?, ?, ?, ?, ?, ?, "
        "(SELECT coalesce(max(position), 0) + 1 FROM upgrade))");
    insert.bind(1, version);
    insert.bind(2, tag);
    insert.bind(3, platform);
    bind_digest(insert, 4, digest);
    insert.bind(5, run);
    insert.bind(6, how);
    insert.bind(7, recorded_at.value_or(m_clock.wall()).count());
    insert.exec();
}

void SqliteLedger::accept_digest(const std::string& version, const std::string& platform,
                                 const Digest& digest, const std::string& actor) {
    write([&] {
        const StatementUse update =
            m_database->statement("UPDATE pin SET digest = ? WHERE version = ? AND platform = ?");
        update.bind(1, digest.to_string());
        update.bind(2, version);
        update.bind(3, platform);
        update.exec();
        event("digest_accepted", "", version, {{"actor", actor}, {"digest", digest.to_string()}});
    });
}

void SqliteLedger::close_loose_ends() {
    write([this] {
        const StatementUse close = m_database->statement(
            "UPDATE attempt SET outcome = 'interrupted', finished_at = ? WHERE outcome IS NULL "
            "AND run IN (SELECT id FROM run WHERE finished_at IS NOT NULL)");
        close.bind(1, m_clock.wall().count());
        if (close.exec() > 0) event("loose_ends_closed", "", "", Json::object());
    });
}

void SqliteLedger::note(const std::string& kind, const std::string& actor,
                        const std::string& text) {
    write([&] { event(kind.c_str(), "", "", {{"actor", actor}, {"text", text}}); });
}

}  // namespace runner
