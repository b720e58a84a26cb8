// SPDX-License-Identifier: Apache-2.0
// No giant hops: what was left out on the way, because it is no longer at the source, stays left
// out.
#include "engine/gates/gate.hpp"

namespace runner {
std::optional<Refusal> minimums_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    const std::string& minimum = upgrade->manifest().minimum_from;
    if (minimum.empty()) return std::nullopt;
    const std::optional<SemanticVersion> reached =
        run.reached_before ? run.reached_before(*upgrade) : run.cluster_version;
    if (!reached || SemanticVersion::parse(minimum) <= *reached) return std::nullopt;
    return Refusal{upgrade->version + " needs a cluster that has reached " + minimum +
                       "; this one will be at " + reached->to_string(),
                   "bring the cluster to " + minimum +
                       " first, from a source that still has the upgrades on the way"};
}

}  // namespace runner
