// SPDX-License-Identifier: Apache-2.0
// Finished steps, the files that they change, state values.
#include <algorithm>
#include <set>

#include "ledger/memory/memory_writer.hpp"

namespace runner {

std::vector<UnfinishedFiles> MemoryLedger::unfinished_files() {
    return by_version(m_store.m_tables->unfinished_files());
}

void MemoryLedger::forget_unfinished_files() {
    write("forget_unfinished_files", [&](MemoryTables& tables) {
        const auto removed = std::erase_if(
            tables.changes, [](const MemoryChange& change) { return !change.finished; });
        if (removed > 0) event("unfinished_files_restored", "", "");
    });
}

std::vector<std::string> MemoryLedger::forget_old_originals(std::size_t kept) {
    std::vector<std::string> versions;
    write("forget_old_originals", [&](MemoryTables& tables) {
        const std::vector<DoneRecord> done = tables.done_in_order();
        std::size_t found = 0;
        for (auto record = done.rbegin(); record != done.rend(); ++record) {
            const bool has_originals = std::any_of(
                tables.changes.begin(), tables.changes.end(), [&](const MemoryChange& change) {
                    return change.intent.version == record->version && change.intent.kept &&
                           !change.intent.backup.empty();
                });
            if (has_originals && found++ >= kept) versions.push_back(record->version);
        }
        for (const std::string& version : versions) {
            for (MemoryChange& change : tables.changes) {
                if (change.intent.version == version) change.intent.kept = false;
            }
            event("originals_removed", "", version);
        }
    });
    return versions;
}

void MemoryLedger::record_files(const std::string& /*run*/, const std::string& version,
                                const std::string& step, const std::vector<FileIntent>& changes) {
    write("record_files", [&](MemoryTables& tables) {
        require_lease();
        for (FileIntent intent : changes) {
            intent.kept = true;
            intent.version = version;
            intent.step = step;
            intent.number = tables.changes.empty() ? 1 : tables.changes.back().intent.number + 1;
            tables.changes.push_back({std::move(intent)});
        }
    });
}

void MemoryLedger::store_values(const std::string& version, const StateMap& values) {
    for (const auto& [key, value] : values)
        m_store.m_tables->values[{stored_scope(key.first, version), key.second}] = value;
}

void MemoryLedger::record_step(const std::string& run, const std::string& version,
                               const std::string& step, const StateMap& values) {
    write("record_step", [&](MemoryTables& tables) {
        require_lease();
        tables.remove_step(version, step);
        tables.steps.push_back({version, step});
        tables.finish_files(version);
        tables.cover_effects(version);
        store_values(version, values);
        event("step_finished", run, version);
    });
}

void MemoryLedger::record_step_undone(const std::string& run, const std::string& version,
                                      const std::string& step, const StateMap& values) {
    write("record_step_undone", [&](MemoryTables& tables) {
        require_lease();
        tables.remove_step(version, step);
        std::set<std::int64_t> undone;
        for (const FileIntent& change : undone_with(tables.changed_files(version), step))
            undone.insert(change.number);
        for (MemoryChange& change : tables.changes) {
            if (undone.count(change.intent.number) > 0) change.finished = false;
        }
        tables.cover_effects(version);
        store_values(version, values);
        event("step_undone", run, version);
    });
}

void MemoryLedger::record_files_undone(const std::string& run, const std::string& version) {
    write("record_files_undone", [&](MemoryTables& tables) {
        require_lease();
        tables.remove_steps(version);
        for (MemoryChange& change : tables.changes) {
            if (change.intent.version == version) change.finished = false;
        }
        event("files_undone", run, version);
    });
}

}  // namespace runner
