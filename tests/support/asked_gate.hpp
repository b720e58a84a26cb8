// SPDX-License-Identifier: Apache-2.0
// One gate, asked by itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/gates/gate.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

namespace test {

/// One gate, asked alone.
struct Asked {
    World world;
    runner::RunOptions options;
    runner::LedgerFacts facts;
    std::vector<runner::UpgradeInRun> upgrades;
    std::vector<runner::Release> releases;
    runner::SandboxSupport sandbox = runner::SandboxSupport::files_and_network;
    std::optional<runner::SemanticVersion> original = runner::SemanticVersion::parse("0.0.50");
    std::optional<runner::SemanticVersion> cluster_version =
        runner::SemanticVersion::parse("0.0.50");
    std::optional<runner::SemanticVersion> final_version;
    std::function<runner::SemanticVersion(const runner::UpgradeInRun&)> reached_before;

    explicit Asked(const std::vector<std::string>& versions = {"0.0.52"}) {
        for (const std::string& version : versions) {
            upgrades.emplace_back();
            upgrades.back().version = version;
            upgrades.back().platform = runner::Platform::current().to_string();
            upgrades.back().known.manifest =
                runner::Manifest::undeclared(runner::UpgradeVersion::parse(version));
            upgrades.back().known.manifest.declared = true;
            upgrades.back().known.manifest.permissions = {};
        }
    }
    runner::Manifest& manifest(std::size_t i = 0) { return upgrades[i].known.manifest; }
    void done(const std::string& version) { facts.cluster.done.push_back({version, "", {}}); }
    void release(const std::string& version) {
        releases.emplace_back();
        releases.back().version = runner::UpgradeVersion::parse(version);
    }
    /// What it says to the upgrade at `i`; empty: nothing.
    std::string operator()(const char* gate, std::size_t i = 0) {
        const auto view = world.ledgers.look();
        const runner::GateInput input{.kind = runner::KindOfRun::upgrade,
                                      .config = world.config,
                                      .options = options,
                                      .facts = facts,
                                      .ledger = *view,
                                      .work_tree = world.work_tree,
                                      .sandbox = sandbox,
                                      .upgrades = upgrades,
                                      .releases = &releases,
                                      .original = original,
                                      .cluster_version = cluster_version,
                                      .final_version = final_version,
                                      .reached_before = reached_before};
        const auto refusal = runner::gate_named(gate).check(input, &upgrades[i]);
        if (!refusal) return {};
        CHECK_FALSE(refusal->way_out.empty());
        return refusal->what;
    }
};

}  // namespace test
