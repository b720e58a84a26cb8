// SPDX-License-Identifier: Apache-2.0
// No upgrade stands half undone: until its rollback is finished nothing else is true of the
// cluster.
#include "engine/standing.hpp"
#include "engine/advice.hpp"
#include "engine/gates/gate.hpp"

namespace runner {

Refusal half_undone_refusal(const UnsettledUpgrade& upgrade) {
    return {standing_words(upgrade) + (upgrade.done ? "; it is recorded as done, and undone in part"
                                                    : "; it is undone in part"),
            ways_out_of_half_undone(upgrade.version), Failure::refused};
}

std::optional<Refusal> standing_gate(const GateInput& run, const UpgradeInRun*) {
    for (const UnsettledUpgrade& upgrade : run.facts.unsettled) {
        if (is_half_undone(upgrade)) return half_undone_refusal(upgrade);
    }
    return std::nullopt;
}

}  // namespace runner
