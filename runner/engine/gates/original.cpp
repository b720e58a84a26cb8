// SPDX-License-Identifier: Apache-2.0
// It is above the version that the cluster was made with: nothing at or below that ever runs.
#include "engine/gates/gate.hpp"

namespace runner {

std::optional<Refusal> original_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    if (!run.original || is_above_original(UpgradeVersion::parse(upgrade->version), *run.original))
        return std::nullopt;
    return Refusal{upgrade->version + " is not above the original version " +
                       run.original->to_string() +
                       ", with which the cluster was made: it is part of the cluster already",
                   "look whether it is of another cluster, or whether originalVersion in " +
                       run.config.file.string() + " is wrong",
                   Failure::refused};
}

}  // namespace runner
