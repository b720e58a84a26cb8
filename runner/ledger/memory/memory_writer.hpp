// SPDX-License-Identifier: Apache-2.0
// Reading and writing a ledger in memory.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/memory/memory_ledger.hpp"

namespace runner {

/// The questions, for LedgerView and for Ledger.
template <typename Base>
class MemoryReader : public Base {
 public:
    explicit MemoryReader(std::shared_ptr<const MemoryTables> tables) : m_read(std::move(tables)) {}

    LedgerFacts facts() override { return m_read->facts(); }
    std::vector<DoneRecord> done() override { return m_read->done_in_order(); }
    std::optional<LeaseInfo> lease() override { return m_read->lease; }
    std::vector<RunRecord> runs(std::size_t limit, const std::string& upgrade) override {
        return m_read->newest_runs(limit, upgrade);
    }
    std::optional<RunRecord> run(const std::string& id) override { return m_read->run(id); }
    std::vector<HandChange> changes_by_hand(std::size_t limit) override {
        const std::vector<HandChange>& all = m_read->by_hand;
        const auto count = static_cast<std::ptrdiff_t>(std::min(limit, all.size()));
        return {all.rbegin(), all.rbegin() + count};
    }
    std::vector<RunTally> tallies() override { return m_read->tallies(); }
    std::optional<Digest> pinned(const std::string& version, const std::string& platform) override {
        const auto found = m_read->pins.find({version, platform});
        return found == m_read->pins.end() ? std::nullopt : Digest::parse(found->second);
    }
    std::optional<AttemptedManifest> manifest_of(const std::string& version) override {
        return m_read->manifest_of(version);
    }
    std::vector<std::string> finished_steps(const std::string& version) override {
        return m_read->finished_steps(version);
    }
    std::optional<std::string> state_value(std::int32_t scope, const std::string& version,
                                           const std::string& key) override {
        const auto found = m_read->values.find({stored_scope(scope, version), key});
        return found == m_read->values.end() ? std::nullopt : std::optional(found->second);
    }
    std::vector<FileIntent> changed_files(const std::string& version) override {
        return m_read->changed_files(version);
    }
    std::vector<FileIntent> changed_later(const std::string& version) override {
        return m_read->changed_later(version);
    }
    std::vector<LeftFile> files_as_left() override { return m_read->files_as_left(); }
    LedgerDump dump() override { return m_read->dump(); }
    LooseEnds loose_ends() override { return m_read->loose_ends(); }
    std::optional<std::int64_t> first_broken_event() override { return std::nullopt; }
    std::optional<std::string> plan_key() override { return m_read->plan_key; }

 private:
    std::shared_ptr<const MemoryTables> m_read;
};

/// Each call checks everything first and then changes, so that what is refused changes nothing.
class MemoryLedger final : public MemoryReader<Ledger> {
    using StateMap = std::map<std::pair<std::int32_t, std::string>, std::string>;

 public:
    explicit MemoryLedger(MemoryLedgerStore& store)
        : MemoryReader<Ledger>(store.m_tables), m_store(store) {}
    ~MemoryLedger() override { unlock(); }
    MemoryLedger(const MemoryLedger&) = delete;
    MemoryLedger& operator=(const MemoryLedger&) = delete;

    std::string acquire_lease(const LeaseInfo& owner) override;
    void heartbeat() override;
    void release_lease() override;
    [[nodiscard]] int lease_descriptor() const override { return -1; }
    void lock_by_hand(const LeaseInfo& owner) override;
    bool unlock_by_hand(const std::string& actor) override;
    void copy_to(const std::filesystem::path& file) override;
    void set_identity(const ClusterIdentity& identity) override;
    void set_original_version(const SemanticVersion& version) override;
    void raise_cluster_version(const SemanticVersion& version, const std::string& run) override;
    void correct_version(const SemanticVersion& version, const std::string& actor,
                         const std::string& reason) override;
    std::vector<InterruptedRun> mark_interrupted() override;
    std::vector<UnfinishedFiles> unfinished_files() override;
    void forget_unfinished_files() override;
    std::vector<std::string> forget_old_originals(std::size_t kept) override;
    void close_loose_ends() override;
    void note(const std::string& kind, const std::string& actor, const std::string& text) override;
    void begin_run(const RunStart& run) override;
    void move_run(const std::string& run, RunState from, RunState to) override;
    void finish_run(const std::string& run, RunState from, RunState to, Outcome outcome,
                    const std::string& message) override;
    void record_other_effects(const std::string& run, const std::string& version) override;
    void advance(const std::string& run, const std::optional<AttemptEnd>& end,
                 const std::optional<AttemptStart>& start) override;
    void record_files(const std::string& run, const std::string& version, const std::string& step,
                      const std::vector<FileIntent>& changes) override;
    void record_step(const std::string& run, const std::string& version, const std::string& step,
                     const StateMap& values) override;
    void record_files_undone(const std::string& run, const std::string& version) override;
    void record_step_undone(const std::string& run, const std::string& version,
                            const std::string& step, const StateMap& values) override;
    void record_done(const DoneRecord& done, const std::string& actor,
                     const std::string& reason) override;
    void record_skip(const SkippedUpgrade& skip) override;
    bool remove_skip(const std::string& version, const std::string& actor) override;
    bool forget(const std::string& version, const std::string& actor,
                const std::string& reason) override;
    void import(const LedgerDump& dump, const std::string& actor) override;
    void accept_digest(const std::string& version, const std::string& platform,
                       const Digest& digest, const std::string& actor) override;

 private:
    template <typename Work>
    void write(const char* call, Work&& work) {
        m_store.call_hook(m_store.before_write, call);
        work(*m_store.m_tables);
        m_store.call_hook(m_store.after_write, call);
    }

    [[nodiscard]] Time now() const { return m_store.m_clock.wall(); }
    void lock();
    void unlock();
    void require_lease() const;
    void store_lease(LeaseInfo lease);
    void raise_version(const SemanticVersion& version);
    /// The run, which must be in `from`, and may move to `to`.
    RunRecord& run_to_move(const std::string& run, RunState from, RunState to);
    void close_run(std::size_t index, RunState state, Outcome outcome, const std::string& message);
    void open_attempt(const std::string& run, const AttemptStart& start);
    void close_attempt(const std::string& run, const AttemptEnd& end);
    bool settle_attempts(const std::string& version);
    void undo_records(const AttemptEnd& end);
    void store_values(const std::string& version, const StateMap& values);
    void event(const std::string& kind, const std::string& run, const std::string& version);
    /// Notes it where is_by_hand has its kind.
    void by_hand(const std::string& kind, const std::string& version, const std::string& actor,
                 const std::string& reason = {});

    MemoryLedgerStore& m_store;
    std::string m_lease_owner;
};

}  // namespace runner
