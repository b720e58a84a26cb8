// SPDX-License-Identifier: Apache-2.0
#include "ledger/memory/memory_tables.hpp"

#include <algorithm>

namespace runner {

void MemoryTables::add_done(DoneRecord record) {
    std::int64_t position = 0;
    for (const auto& [version, one] : done) position = std::max(position, one.position);
    const auto digest = Digest::parse(record.digest);
    record.digest = digest ? digest->to_string() : "";
    const std::string version = record.version;
    done[version] = {std::move(record), position + 1};
}

void MemoryTables::remove_step(const std::string& version, const std::string& step) {
    std::erase_if(steps, [&](const LedgerDump::Step& known) {
        return known.version == version && known.id == step;
    });
}

bool MemoryTables::remove_steps(const std::string& version) {
    return std::erase_if(steps,
                         [&](const LedgerDump::Step& step) { return step.version == version; }) > 0;
}

void MemoryTables::finish_files(const std::string& version) {
    for (MemoryChange& change : changes) {
        if (change.intent.version == version) change.finished = true;
    }
}

LedgerFacts MemoryTables::facts() const {
    LedgerFacts facts;
    facts.identity = identity;
    facts.cluster.original_version = original_version;
    facts.cluster.cluster_version = cluster_version;
    for (const auto& [version, one] : done)
        facts.cluster.done.push_back(
            {version, one.record.platform, Digest::parse(one.record.digest)});
    for (const auto& [version, skip] : skips) facts.cluster.skipped.push_back(skip);
    facts.declared = declared;
    facts.parameter_values = parameters;
    facts.has_unfinished_run = std::any_of(
        runs.begin(), runs.end(), [](const MemoryRun& run) { return !run.record.finished_at; });
    facts.has_unfinished_files =
        std::any_of(changes.begin(), changes.end(),
                    [](const MemoryChange& change) { return !change.finished; });
    facts.last_attempt = static_cast<std::int64_t>(attempts.size());
    facts.unsettled = unsettled();
    return facts;
}

void MemoryTables::cover_effects(const std::string& version) {
    for (MemoryAttempt& attempt : attempts) {
        if (attempt.record.version == version) attempt.open_commands = false;
    }
}

bool MemoryTables::remove_effects(const std::string& version) {
    const std::string scope = stored_scope(0, version);
    const std::size_t removed =
        std::erase_if(changes,
                      [&](const MemoryChange& change) {
                          return change.intent.version == version && change.finished;
                      }) +
        std::erase_if(values, [&](const auto& value) { return value.first.first == scope; });
    return remove_steps(version) || removed > 0;
}

std::vector<UnsettledUpgrade> MemoryTables::unsettled() const {
    std::set<std::string> other_effects;
    for (const MemoryAttempt& attempt : attempts) {
        if (!attempt.settled && (attempt.open_commands || attempt.effects_at_any_time))
            other_effects.insert(attempt.record.version);
    }
    std::vector<UnsettledUpgrade> all;
    std::set<std::string> seen;
    for (auto attempt = attempts.rbegin(); attempt != attempts.rend(); ++attempt) {
        const AttemptRecord& record = attempt->record;
        if (attempt->settled || !seen.insert(record.version).second) continue;  // not its newest
        UnsettledUpgrade one;
        one.version = record.version;
        one.tag = record.tag;
        one.platform = attempt->platform;
        one.digest = record.digest;
        one.run = record.run;
        one.outcome = outcome_from(record.outcome);
        one.message = record.message;
        one.done = done.count(record.version) > 0;
        one.is_undo = attempt->is_undo;
        one.other_effects = other_effects.count(record.version) > 0;
        one.finished_steps = finished_steps(record.version);
        one.has_files =
            std::any_of(changes.begin(), changes.end(), [&](const MemoryChange& change) {
                return change.intent.version == record.version && change.finished;
            });
        all.push_back(std::move(one));
    }
    return all;
}

std::vector<DoneRecord> MemoryTables::done_in_order() const {
    std::vector<const MemoryDone*> ordered;
    for (const auto& [version, one] : done) ordered.push_back(&one);
    std::sort(ordered.begin(), ordered.end(), [](const MemoryDone* left, const MemoryDone* right) {
        return left->position < right->position;
    });
    std::vector<DoneRecord> records;
    for (const MemoryDone* one : ordered) records.push_back(one->record);
    return records;
}

RunRecord MemoryTables::whole(const MemoryRun& run) const {
    RunRecord record = run.record;
    for (const std::size_t index : run.attempts) record.attempts.push_back(attempts[index].record);
    return record;
}

std::vector<RunRecord> MemoryTables::newest_runs(std::size_t limit,
                                                 const std::string& upgrade) const {
    std::vector<RunRecord> records;
    for (auto run = runs.rbegin(); run != runs.rend() && records.size() < limit; ++run) {
        const bool wanted =
            upgrade.empty() ||
            std::any_of(run->attempts.begin(), run->attempts.end(), [&](std::size_t index) {
                return attempts[index].record.version == upgrade;
            });
        if (wanted) records.push_back(whole(*run));
    }
    return records;
}

std::optional<RunRecord> MemoryTables::run(const std::string& id) const {
    const auto found = run_by_id.find(id);
    return found == run_by_id.end() ? std::nullopt : std::optional(whole(runs[found->second]));
}

std::vector<RunTally> MemoryTables::tallies() const {
    std::map<std::pair<std::string, std::string>, RunTally> by_end;
    for (const MemoryRun& run : runs) {
        const RunRecord& record = run.record;
        if (!record.finished_at) continue;
        RunTally& tally = by_end[{record.start.command, record.outcome}];
        tally.command = record.start.command;
        tally.outcome = record.outcome;
        ++tally.count;
        tally.time += *record.finished_at - record.started_at;
    }
    std::vector<RunTally> tallies;
    for (const auto& [end, tally] : by_end) tallies.push_back(tally);
    return tallies;
}

std::optional<AttemptedManifest> MemoryTables::manifest_of(const std::string& version) const {
    const auto newest = std::find_if(
        attempts.rbegin(), attempts.rend(),
        [&](const MemoryAttempt& attempt) { return attempt.record.version == version; });
    if (newest == attempts.rend() || newest->manifest.text.empty()) return std::nullopt;
    return newest->manifest;
}

std::vector<std::string> MemoryTables::finished_steps(const std::string& version) const {
    std::vector<std::string> ids;
    for (const LedgerDump::Step& step : steps) {
        if (step.version == version) ids.push_back(step.id);
    }
    return ids;
}

std::vector<FileIntent> MemoryTables::changed_files(const std::string& version) const {
    std::vector<FileIntent> found;
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
        if (change->intent.version == version) found.push_back(change->as_read());
    }
    return found;
}

