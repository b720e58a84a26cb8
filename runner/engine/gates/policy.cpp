// SPDX-License-Identifier: Apache-2.0
// It declares nothing that the config's policy refuses.
#include <algorithm>

#include "engine/gates/gate.hpp"
#include "support/text.hpp"

namespace runner {

std::optional<Refusal> policy_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    const PolicyConfig& policy = run.config.policy;
    const Manifest& manifest = upgrade->manifest();
    std::vector<std::string> problems;
    if (!manifest.declared && !policy.undeclared)
        problems.emplace_back("declares nothing of what it does");
    if (manifest.permissions.network && !policy.network)
        problems.emplace_back("wants to use the network");
    for (const std::string& path : manifest.permissions.write) {
        const bool allowed = !policy.write || upgrade::services::covers(*policy.write, path);
        if (!allowed) problems.push_back("wants to write " + path);
    }
    for (const std::string& command : manifest.permissions.commands) {
        const bool allowed = !policy.commands ||
                             std::find(policy.commands->begin(), policy.commands->end(), command) !=
                                 policy.commands->end();
        if (!allowed) problems.push_back("wants to run " + command);
    }
    if (problems.empty()) return std::nullopt;
    for (std::string& problem : problems)
        problem = upgrade->version + ' ' + problem + ": the cluster config's policy refuses that";
    return Refusal{join(problems, "; "),
                   "leave the upgrade out with --skip, or allow it under 'policy' in the config"};
}

}  // namespace runner
