// SPDX-License-Identifier: Apache-2.0
// Its release is the one that was there when it was first attempted.
#include <algorithm>

#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> pin_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    const auto found = upgrade->digest();
    if (!found) return std::nullopt;
    const auto pinned = run.ledger.pinned(upgrade->version, Platform::current().to_string());
    if (!pinned || *pinned == *found) return std::nullopt;
    const auto& accepted = run.options.accept_changed;
    if (std::find(accepted.begin(), accepted.end(), upgrade->version) != accepted.end())
        return std::nullopt;
    return Refusal{upgrade->version +
                       " was changed after it was first attempted: its release now has " +
                       found->to_string() + ", attempted was " + pinned->to_string(),
                   "ask its author for a hotfix of another version, or take the new one with "
                   "--accept-changed " +
                       upgrade->version};
}

}  // namespace runner
