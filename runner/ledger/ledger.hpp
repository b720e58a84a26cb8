// SPDX-License-Identifier: Apache-2.0
// The ledger as the engine sees it. SQLite is one store behind it; a shared one can stand beside.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/records.hpp"

namespace runner {

/// Looking: changes no byte and takes no lock. Every call may throw Error{preparation} when the
/// ledger cannot be read.
class LedgerView {
 public:
    virtual ~LedgerView() = default;
    virtual LedgerFacts facts() = 0;
    /// In the order in which they were done, whatever the clock said.
    virtual std::vector<DoneRecord> done() = 0;
    virtual std::optional<LeaseInfo> lease() = 0;
    /// Newest first, whatever the clock said; at most `limit`; with `upgrade`, only runs that
    /// attempted it.
    virtual std::vector<RunRecord> runs(std::size_t limit, const std::string& upgrade = {}) = 0;
    virtual std::optional<RunRecord> run(const std::string& id) = 0;
    /// What people have changed by hand, newest first; at most `limit`.
    virtual std::vector<HandChange> changes_by_hand(std::size_t limit) = 0;
    /// How many runs have ended how, by command.
    virtual std::vector<RunTally> tallies() = 0;
    /// The digest of an upgrade's archive for a platform as of its first attempt.
    virtual std::optional<Digest> pinned(const std::string& version,
                                         const std::string& platform) = 0;
    /// The manifest of an upgrade as of its newest attempt; nothing when it was never attempted, or
    /// by a runner that did not keep it.
    virtual std::optional<AttemptedManifest> manifest_of(const std::string& version) = 0;
    virtual std::vector<std::string> finished_steps(const std::string& version) = 0;
    virtual std::optional<std::string> state_value(std::int32_t scope, const std::string& version,
                                                   const std::string& key) = 0;
    /// Every file change of an upgrade that is in force, newest first: what undoing it takes back.
    virtual std::vector<FileIntent> changed_files(const std::string& version) = 0;
    /// Changes in force of other upgrades to files that `version` changed, made after its own
    /// newest change of the same file; newest first: what must be undone before it.
    virtual std::vector<FileIntent> changed_later(const std::string& version) = 0;
    /// Every file that done upgrades have changed, by path.
    virtual std::vector<LeftFile> files_as_left() = 0;
    /// For `state export`.
    virtual LedgerDump dump() = 0;
    virtual LooseEnds loose_ends() = 0;
    /// Whether every history event follows from the one before; the first that does not, or
    /// nothing.
    virtual std::optional<std::int64_t> first_broken_event() = 0;
    /// 32 random bytes that were made with the ledger and stay the same, for proving that a secret
    /// value is the one that a saved plan was made with. Nothing where there is no ledger, or one
    /// of an older format that nobody has opened for writing yet. Never part of dump().
    virtual std::optional<std::string> plan_key() = 0;
};

/// Writing. Each call is one durable transaction: when it returns, what it says survives a power
/// cut.
class Ledger : public LedgerView {
 public:
    /// Takes the lease for `owner` (LeaseInfo's times are set here). Throws Error{lease_held} that
    /// names the holder. A dead holder's lease is taken over; the text says so, empty otherwise.
    virtual std::string acquire_lease(const LeaseInfo& owner) = 0;
    /// Throws Error{apply_failed} when the lease is somebody else's by now, as everything does that
    /// a run records.
    virtual void heartbeat() = 0;
    virtual void release_lease() = 0;
    /// A descriptor that keeps the lease as long as any process has it open; -1 when there is none.
    [[nodiscard]] virtual int lease_descriptor() const = 0;
    /// A lease that stays until unlock, whoever holds it.
    virtual void lock_by_hand(const LeaseInfo& owner) = 0;
    /// Whether there was a lock by hand.
    virtual bool unlock_by_hand(const std::string& actor) = 0;

    /// A whole, consistent copy in a new file, durable. Throws Error{preparation}.
    virtual void copy_to(const std::filesystem::path& file) = 0;

