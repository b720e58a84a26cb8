// SPDX-License-Identifier: Apache-2.0
// The files that an upgrade is about to change are as they were when that was shown.
#include "engine/gates/gate.hpp"
#include "engine/undo.hpp"
#include "support/text.hpp"

namespace runner {

std::optional<Refusal> work_tree_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    std::vector<std::string> changed;
    if (run.kind == KindOfRun::rollback) {
        if (!run.options.force)
            changed = changed_by_hand(run.ledger, upgrade->version, run.work_tree);
    } else {
        for (const auto& [path, before] : upgrade->shown.before) {
            if (run.work_tree.digest(path) != before) changed.push_back(path);
        }
    }
    if (changed.empty()) return std::nullopt;
    return Refusal{upgrade->version + " changed since it was shown: " + join(changed, ", ") +
                       (changed.size() == 1 ? " is" : " are") + " not as when it was shown",
                   "run it again, and look at what it shows now"};
}

}  // namespace runner
