// SPDX-License-Identifier: Apache-2.0
// No upgrade that stopped half-way is passed over with 'nothing to do' because no release has it
// any more. What is due goes on, with a warning: it may be what replaces it.
#include "engine/advice.hpp"
#include "engine/gates/gate.hpp"
#include "engine/standing.hpp"

namespace runner {

std::optional<Refusal> half_way_gate(const GateInput& run, const UpgradeInRun*) {
    if (run.releases == nullptr || !run.upgrades.empty()) return std::nullopt;
    for (const UnsettledUpgrade& upgrade : run.facts.unsettled) {
        const bool of_a_release = !upgrade.tag.empty();
        if (!of_a_release || !is_half_applied(upgrade) ||
            run.versions.is_known(run.facts, *run.releases, upgrade.version))
            continue;
        return Refusal{
            standing_words(upgrade) + "; it stopped half-way, and no release has it any more",
            "bring back its release to finish it, or undo it: 'runner rollback'; or put "
            "right by hand what it has left, and then: " +
                settle_by_hand(upgrade.version, "finished by hand"),
            Failure::refused};
    }
    return std::nullopt;
}

}  // namespace runner
