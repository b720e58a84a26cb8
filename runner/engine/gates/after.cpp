// SPDX-License-Identifier: Apache-2.0
// No release that was there before it is hidden now.
#include "engine/advice.hpp"
#include "engine/gates/gate.hpp"

namespace runner {
std::optional<Refusal> after_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    if (run.releases == nullptr) return std::nullopt;
    for (const std::string& before : upgrade->manifest().after) {
        const bool above =
            !run.original || is_above_original(UpgradeVersion::parse(before), *run.original);
        if (!above || run.versions.is_known(run.facts, *run.releases, before)) continue;
        return Refusal{upgrade->version + " was released after " + before +
                           ", which the source does not have: a release is hidden or was deleted",
                       "look for the release " + before +
                           " at the source; if it was withdrawn for good: " +
                           record_by_hand(before, "withdrawn for good")};
    }
    return std::nullopt;
}

}  // namespace runner