std::vector<FileIntent> MemoryTables::changed_later(const std::string& version) const {
    std::map<std::string, std::int64_t> newest;  // of its own, by path
    for (const MemoryChange& change : changes) {
        if (change.intent.version == version) newest[change.intent.path] = change.intent.number;
    }
    std::vector<FileIntent> found;
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
        const auto own = newest.find(change->intent.path);
        if (own != newest.end() && change->intent.number > own->second)
            found.push_back(change->as_read());
    }
    return found;
}

std::vector<FileIntent> MemoryTables::unfinished_files() const {
    std::vector<FileIntent> found;
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
        if (!change->finished) found.push_back(change->as_read());
    }
    return found;
}

std::vector<LeftFile> MemoryTables::files_as_left() const {
    std::map<std::string, LeftFile> by_path;
    for (const MemoryChange& change : changes) {
        const FileIntent& intent = change.intent;
        if (change.finished && done.count(intent.version) > 0)
            by_path[intent.path] = {intent.path, intent.version, intent.after()};
    }
    std::vector<LeftFile> files;
    for (const auto& [path, file] : by_path) files.push_back(file);
    return files;
}

LedgerDump MemoryTables::dump() const {
    LedgerDump dump;
    if (identity) dump.identity = *identity;
    dump.original_version = original_version;
    dump.cluster_version = cluster_version;
    dump.done = done_in_order();
    for (const auto& [version, skip] : skips) dump.skipped.push_back(skip);
    for (const auto& [key, digest] : pins) dump.pins.push_back({key.first, key.second, digest});
    dump.steps = steps;
    std::stable_sort(dump.steps.begin(), dump.steps.end(),
                     [](const LedgerDump::Step& left, const LedgerDump::Step& right) {
                         return left.version < right.version;
                     });
    dump.values = values;
    dump.parameters = parameters;
    dump.declared = declared;
    return dump;
}

LooseEnds MemoryTables::loose_ends() const {
    LooseEnds ends;
    for (const MemoryAttempt& attempt : attempts) {
        const RunRecord& run = runs[run_by_id.at(attempt.record.run)].record;
        if (attempt.record.outcome.empty() && run.finished_at) ++ends.open_attempts;
    }
    return ends;
}

}  // namespace runner
