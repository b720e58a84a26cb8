// SPDX-License-Identifier: Apache-2.0
// No upgrade stands half undone: until its rollback is finished nothing else is true of the
// cluster.
#include "engine/standing.hpp"
#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> standing_gate(const GateInput& run, const UpgradeInRun*) {
    for (const UnsettledUpgrade& upgrade : run.facts.unsettled) {
        if (!is_half_undone(upgrade)) continue;
        return Refusal{standing_words(upgrade) + "; it is recorded as done, and undone in part",
                       "mend the cause and finish it with 'runner rollback'; or put right by hand "
                       "what it names, and then 'runner state record " +
                           upgrade.version + " --reason …' or 'runner state forget " +
                           upgrade.version + " --reason …'",
                       Failure::refused};
    }
    return std::nullopt;
}

}  // namespace runner
