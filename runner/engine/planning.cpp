// SPDX-License-Identifier: Apache-2.0
#include "engine/planning.hpp"

#include <algorithm>

#include "engine/standing.hpp"
#include "engine/work_tree.hpp"
#include "model/error.hpp"

namespace runner {
namespace {

std::vector<UpgradeVersion> parse_all(const std::vector<std::string>& texts) {
    std::vector<UpgradeVersion> versions;
    for (const std::string& text : texts) versions.push_back(UpgradeVersion::parse(text));
    return versions;
}

std::string detail_of(const Release& release, Reason reason, const Plan& plan) {
    switch (reason) {
        case Reason::newer_than_target:
            return "above the target " + plan.target.to_string();
        case Reason::not_newer_than_original:
            return "not above the original version " + plan.original_version.to_string();
        case Reason::prerelease:
            return "a pre-release; the channel is stable";
        case Reason::not_selected:
            return "left out by --only or --skip";
        case Reason::malformed_release:
            return release.problem;
        default:
            return {};
    }
}

PlanOptions plan_options(const ClusterConfig& config, const Selection& selection,
                         const std::map<std::string, std::string>& blocked) {
    PlanOptions options;
    options.target = selection.target.empty() ? config.target_version : selection.target;
    options.take_prereleases = config.releases.channel == Channel::preview;
    options.only = parse_all(selection.only);
    options.skip = parse_all(selection.skip);
    for (const auto& [version, reason] : blocked)
        options.blocked.push_back(UpgradeVersion::parse(version));
    options.take_lower_target = selection.force;
    options.platform = Platform::current().to_string();
    return options;
}

/// Digests of what is due, and of what is done and could have been changed since.
void complete_releases(ReleaseSource& source, std::vector<Release>& releases,
                       const SemanticVersion& original) {
    std::vector<Release*> incomplete;
    for (Release& release : releases) {
        if (release.version && !release.digest && release.problem.empty() &&
            is_above_original(*release.version, original))
            incomplete.push_back(&release);
    }
    if (!incomplete.empty()) source.complete(incomplete);
}

/// Looking works without keys, and says what that means.
TrustPolicy policy_for_looking(const ClusterConfig& config, std::string& warning) {
    try {
        return TrustPolicy::of(config);
    } catch (const Error& error) {
        warning =
            std::string(error.what()) + "; 'upgrade' refuses to run like this: " + error.next();
        return {};
    }
}

}  // namespace

void check_identity(const ClusterConfig& config, const LedgerFacts& facts) {
    if (const auto refusal = identity_refusal(config, facts))
        throw_refusal(*refusal, "nothing was changed");
}

std::optional<SemanticVersion> known_original_version(const ClusterConfig& config,
                                                      const LedgerFacts& facts) {
    return facts.cluster.original_version ? facts.cluster.original_version
                                          : config.original_version;
}

void start_if_new(Ledger& ledger, const LedgerFacts& facts, const ClusterConfig& config,
                  const std::optional<SemanticVersion>& original) {
    if (!facts.identity) ledger.set_identity(identity_of(config));
    if (!facts.cluster.original_version && original) ledger.set_original_version(*original);
}

Choice choose_due(const ClusterConfig& config, ReleaseSource& source, Supply& supply,
                  const LedgerFacts& facts, const SemanticVersion& original,
                  const Selection& selection, const std::map<std::string, std::string>& blocked) {
    ClusterFacts cluster = facts.cluster;
    cluster.original_version = original;
    std::vector<Release>& releases = supply.releases();
    complete_releases(source, releases, original);
    Choice choice;
    choice.releases = &releases;
    choice.plan = make_plan(releases, cluster, plan_options(config, selection, blocked));
    choice.blocked = blocked;
    for (const SkippedUpgrade& skipped : cluster.skipped)
        choice.skip_reasons[skipped.version] =
            skipped.reason + " (" + skipped.actor + "; 'runner unskip' takes it back)";
    return choice;
}

std::vector<UpgradeInRun> due_of(const Choice& choice) {
    std::vector<UpgradeInRun> upgrades(choice.plan.due.size());
    for (std::size_t i = 0; i < upgrades.size(); ++i) {
        const Release& release = (*choice.releases)[choice.plan.due[i].release];
        UpgradeInRun& upgrade = upgrades[i];
        upgrade.version = release.version->to_string();
        upgrade.tag = release.tag;
        upgrade.platform = Platform::current().to_string();
        upgrade.known.release = &release;
        upgrade.known.manifest = Manifest::undeclared(*release.version);
        if (release.digest) upgrade.known.archive_digest = *release.digest;
        upgrade.late = choice.plan.due[i].late;
    }
    return upgrades;
}

PlannedUpgrade shown_of(const UpgradeInRun& upgrade) {
    PlannedUpgrade shown;
    shown.version = upgrade.version;
    shown.tag = upgrade.tag;
    shown.digest = upgrade.digest() ? upgrade.digest()->to_string() : "";
    shown.manifest = upgrade.manifest();
    shown.signer = upgrade.known.signer;
    shown.notes = upgrade.notes;
    shown.late = upgrade.late;
    shown.news = upgrade.news;
    shown.outcome = upgrade.outcome;
    shown.message = upgrade.message;
    shown.pinned = upgrade.pinned;
    return shown;
}

void add_signature_warnings(RunReport& report, const std::vector<UpgradeInRun>& upgrades) {
    for (const UpgradeInRun& upgrade : upgrades) {
        if (upgrade.known.signature_problem.empty()) continue;
        report.warnings.push_back(upgrade.known.signature_problem +
                                  "; going on, because trust.verification is warn");
    }
}

void add_standing_warnings(RunReport& report, const LedgerFacts& facts) {
    for (const UnsettledUpgrade& upgrade : facts.unsettled)
        report.warnings.push_back(standing_words(upgrade));
}

void mark_news(std::vector<UpgradeInRun>& upgrades, const std::set<Declaration>& declared) {
    if (declared.empty()) return;
    std::set<Declaration> seen = declared;
    for (UpgradeInRun& upgrade : upgrades) {
        upgrade.news.clear();
        for (const Declaration& declaration : declarations_of(upgrade.manifest())) {
            if (seen.insert(declaration).second) upgrade.news.push_back(declaration);
        }
    }
}

RunReport report_of(const ClusterConfig& config, const Choice& choice,
                    const std::vector<UpgradeInRun>& upgrades, bool with_other) {
    RunReport report;
    report.cluster = config.name;
    report.target = choice.plan.target.to_string();
    report.original_version = choice.plan.original_version.to_string();
    report.cluster_version = choice.plan.cluster_version.to_string();
    report.final_version = choice.plan.final_version.to_string();
    report.warnings = choice.plan.warnings;
    for (const UpgradeInRun& upgrade : upgrades) report.due.push_back(shown_of(upgrade));
    if (!with_other) return report;
    for (const OtherUpgrade& other : choice.plan.other) {
        const Release& release = (*choice.releases)[other.release];
        const std::string version = release.version->to_string();
        std::string detail = detail_of(release, other.reason, choice.plan);
        for (const auto& [reason, details] : {std::pair(Reason::skipped, &choice.skip_reasons),
                                              std::pair(Reason::blocked, &choice.blocked)}) {
            const auto found = details->find(version);
            if (other.reason == reason && found != details->end()) detail = found->second;
        }
        report.other.push_back({version, other.reason, detail});
    }
    return report;
}

LookingPlanner::LookingPlanner(const ClusterConfig& config, ReleaseSource& source,
                               SandboxSupport sandbox)
    : m_config(config),
      m_source(source),
      m_sandbox(sandbox),
      m_supply(config, source, nullptr, policy_for_looking(config, m_warning)) {}

void LookingPlanner::check(const LedgerFacts& facts) const {
    check_identity(m_config, facts);
    if (!known_original_version(m_config, facts)) {
        throw Error(Failure::preparation,
                    "the original version of the cluster '" + m_config.name + "' is not known",
                    "write originalVersion into " + m_config.file.string());
    }
}

RunReport LookingPlanner::report(LedgerView& ledger, const LedgerFacts& facts,
                                 const Selection& selection) {
    const SemanticVersion original = *known_original_version(m_config, facts);
    const Choice choice = choose_due(m_config, m_source, m_supply, facts, original, selection);
    std::vector<UpgradeInRun> upgrades = due_of(choice);
    m_supply.load(upgrades, false);
    for (UpgradeInRun& upgrade : upgrades) upgrade.notes = m_source.notes(*upgrade.known.release);
    mark_news(upgrades, facts.declared);
    const RunOptions options;
    DiskWorkTree work_tree(m_config.repository_directory, m_config.state);
    GateInput input{.config = m_config,
                    .options = options,
                    .facts = facts,
                    .ledger = ledger,
                    .work_tree = work_tree,
                    .sandbox = m_sandbox,
                    .upgrades = upgrades,
                    .releases = choice.releases,
                    .original = original,
                    .cluster_version = choice.plan.cluster_version,
                    .final_version = choice.plan.final_version,
                    .reached_before = reached_before(choice)};
    pass_gates(input, GateMoment::look);
    pass_gates(input, GateMoment::choose);
    if (!upgrades.empty()) pass_gates(input, GateMoment::admit);
    RunReport report = report_of(m_config, choice, upgrades, true);
    add_signature_warnings(report, upgrades);
    report.risks = risks_of(input);
    add_standing_warnings(report, facts);
    if (!m_warning.empty()) report.warnings.push_back(m_warning);
    return report;
}

std::size_t due_position(const Choice& choice, const UpgradeInRun& upgrade) {
    const std::vector<DueUpgrade>& due = choice.plan.due;
    const auto found = std::find_if(due.begin(), due.end(), [&](const DueUpgrade& one) {
        return &(*choice.releases)[one.release] == upgrade.known.release;
    });
    return static_cast<std::size_t>(found - due.begin());
}

std::function<SemanticVersion(const UpgradeInRun&)> reached_before(const Choice& choice) {
    return [&choice](const UpgradeInRun& upgrade) {
        const std::size_t position = due_position(choice, upgrade);
        return position == choice.plan.due.size()
                   ? choice.plan.cluster_version
                   : version_after(*choice.releases, choice.plan, position);
    };
}

}  // namespace runner
