// SPDX-License-Identifier: Apache-2.0
// Its release is signed by somebody whom the config believes. The bytes are judged where they are
// read (releases/upgrade_store.cpp); what is left of that here is the verdict.
#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> trust_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    if (run.config.verification != Verification::enabled) return std::nullopt;
    if (upgrade->supplier == Supplier::file || upgrade->supplier == Supplier::none ||
        upgrade->known.signature_problem.empty())
        return std::nullopt;
    return Refusal{upgrade->version + " is not believed: " + upgrade->known.signature_problem,
                   "tell the author of the release, or correct 'trust' in the config"};
}

}  // namespace runner
