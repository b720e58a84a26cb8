// SPDX-License-Identifier: Apache-2.0
// One upgrade simulated, judged once more, applied and verified, and rolled back when it fails:
// what all kinds of runs that apply upgrades have in common.
#pragma once

#include <optional>
#include <string>

#include "engine/kinds/kind.hpp"
#include "engine/run.hpp"

namespace runner {

/// A kind of run that applies upgrades: shows them, judges them once more, and keeps what undoing
/// them takes.
class ApplyingKind : public Kind {
 public:
    /// Records that the releases that were changed since their first attempt are taken all the
    /// same, where the user says so.
    void before_work(Run& run) override;
    /// Simulates it, tells what it would change, and sets its verdict. Throws Error{preparation}
    /// when it cannot run and the run does not go on without it.
    void rehearse(Run& run, UpgradeInRun& upgrade) override;
    [[nodiscard]] SecondLook second_look(Run& run, const UpgradeInRun& upgrade) const override;
    /// Asks for its verdict as things are now; what could not be shown before is shown, and asked
    /// for, now. Throws Error when it is another than was shown, though nothing in the run can have
    /// changed it, and when it cannot run by now either.
    void look_again(Run& run, UpgradeInRun& upgrade, SecondLook look) override;
    /// Its release, beside the ledger, where undoing or checking it needs its library.
    void keep_for_later(Run& run, const UpgradeInRun& upgrade) override;
    void end_after_failure(Run& run, UpgradeInRun& upgrade, const AttemptEnd& end) override;

 private:
    /// Whether the run goes on without an upgrade that cannot run here; `words`: why not.
    [[nodiscard]] virtual bool goes_on_without(Run& run, const UpgradeInRun& upgrade,
                                               const std::string& words) const = 0;
};

/// Applies and verifies it; what fails is rolled back where that leaves nothing of it.
/// `reached`: the cluster version when it is done; `record`: it counts as done.
Worked apply_upgrade(Run& run, UpgradeInRun& upgrade, const std::optional<SemanticVersion>& reached,
                     bool record);

/// Gives an upgrade the verdict `left_out` where it requires one that was left out. Whether it has.
bool leave_out_what_requires_it(Run& run, UpgradeInRun& upgrade);

/// Whether nothing of an upgrade that was stopped is there.
bool is_untouched(Run& run, const UpgradeInRun& upgrade);

/// Whether what has failed is undone at once: not when the user does not want that or it would
/// leave something, and not when it cannot be (somebody has changed its files, its release cannot
/// be read), which is then told in `why_not`. Its image is there afterwards.
bool can_roll_back_failed(Run& run, UpgradeInRun& upgrade, std::string& why_not);

/// Undoes it, as an attempt of its own; `end` is then how that ended.
void roll_back_failed(Run& run, UpgradeInRun& upgrade, AttemptEnd& end);

}  // namespace runner
