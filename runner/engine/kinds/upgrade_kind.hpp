// SPDX-License-Identifier: Apache-2.0
// The main job: everything that is due, up to the target.
#pragma once

#include <chrono>
#include <optional>

#include "engine/applying.hpp"
#include "engine/saved_plan.hpp"

namespace runner {

struct UpgradeRequest : RunOptions {
    Selection selection;
    std::optional<SavedPlan> saved_plan;  ///< instead of a selection: just this, or nothing
    bool pin_work = false;                ///< the result says what a saved plan pins
    bool report_other = false;            ///< the result also lists what is not due, and why
    std::chrono::milliseconds soak{0};    ///< how long the checks are repeated at the end
    bool keep_going = false;              ///< without what is blocked, and what requires it
};

class UpgradeKind final : public ApplyingKind {
 public:
    explicit UpgradeKind(const UpgradeRequest& request) : m_request(request) {}

    [[nodiscard]] std::string command(const Run&) const override { return "upgrade"; }
    void choose(Run& run) override;
    [[nodiscard]] bool goes_on_without_upgrades(const Run& run) const override;
    [[nodiscard]] bool asks_without_upgrades(const Run& run) const override;
    void end_with_nothing_to_do(Run& run) override;
    void load(Run& run) override;
    void describe(Run& run) override;
    void resolve_parameters(Run& run) override;
    void settle_rehearsal(Run& run) override;
    [[nodiscard]] std::string question(const Run& run) const override;
    void look_again(Run& run, UpgradeInRun& upgrade, SecondLook look) override;
    void go_on_without(Run& run) override;
    Worked work(Run& run, UpgradeInRun& upgrade) override;
    void end(Run& run) override;

 private:
    [[nodiscard]] Selection selection() const;
    /// The plan, without what was left out.
    Choice choose_from(Run& run) const;
    SemanticVersion original_version(Run& run) const;
    /// --keep-going, or the user's choice.
    [[nodiscard]] bool goes_on_without(Run& run, const UpgradeInRun& upgrade,
                                       const std::string& words) const override;
    /// Goes on without what turned out to be blocked: it stays due, and the cluster version below.
    void leave_out(Run& run) const;

    const UpgradeRequest& m_request;
};

/// Runs it, and returns the result with its exit code; failures are in the result, not thrown.
RunReport run_upgrade(const EngineParts& parts, const UpgradeRequest& request);

/// As run_upgrade with a dry run, for those who want the plan and what was shown. Throws Error and
/// Interrupted.
PlanReport plan_upgrade(const EngineParts& parts, const UpgradeRequest& request);

/// The plan alone, for `plan` and `check`; changes nothing. Throws Error.
RunReport make_plan_report(const EngineParts& parts, const Selection& selection);

}  // namespace runner