    virtual void set_identity(const ClusterIdentity& identity) = 0;
    /// Set once; throws Error{refused} when another one is stored.
    virtual void set_original_version(const SemanticVersion& version) = 0;
    virtual void raise_cluster_version(const SemanticVersion& version, const std::string& run) = 0;
    /// By hand: sets the cluster version, up or down. Throws Error{refused} when it is below the
    /// original version, and when there is no cluster yet.
    virtual void correct_version(const SemanticVersion& version, const std::string& actor,
                                 const std::string& reason) = 0;

    /// Marks runs that are not over as interrupted. Call with the lease held: nobody else can be
    /// running.
    virtual std::vector<InterruptedRun> mark_interrupted() = 0;
    /// File changes whose step was never finished, newest first.
    virtual std::vector<UnfinishedFiles> unfinished_files() = 0;
    virtual void forget_unfinished_files() = 0;
    /// From now on only the newest `kept` of the done upgrades that have replaced files can be
    /// rolled back; returns those whose originals may go.
    virtual std::vector<std::string> forget_old_originals(std::size_t kept) = 0;
    /// Closes attempts that are open though their run is over, as interrupted.
    virtual void close_loose_ends() = 0;
    /// One event in the history.
    virtual void note(const std::string& kind, const std::string& actor,
                      const std::string& text) = 0;

    virtual void begin_run(const RunStart& run) = 0;
    /// Compare-and-set: throws Error{apply_failed} when the run is not in `from`.
    virtual void move_run(const std::string& run, RunState from, RunState to) = 0;
    virtual void finish_run(const std::string& run, RunState from, RunState to, Outcome outcome,
                            const std::string& message) = 0;

    /// Closes one attempt and opens the next, in one commit; either may be absent. An attempt that
    /// succeeds without being recorded as done leaves nothing but its history: no finished step,
    /// no file change, no state value of the upgrade's own.
    virtual void advance(const std::string& run, const std::optional<AttemptEnd>& end,
                         const std::optional<AttemptStart>& start) = 0;
    /// Before its first command since the last step was finished or undone: until the next one is,
    /// it has effects that no other record lists.
    virtual void record_other_effects(const std::string& run, const std::string& version) = 0;
    virtual void record_files(const std::string& run, const std::string& version,
                              const std::string& step, const std::vector<FileIntent>& changes) = 0;
    virtual void record_step(
        const std::string& run, const std::string& version, const std::string& step,
        const std::map<std::pair<std::int32_t, std::string>, std::string>& values) = 0;

    /// rollback: the step is no longer finished, and its files are to be put back: they are
    /// unfinished from here on. So is what was changed after them outside of steps.
    virtual void record_step_undone(
        const std::string& run, const std::string& version, const std::string& step,
        const std::map<std::pair<std::int32_t, std::string>, std::string>& values) = 0;

    /// rollback: no step of it is finished any more, and all its files are to be put back: they are
    /// unfinished from here on.
    virtual void record_files_undone(const std::string& run, const std::string& version) = 0;

    /// By hand: done without having run, with the actor and a reason in the history; its earlier
    /// attempts are settled.
    virtual void record_done(const DoneRecord& done, const std::string& actor,
                             const std::string& reason) = 0;
    /// By hand: left out knowingly, until remove_skip. Throws Error{refused} when it is done.
    virtual void record_skip(const SkippedUpgrade& skip) = 0;
    /// Whether it was skipped.
    virtual bool remove_skip(const std::string& version, const std::string& actor) = 0;
    /// By hand: due again, from its first step on; its earlier attempts are settled, and what they
    /// have changed is no longer theirs: nobody is kept from undoing something else because of it.
    /// Whether it was done or begun.
    virtual bool forget(const std::string& version, const std::string& actor,
                        const std::string& reason) = 0;
    /// Throws Error{refused} when the ledger holds anything of a cluster.
    virtual void import(const LedgerDump& dump, const std::string& actor) = 0;
    virtual void accept_digest(const std::string& version, const std::string& platform,
                               const Digest& digest, const std::string& actor) = 0;
};

}  // namespace runner
