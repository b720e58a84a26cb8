// SPDX-License-Identifier: Apache-2.0
// No upgrade stands half undone: until its rollback is finished nothing else is true of the
// cluster.
#include "engine/standing.hpp"
#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> standing_gate(const GateInput& run, const UpgradeInRun*) {
    for (const UnsettledUpgrade& upgrade : run.facts.unsettled) {
        if (!is_half_undone(upgrade)) continue;
        const HalfUndone words = words_for_half_undone(upgrade);
        return Refusal{words.what, words.way_out, Failure::refused};
    }
    return std::nullopt;
}

}  // namespace runner
