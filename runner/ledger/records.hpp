// SPDX-License-Identifier: Apache-2.0
// What the ledger remembers, as plain values. Times are milliseconds since the Unix epoch.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/digest.hpp"
#include "model/manifest.hpp"
#include "model/run_state.hpp"
#include "model/upgrade_version.hpp"
#include "plan/plan.hpp"

namespace runner {

using Time = std::chrono::milliseconds;

/// Whose ledger it is.
struct ClusterIdentity {
    std::string name;
    std::string region;
    std::string account_id;
    bool operator==(const ClusterIdentity&) const = default;
};

/// What an upgrade may touch and takes, as `kind` and `name`: write and its path, command and its
/// name, network and nothing, parameter and its name.
struct Declaration {
    std::string kind;
    std::string name;
    auto operator<=>(const Declaration&) const = default;
};
std::vector<Declaration> declarations_of(const Manifest& manifest);

/// How a state value's scope is stored: `cluster`, or `upgrade:` and the version.
std::string stored_scope(std::int32_t scope, const std::string& version);

/// An upgrade that was begun and is not settled: its newest attempt that began something failed,
/// was interrupted or cancelled, runs now, or was a rollback that failed.
struct UnsettledUpgrade {
    std::string version;
    std::string tag;
    std::string platform;
    std::string digest;
    std::string run;                 ///< of that attempt
    std::optional<Outcome> outcome;  ///< of its newest attempt; nothing while that runs
    std::string message;
    bool done = false;  ///< recorded as done all the same (a rollback failed)
    std::vector<std::string> finished_steps;
    /// File changes of it are in force, beside those of an unfinished step, which the next run puts
    /// back.
    bool has_files = false;
    /// It may have changed something that belongs to no finished step and no file change: by
    /// commands of the step that stopped, as an executable, over the network.
    bool other_effects = false;
    bool is_undo = false;  ///< that attempt was to undo it
};

/// What the end of an attempt settles.
enum class Settles {
    nothing,
    attempt,  ///< nothing was begun: how the upgrade stands is as before
    upgrade,  ///< it is done, or nothing of it is left
};
/// An attempt without an outcome still runs.
Settles settled_by(const std::optional<Outcome>& outcome);

/// Everything that planning and starting need, read in one go.
struct LedgerFacts {
    std::optional<ClusterIdentity> identity;  ///< absent: nothing was ever recorded
    ClusterFacts cluster;
    std::set<Declaration> declared;                       ///< by the upgrades that were run here
    std::map<std::string, std::string> parameter_values;  ///< that they got; no secrets
    bool has_unfinished_run = false;
    bool has_unfinished_files = false;        ///< of a step that died: the next run puts them back
    std::int64_t last_attempt = 0;            ///< number of the newest; 0: there was none
    std::vector<UnsettledUpgrade> unsettled;  ///< the one that was attempted last is first

    /// Whether a run is under way, or one that died has left something for the next to put right.
    [[nodiscard]] bool unfinished() const { return has_unfinished_run || has_unfinished_files; }
};

/// Whether it is done, as these facts have it.
bool is_done(const LedgerFacts& facts, const std::string& version);

/// A lease of another host counts as live until its heartbeat is this old.
constexpr Time k_lease_expiry = std::chrono::seconds(60);

struct LeaseInfo {
    std::string owner;  ///< a run's id, or `manual`
    std::string actor;
    std::string host;
    std::int64_t pid = 0;
    std::string reason;  ///< of a lock by hand
    Time acquired_at{};
    Time heartbeat_at{};
    [[nodiscard]] bool manual() const { return owner == "manual"; }
};

struct RunStart {
    std::string id;
    std::string command;
    std::string actor;
    std::string host;
    std::int64_t pid = 0;
    std::string runner_version;
    std::string target;
    std::string reason{};  ///< why somebody wanted it; kept in the history
};

/// An upgrade's attempt, about to begin: recorded before its first effect.
struct AttemptStart {
    std::string version;
    std::string tag;
    std::string platform;
    std::optional<Digest> digest;
    std::string signer;  ///< the id of the key that its release was signed with; empty: none
    bool late = false;
    std::string log;  ///< the file that keeps its output, relative to the ledger's folder
    /// What it is: kept, so that undoing and checking it need no release.
    UpgradeForm form = UpgradeForm::plugin;
    std::string manifest{};  ///< its manifest document; empty: not known
    bool has_check = true;   ///< it can verify itself
    bool is_undo = false;    ///< what is attempted is to undo it
    /// From its start on it may change something that is not listed: an executable, network.
    bool other_effects = false;
};

/// What was attempted, as it was then.
struct AttemptedManifest {
    UpgradeForm form = UpgradeForm::plugin;
    std::string text;       ///< the manifest document
    bool has_check = true;  ///< it can verify itself
};

/// How an attempt ended, and what is true from then on.
struct AttemptEnd {
    std::string version;
    Outcome outcome = Outcome::failed;
    std::string message;
    std::chrono::milliseconds apply_time{};
    std::chrono::milliseconds verify_time{};
    bool done = false;                               ///< from now on it is not due any more
    std::optional<SemanticVersion> cluster_version;  ///< the cluster version rises to this
    bool undone = false;  ///< rolled back: nothing of it is left, it is due again
    std::optional<SemanticVersion>
        lowered_version;  ///< of an undone one: the cluster is back at this
    std::map<std::pair<std::int32_t, std::string>, std::string>
        values;  ///< state values by (scope, key)
    std::vector<Declaration> declarations;
    std::map<std::string, std::string> parameters;  ///< the values that it got; no secrets
};

/// What a file is, as far as it is recorded or looked at.
struct FileState {
    std::optional<Digest> digest;    ///< of its content; absent: there is no file
    std::optional<unsigned> mode{};  ///< the bits that chmod sets; absent: no file, or not known

