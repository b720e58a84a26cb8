// SPDX-License-Identifier: Apache-2.0
// The kernel can enforce what upgrades declare, where the config requires that.
#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> enforcement_gate(const GateInput& run, const UpgradeInRun*) {
    if (run.config.policy.enforcement != Enforcement::required ||
        run.sandbox == SandboxSupport::files_and_network)
        return std::nullopt;
    return Refusal{
        "this kernel cannot enforce what upgrades declare, and the config's policy requires it",
        "run it on a Linux of at least 6.7 with Landlock, or set policy.enforcement: available"};
}

}  // namespace runner
