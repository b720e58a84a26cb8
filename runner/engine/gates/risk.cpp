// SPDX-License-Identifier: Apache-2.0
// What --yes does not cover is confirmed by its own option: downtime, and a step to another major
// version.
#include "engine/gates/gate.hpp"
#include "support/text.hpp"

namespace runner {
bool is_major_step(const SemanticVersion& from, const SemanticVersion& to) {
    return from.major != to.major;
}

Risks risks_of(const GateInput& run) {
    Risks risks;
    for (const UpgradeInRun& upgrade : run.upgrades) {
        if (upgrade.manifest().downtime) risks.downtime.push_back(upgrade.version);
    }
    risks.major_step = run.cluster_version && run.final_version &&
                       is_major_step(*run.cluster_version, *run.final_version);
    return risks;
}

namespace {

/// The versions that cause downtime; empty: none, or confirmed.
std::string unconfirmed_downtime(const GateInput& run) {
    return run.options.confirm_downtime ? "" : join(risks_of(run).downtime, ", ");
}

/// "FROM to another major version, TO"; empty: no such step, or confirmed.
std::string unconfirmed_major_step(const GateInput& run) {
    if (run.options.confirm_major || !risks_of(run).major_step) return {};
    return run.cluster_version->to_string() + " to another major version, " +
           run.final_version->to_string();
}

}  // namespace

std::vector<std::string> unconfirmed_risks(const GateInput& run) {
    std::vector<std::string> sentences;
    if (!gate_named("risk").stands_for(run.kind)) return sentences;
    if (const std::string downtime = unconfirmed_downtime(run); !downtime.empty())
        sentences.push_back("Downtime is caused by " + downtime + ".");
    if (const std::string step = unconfirmed_major_step(run); !step.empty())
        sentences.push_back("This is a step from " + step + ".");
    return sentences;
}

std::optional<Refusal> risk_gate(const GateInput& run, const UpgradeInRun*) {
    if (!run.options.yes || run.options.dry_run) return std::nullopt;
    std::vector<std::string> missing;
    std::vector<std::string> options;
    if (const std::string downtime = unconfirmed_downtime(run); !downtime.empty()) {
        missing.push_back("downtime is caused by " + downtime);
        options.emplace_back("--confirm-downtime");
    }
    if (const std::string step = unconfirmed_major_step(run); !step.empty()) {
        missing.push_back("this is a step from " + step);
        options.emplace_back("--confirm-major");
    }
    if (missing.empty()) return std::nullopt;
    return Refusal{join(missing, "; ") + "; --yes does not cover that",
                   "add " + join(options, " and ") + " when that is meant"};
}

}  // namespace runner