    /// Whether both have the same content and, where both modes are known, the same mode.
    [[nodiscard]] bool is_like(const FileState& other) const {
        return digest == other.digest && (!mode || !other.mode || mode == other.mode);
    }
};

/// A file that is about to be changed for real.
struct FileIntent {
    std::string path;                  ///< relative to the repository directory
    std::string temporary;             ///< relative; empty when the file is removed
    std::string backup;                ///< the original's file; empty when there was none
    std::optional<Digest> new_digest;  ///< absent when the file is removed
    std::optional<Digest> old_digest;  ///< absent when there was no file
    /// The bits that chmod sets, of the new and of the old file; absent: no file, or not known.
    std::optional<unsigned> new_mode{};
    std::optional<unsigned> old_mode{};
    /// How many of the folders above it were made for it; absent: not known.
    std::optional<std::size_t> made_folders{};
    bool kept = true;         ///< the original is still there
    std::string version{};    ///< whose change it is; set where changes are read
    std::int64_t number = 0;  ///< its order among all changes; set where they are read
    std::string step{};       ///< in which it is made; empty outside of steps; as above
    bool finished = true;     ///< false: of a step that did not finish: the next run puts it back

    [[nodiscard]] FileState before() const { return {old_digest, old_mode}; }
    [[nodiscard]] FileState after() const { return {new_digest, new_mode}; }
};

/// Of an upgrade's changes those that go back when `step` is undone, in the order given (oldest or
/// newest first): its own, also what its undo has written, and what was changed after the first of
/// them outside of steps, since files are put back newest first.
std::vector<FileIntent> undone_with(const std::vector<FileIntent>& changes,
                                    const std::string& step);

/// Of each file the oldest of these changes, which has its original, by path. `changes`: newest
/// first, as ledgers list them.
std::map<std::string, FileIntent> oldest_of_each(const std::vector<FileIntent>& changes);

/// A file as the newest upgrade that changed it has left it.
struct LeftFile {
    std::string path;
    std::string version;
    FileState state;  ///< without a digest: it was removed
};

/// File changes of an attempt that died between intent and completion.
struct UnfinishedFiles {
    std::string version;
    std::vector<FileIntent> changes;
};

/// Neighbours of one version together, in their order.
std::vector<UnfinishedFiles> by_version(std::vector<FileIntent> changes);

struct AttemptRecord {
    std::int64_t id = 0;
    std::string run;
    std::string version;
    std::string tag;
    std::string digest;
    std::string signer;
    std::string outcome;  ///< empty while it runs
    std::string message;
    std::string log;
    bool late = false;
    Time started_at{};
    std::optional<Time> finished_at;
    std::chrono::milliseconds apply_time{};
    std::chrono::milliseconds verify_time{};
};

struct RunRecord {
    RunStart start;
    RunState state = RunState::queued;
    std::string outcome;
    std::string message;
    Time started_at{};
    std::optional<Time> finished_at;
    std::vector<AttemptRecord> attempts;
};

/// The runs of one command that ended in one way.
struct RunTally {
    std::string command;
    std::string outcome;
    std::int64_t count = 0;
    std::chrono::milliseconds time{};  ///< of all of them together
};

/// An upgrade that is done, with where that is known from.
struct DoneRecord {
    std::string version;
    std::string tag;
    std::string platform;
    std::string digest;
    std::string run;
    std::string how;  ///< upgrade, record or import
    Time recorded_at{};
};

/// What somebody has changed in the ledger by hand, or has taken all the same.
struct HandChange {
    std::string kind;     ///< the event's, one of is_by_hand
    std::string version;  ///< the upgrade's; of a corrected version, that; empty: of neither
    std::string actor;
    std::string reason;  ///< why, or what was done; may be empty
    Time at{};
};
/// Whether events of this kind are what people do by hand.
bool is_by_hand(std::string_view kind);

/// What an interrupted run left.
struct InterruptedRun {
    std::string id;
    std::string actor;
    std::string host;
    Time started_at{};
    std::string upgrade;  ///< whose attempt was under way; empty when none was
    std::size_t finished = 0;
    RunState state = RunState::queued;  ///< that it was in
};

/// What is true of the cluster, as `state export` writes it: all but the history, and the originals
/// of changed files, which stay where they are.
struct LedgerDump {
    struct Step {
        std::string version;
        std::string id;
    };
    struct Pin {
        std::string version;
        std::string platform;
        std::string digest;
    };
    ClusterIdentity identity;
    std::optional<SemanticVersion> original_version;
    std::optional<SemanticVersion> cluster_version;
    std::vector<DoneRecord> done;
    std::vector<SkippedUpgrade> skipped;
    std::vector<Pin> pins;
    std::vector<Step> steps;  ///< finished ones, in their order
    std::map<std::pair<std::string, std::string>, std::string> values;  ///< by stored scope and key
    std::map<std::string, std::string> parameters;
    std::set<Declaration> declared;
};

/// What should not be there.
struct LooseEnds {
    std::size_t open_attempts = 0;       ///< of runs that are over
    std::size_t missing_references = 0;  ///< rows that name others that are gone
    [[nodiscard]] bool any() const { return open_attempts + missing_references > 0; }
};

}  // namespace runner
