// SPDX-License-Identifier: Apache-2.0
// The ledger is of the cluster that the config is of.
#include "engine/gates/gate.hpp"

namespace runner {
namespace {

std::string describe(const ClusterIdentity& identity) {
    std::string text = "'" + identity.name + "'";
    if (!identity.region.empty()) text += " in " + identity.region;
    if (!identity.account_id.empty()) text += ", account " + identity.account_id;
    return text;
}

}  // namespace

ClusterIdentity identity_of(const ClusterConfig& config) {
    return {config.name, config.region, config.account_id};
}

std::optional<Refusal> identity_gate(const GateInput& run, const UpgradeInRun*) {
    return identity_refusal(run.config, run.facts);
}

std::optional<Refusal> identity_refusal(const ClusterConfig& config, const LedgerFacts& facts) {
    if (!facts.identity) return std::nullopt;
    const ClusterIdentity own = identity_of(config);
    if (*facts.identity != own) {
        return Refusal{"the ledger " + config.state.string() + " is of the cluster " +
                           describe(*facts.identity) + ", the config " + config.file.string() +
                           " is of " + describe(own),
                       "name the right config, or another 'state' in it", Failure::refused};
    }
    const auto& stored = facts.cluster.original_version;
    if (!stored || !config.original_version || *stored == *config.original_version)
        return std::nullopt;
    return Refusal{config.file.string() + " says originalVersion " +
                       config.original_version->to_string() + ", the ledger has " +
                       stored->to_string() + ", which is fixed",
                   "correct the config", Failure::usage};
}

}  // namespace runner
