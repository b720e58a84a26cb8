// SPDX-License-Identifier: Apache-2.0
// What an upgrade requires is done, at or below the original version, or runs before it.
#include "engine/gates/gate.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

bool is_met(const GateInput& run, const UpgradeInRun& upgrade, const std::string& needed) {
    if (run.original && !is_above_original(UpgradeVersion::parse(needed), *run.original))
        return true;
    if (run.versions.is_done(run.facts, needed)) return true;
    for (const UpgradeInRun& earlier : run.upgrades) {
        if (&earlier == &upgrade) return false;
        if (earlier.version == needed && earlier.verdict != Verdict::left_out) return true;
    }
    return false;
}

}  // namespace

std::optional<Refusal> requires_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    std::vector<std::string> problems;
    for (const std::string& needed : upgrade->manifest().needed_upgrades) {
        if (!is_met(run, *upgrade, needed))
            problems.push_back(upgrade->version + " requires " + needed +
                               ", which is neither done nor part of this run before it");
    }
    if (problems.empty()) return std::nullopt;
    return Refusal{join(problems, "; "),
                   "run what is required, too, or leave out what requires it with --skip"};
}

}  // namespace runner
