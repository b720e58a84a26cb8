// SPDX-License-Identifier: Apache-2.0
// No release that was there before it is hidden now.
#include <algorithm>

#include "engine/gates/gate.hpp"

namespace runner {
namespace {

bool is_known(const GateInput& run, const std::string& version) {
    const auto is_it = [&](const auto& upgrade) { return upgrade.version == version; };
    const ClusterFacts& cluster = run.facts.cluster;
    if (std::any_of(cluster.done.begin(), cluster.done.end(), is_it) ||
        std::any_of(cluster.skipped.begin(), cluster.skipped.end(), is_it))
        return true;
    return std::any_of(run.releases->begin(), run.releases->end(), [&](const Release& release) {
        return release.version && release.version->to_string() == version;
    });
}

}  // namespace

std::optional<Refusal> after_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    if (run.releases == nullptr) return std::nullopt;
    for (const std::string& before : upgrade->manifest().after) {
        const bool above = !run.original || UpgradeVersion::parse(before).semver > *run.original;
        if (!above || is_known(run, before)) continue;
        return Refusal{upgrade->version + " was released after " + before +
                           ", which the source does not have: a release is hidden or was deleted",
                       "look for the release " + before +
                           " at the source; if it was withdrawn for good, 'runner state record " +
                           before + " --reason …' settles it"};
    }
    return std::nullopt;
}

}  // namespace runner
