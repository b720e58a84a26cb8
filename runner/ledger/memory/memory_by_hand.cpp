// SPDX-License-Identifier: Apache-2.0
// What people change in a ledger.
#include <set>

#include "ledger/memory/memory_writer.hpp"
#include "ledger/refusals.hpp"

namespace runner {
namespace {

/// What SQLite says of a row that is there already.
Error twice(const std::string& what) {
    return {Failure::preparation, "the ledger in memory cannot be used: a second " + what};
}

/// Puts what must not be there yet.
template <typename Map, typename Key, typename Value>
void insert_new(Map& map, const Key& key, const Value& value, const char* what) {
    if (!map.emplace(key, value).second) throw twice(what);
}

void import_into(MemoryTables& tables, const LedgerDump& dump) {
    tables.identity = dump.identity;
    tables.original_version = dump.original_version;
    tables.cluster_version = dump.cluster_version;
    for (DoneRecord done : dump.done) {
        done.how = "import";
        tables.add_done(std::move(done));
    }
    for (const SkippedUpgrade& skip : dump.skipped)
        insert_new(tables.skips, skip.version, skip, "skip");
    for (const LedgerDump::Pin& pin : dump.pins)
        insert_new(tables.pins, std::pair(pin.version, pin.platform), pin.digest, "pin");
    std::set<std::pair<std::string, std::string>> steps;
    for (const LedgerDump::Step& step : tables.steps) steps.insert({step.version, step.id});
    for (const LedgerDump::Step& step : dump.steps) {
        if (!steps.insert({step.version, step.id}).second) throw twice("step");
        tables.steps.push_back(step);
    }
    for (const auto& [key, value] : dump.values) insert_new(tables.values, key, value, "value");
    for (const auto& [name, value] : dump.parameters)
        insert_new(tables.parameters, name, value, "parameter");
    for (const Declaration& declaration : dump.declared) {
        if (!tables.declared.insert(declaration).second) throw twice("declaration");
    }
}

}  // namespace

bool MemoryLedger::settle_attempts(const std::string& version) {
    bool any = false;
    for (MemoryAttempt& attempt : m_store.m_tables->attempts) {
        if (attempt.record.version != version || attempt.settled) continue;
        attempt.settled = true;
        any = true;
    }
    return any;
}

void MemoryLedger::record_done(const DoneRecord& done, const std::string& actor,
                               const std::string& reason) {
    write("record_done", [&](MemoryTables& tables) {
        DoneRecord record = done;
        record.recorded_at = now();
        tables.add_done(std::move(record));
        settle_attempts(done.version);
        event("recorded", done.run, done.version);
        by_hand("recorded", done.version, actor, reason);
    });
}

void MemoryLedger::record_skip(const SkippedUpgrade& skip) {
    write("record_skip", [&](MemoryTables& tables) {
        if (tables.done.count(skip.version) > 0) throw done_already(skip.version);
        tables.skips[skip.version] = skip;
        event("skipped", "", skip.version);
        by_hand("skipped", skip.version, skip.actor, skip.reason);
    });
}

bool MemoryLedger::remove_skip(const std::string& version, const std::string& actor) {
    bool was_skipped = false;
    write("remove_skip", [&](MemoryTables& tables) {
        was_skipped = tables.skips.erase(version) > 0;
        if (!was_skipped) return;
        event("unskipped", "", version);
        by_hand("unskipped", version, actor);
    });
    return was_skipped;
}

bool MemoryLedger::forget(const std::string& version, const std::string& actor,
                          const std::string& reason) {
    bool was_begun = false;
    write("forget", [&](MemoryTables& tables) {
        was_begun = tables.done.erase(version) > 0;
        was_begun = tables.remove_effects(version) || was_begun;
        const auto pins =
            std::erase_if(tables.pins, [&](const auto& pin) { return pin.first.first == version; });
        was_begun = settle_attempts(version) || pins > 0 || was_begun;
        if (!was_begun) return;
        event("forgotten", "", version);
        by_hand("forgotten", version, actor, reason);
    });
    return was_begun;
}

void MemoryLedger::import(const LedgerDump& dump, const std::string& actor) {
    write("import", [&](MemoryTables& tables) {
        if (tables.identity) throw not_empty("the memory");
        MemoryTables imported = tables;
        import_into(imported, dump);
        tables = std::move(imported);
        event("imported", "", "");
        by_hand("imported", "", actor);
    });
}

void MemoryLedger::accept_digest(const std::string& version, const std::string& platform,
                                 const Digest& digest, const std::string& actor) {
    write("accept_digest", [&](MemoryTables& tables) {
        const auto pin = tables.pins.find({version, platform});
        if (pin != tables.pins.end()) pin->second = digest.to_string();
        event("digest_accepted", "", version);
        by_hand("digest_accepted", version, actor, digest.to_string());
    });
}

}  // namespace runner
