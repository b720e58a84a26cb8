// SPDX-License-Identifier: Apache-2.0
// The files that an upgrade reads or changes are as they were when it was shown what it does.
#include "engine/gates/gate.hpp"
#include "engine/undo.hpp"
#include "support/text.hpp"

namespace runner {

std::optional<Refusal> work_tree_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    std::vector<std::string> changed;
    if (run.kind == KindOfRun::rollback) {
        if (!run.options.force)
            changed = changed_by_hand(run.ledger.changed_files(upgrade->version), run.work_tree);
    } else {
        changed = upgrade->shown.not_as_before(run.work_tree);
    }
    if (changed.empty()) return std::nullopt;
    return Refusal{upgrade->version + " changed since it was shown: " + join(changed, ", ") +
                       (changed.size() == 1 ? " is" : " are") + " not as when it was shown",
                   "run it again, and look at what it shows now"};
}

}  // namespace runner
