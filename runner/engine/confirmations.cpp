// SPDX-License-Identifier: Apache-2.0
#include "engine/confirmations.hpp"

#include "engine/lease_holder.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {

void confirm(Terminal& terminal, const StopSignals& signals, const std::string& question) {
    const auto answer = terminal.ask(question + " [y/N] ");
    check_interrupted(signals);
    if (!means_yes(answer)) throw Error(Failure::declined, "declined; nothing was changed");
}

Risks::Risks(const PreparedPlan& prepared, bool downtime_confirmed, bool major_confirmed) {
    std::vector<std::string> versions;
    for (const KnownUpgrade& upgrade : prepared.upgrades) {
        if (upgrade.manifest.downtime) versions.push_back(upgrade.manifest.version.to_string());
    }
    if (!downtime_confirmed) m_downtime = join(versions, ", ");
    const SemanticVersion& from = prepared.plan.cluster_version;
    const SemanticVersion& to = prepared.plan.final_version;
    if (!major_confirmed && from.major != to.major)
        m_major = from.to_string() + " to another major version, " + to.to_string();
}

void Risks::require_confirmed() const {
    std::vector<std::string> missing;
    std::vector<std::string> options;
    if (!m_downtime.empty()) {
        missing.push_back("downtime is caused by " + m_downtime);
        options.emplace_back("--confirm-downtime");
    }
    if (!m_major.empty()) {
        missing.push_back("this is a step from " + m_major);
        options.emplace_back("--confirm-major");
    }
    if (missing.empty()) return;
    throw Error(Failure::preparation,
                join(missing, "; ") + "; --yes does not cover that; nothing was changed",
                "add " + join(options, " and ") + " when that is meant");
}

std::vector<std::string> Risks::sentences() const {
    std::vector<std::string> sentences;
    if (!m_downtime.empty()) sentences.push_back("Downtime is caused by " + m_downtime + ".");
    if (!m_major.empty()) sentences.push_back("This is a step from " + m_major + ".");
    return sentences;
}

}  // namespace runner
