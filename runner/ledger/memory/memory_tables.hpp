// SPDX-License-Identifier: Apache-2.0
// What a ledger in memory holds, as plain structs, and the questions to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/records.hpp"

namespace runner {

/// One event of the history.
struct MemoryEvent {
    std::string kind;
    std::string run;
    std::string version;
    bool operator==(const MemoryEvent&) const = default;
};

struct MemoryRun {
    RunRecord record;  ///< without its attempts
    std::vector<std::size_t> attempts;
};

struct MemoryAttempt {
    AttemptRecord record;
    std::string platform;
    AttemptedManifest manifest;
    bool is_undo = false;
    bool settled = false;
    bool open_commands = false;  ///< they belong to no finished step
    bool effects_at_any_time = false;
};

struct MemoryDone {
    DoneRecord record;  ///< its digest in the usual form
    std::int64_t position = 0;
};

struct MemoryChange {
    FileIntent intent;
    bool finished = false;
    [[nodiscard]] FileIntent as_read() const {
        FileIntent read = intent;
        read.finished = finished;
        return read;
    }
};

/// The content of a ledger. Empty as it is made.
struct MemoryTables {
    std::optional<std::string> plan_key;  ///< absent: nobody has made the ledger yet
    std::optional<ClusterIdentity> identity;
    std::optional<SemanticVersion> original_version;
    std::optional<SemanticVersion> cluster_version;
    std::vector<MemoryRun> runs;
    std::map<std::string, std::size_t> run_by_id;
    std::vector<MemoryAttempt> attempts;                              ///< number n stands at n - 1
    std::map<std::string, MemoryDone> done;                           ///< by version
    std::map<std::string, SkippedUpgrade> skips;                      ///< by version
    std::map<std::pair<std::string, std::string>, std::string> pins;  ///< by version and platform
    std::vector<LedgerDump::Step> steps;                              ///< as they were finished
    std::vector<MemoryChange> changes;                                ///< by number
    std::map<std::pair<std::string, std::string>, std::string> values;  ///< by stored scope and key
    std::map<std::string, std::string> parameters;
    std::set<Declaration> declared;
    std::optional<LeaseInfo> lease;
    std::vector<MemoryEvent> history;
    std::vector<HandChange> by_hand;  ///< the oldest first

    /// Makes it the newest of those that are done.
    void add_done(DoneRecord record);
    void remove_step(const std::string& version, const std::string& step);
    /// Whether there were any.
    bool remove_steps(const std::string& version);
    /// The commands that it has run belong to a step that is finished, or undone, from now on.
    void cover_effects(const std::string& version);
    /// Steps, finished file changes, state values of its own. Whether there was anything.
    bool remove_effects(const std::string& version);
    /// What `version` has changed is in force from now on.
    void finish_files(const std::string& version);

    [[nodiscard]] LedgerFacts facts() const;
    [[nodiscard]] std::vector<DoneRecord> done_in_order() const;
    [[nodiscard]] std::vector<RunRecord> newest_runs(std::size_t limit,
                                                     const std::string& upgrade) const;
    [[nodiscard]] std::optional<RunRecord> run(const std::string& id) const;
    [[nodiscard]] std::vector<RunTally> tallies() const;
    [[nodiscard]] std::optional<AttemptedManifest> manifest_of(const std::string& version) const;
    [[nodiscard]] std::vector<std::string> finished_steps(const std::string& version) const;
    [[nodiscard]] std::vector<FileIntent> changed_files(const std::string& version) const;
    [[nodiscard]] std::vector<FileIntent> changed_later(const std::string& version) const;
    [[nodiscard]] std::vector<FileIntent> unfinished_files() const;
    [[nodiscard]] std::vector<LeftFile> files_as_left() const;
    [[nodiscard]] LedgerDump dump() const;
    [[nodiscard]] LooseEnds loose_ends() const;

 private:
    [[nodiscard]] std::vector<UnsettledUpgrade> unsettled() const;
    [[nodiscard]] RunRecord whole(const MemoryRun& run) const;
};

}  // namespace runner
