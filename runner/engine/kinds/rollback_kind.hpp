// SPDX-License-Identifier: Apache-2.0
// `runner rollback`: the newest upgrade undone, or all down to a version; in the reverse of the
// order in which they were applied.
#pragma once

#include <string>
#include <vector>

#include "engine/kinds/kind.hpp"

namespace runner {

struct RollbackRequest : RunOptions {
    std::string target;  ///< the cluster's version afterwards; empty: undo the newest upgrade
};

class RollbackKind final : public Kind {
 public:
    explicit RollbackKind(const RollbackRequest& request) : m_request(request) {}

    [[nodiscard]] std::string command(const Run&) const override {
        return m_request.target.empty() ? "rollback" : "rollback --to " + m_request.target;
    }
    [[nodiscard]] bool undoes() const override { return true; }
    void choose(Run& run) override;
    /// What a run that died has left unfinished is put back, also when nothing else is to be
    /// undone.
    [[nodiscard]] bool goes_on_without_upgrades(const Run& run) const override {
        return run.facts.unfinished();
    }
    void load(Run& run) override;
    void pass_admission(Run& run) override;
    [[nodiscard]] bool needs_image(const UpgradeInRun&) const override { return false; }
    void rehearse(Run& run, UpgradeInRun& upgrade) override;
    [[nodiscard]] std::string question(const Run& run) const override;
    void before_work(Run& run) override;
    Worked work(Run& run, UpgradeInRun& upgrade) override;
    void end(Run& run) override;
    void end_after_failure(Run& run, UpgradeInRun& upgrade, const AttemptEnd& end) override;

 private:
    [[nodiscard]] SemanticVersion target_version() const;
    /// Everything that could be undone, in the order in which it would be.
    std::vector<UpgradeInRun> candidates(Run& run) const;
    /// Of these, what the request names, and what has to be undone before it.
    std::vector<UpgradeInRun> selected(Run& run, std::vector<UpgradeInRun> candidates) const;
    /// Where the cluster stands when the first `count` are undone: the newest version below which
    /// nothing that was done is undone. Hotfixes for which it did not rise do not count.
    [[nodiscard]] SemanticVersion version_without(const Run& run, std::size_t count) const;
    /// What stands in the way of undoing all of them.
    [[nodiscard]] std::optional<Refusal> refusal(const Run& run) const;
    /// Marks the hotfixes among the chosen: what was applied when the cluster had passed its
    /// version.
    void mark_late(Run& run) const;
    /// Finds its release again, where that is needed. `is_known`: the ledger has its manifest.
    /// Throws Error.
    void load_one(Run& run, UpgradeInRun& upgrade, bool is_known) const;

    const RollbackRequest& m_request;
    SemanticVersion m_original;
    SemanticVersion m_cluster_version;
    SemanticVersion m_target;
    /// All that is done, in the order in which it was applied.
    std::vector<std::pair<DoneRecord, SemanticVersion>> m_done;
};

/// Runs it, and returns the result with its exit code; failures are in the result, not thrown.
RunReport run_rollback(const EngineParts& parts, const RollbackRequest& request);

}  // namespace runner
