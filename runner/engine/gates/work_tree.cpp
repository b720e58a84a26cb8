// SPDX-License-Identifier: Apache-2.0
// The files that an upgrade reads or changes are as they were when it was shown what it does.
#include "engine/gates/gate.hpp"
#include "engine/undo.hpp"
#include "support/text.hpp"

namespace runner {

std::optional<Refusal> work_tree_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    if (run.kind == KindOfRun::rollback) {
        const auto refusal =
            refusal_to_undo(run.ledger, run.work_tree, {upgrade->version}, run.options.force);
        return refusal ? std::optional(changed_since_shown(*refusal)) : std::nullopt;
    }
    const std::vector<std::string> changed = upgrade->shown.not_as_before(run.work_tree);
    if (changed.empty()) return std::nullopt;
    return Refusal{upgrade->version + " changed since it was shown: " + join(changed, ", ") +
                       (changed.size() == 1 ? " is" : " are") + " not as when it was shown",
                   "run it again, and look at what it shows now"};
}

}  // namespace runner
