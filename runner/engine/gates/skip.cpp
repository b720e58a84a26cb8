// SPDX-License-Identifier: Apache-2.0
// Nobody has left it out knowingly.
#include <algorithm>

#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> skip_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    const auto& skipped = run.facts.cluster.skipped;
    const auto found =
        std::find_if(skipped.begin(), skipped.end(),
                     [&](const SkippedUpgrade& skip) { return skip.version == upgrade->version; });
    if (found == skipped.end()) return std::nullopt;
    return Refusal{upgrade->version + " is skipped: " + found->reason + " (" + found->actor + ")",
                   "'runner unskip " + upgrade->version + "' takes that back"};
}

}  // namespace runner
