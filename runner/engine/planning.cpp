// SPDX-License-Identifier: Apache-2.0
#include "engine/planning.hpp"

#include <set>
#include <unordered_set>

#include "model/error.hpp"

namespace runner {
namespace {

std::string describe(const ClusterIdentity& identity) {
    std::string text = "'" + identity.name + "'";
    if (!identity.region.empty()) text += " in " + identity.region;
    if (!identity.account_id.empty()) text += ", account " + identity.account_id;
    return text;
}

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

/// What an upgrade requires is done, at or below the original version, or runs before it. Throws
/// Error{preparation} that names everything that is not.
void check_requirements(const PreparedPlan& prepared, const ClusterFacts& cluster) {
    std::set<std::string> met;
    for (const DoneUpgrade& done : cluster.done) met.insert(done.version);
    std::string problems;
    for (const KnownUpgrade& upgrade : prepared.upgrades) {
        const std::string version = upgrade.manifest.version.to_string();
        for (const std::string& needed : upgrade.manifest.needed_upgrades) {
            const bool original =
                UpgradeVersion::parse(needed).semver <= prepared.plan.original_version;
            if (original || met.count(needed) != 0) continue;
            problems += (problems.empty() ? "" : "\n") + version + " requires " + needed +
                        ", which is neither done nor part of this run before it";
        }
        met.insert(version);
    }
    if (problems.empty()) return;
    throw Error(Failure::preparation, problems + "; nothing was changed",
                "run what is required, too, or leave out what requires it with --skip");
}

}  // namespace

void check_identity(const ClusterConfig& config, const LedgerFacts& facts) {
    if (!facts.identity) return;
    const ClusterIdentity own{config.name, config.region, config.account_id};
    if (*facts.identity != own) {
        throw Error(Failure::refused,
                    "the ledger " + config.state.string() + " is of the cluster " +
                        describe(*facts.identity) + ", the config " + config.file.string() +
                        " is of " + describe(own) + "; nothing was changed",
                    "name the right config, or another 'state' in it");
    }
    const auto& stored = facts.cluster.original_version;
    if (stored && config.original_version && *stored != *config.original_version) {
        throw Error(Failure::usage,
                    config.file.string() + " says originalVersion " +
                        config.original_version->to_string() + ", the ledger has " +
                        stored->to_string() + ", which is fixed",
                    "correct the config");
    }
}

std::optional<SemanticVersion> known_original_version(const ClusterConfig& config,
                                                      const LedgerFacts& facts) {
    return facts.cluster.original_version ? facts.cluster.original_version
                                          : config.original_version;
}

Planner::Planner(const ClusterConfig& config, ReleaseSource& source, TrustPolicy trust)
    : m_config(config),
      m_source(source),
      m_store(source, config.releases.prefix, Platform::current(), std::move(trust)) {}

void Planner::list() {
    m_releases = m_source.list();
}

PreparedPlan Planner::plan(const LedgerFacts& facts, const SemanticVersion& original,
                           const Selection& selection) {
    PlanOptions options;
    options.target = selection.target.empty() ? m_config.target_version : selection.target;
    options.take_prereleases = m_config.releases.channel == Channel::preview;
    options.only = parse_all(selection.only);
    options.skip = parse_all(selection.skip);
    options.platform = Platform::current().to_string();
    ClusterFacts cluster = facts.cluster;
    cluster.original_version = original;

    // Digests of what is due, and of what is done and could have been changed since.
    std::vector<Release*> incomplete;
    for (Release& release : m_releases) {
        if (release.version && !release.digest && release.problem.empty() &&
            release.version->semver > original) {
            incomplete.push_back(&release);
        }
    }
    if (!incomplete.empty()) m_source.complete(incomplete);

    PreparedPlan prepared;
    prepared.releases = &m_releases;
    prepared.plan = make_plan(m_releases, cluster, options);
    for (const SkippedUpgrade& skipped : cluster.skipped)
        prepared.skip_reasons[skipped.version] =
            skipped.reason + " (" + skipped.actor + "; 'runner unskip' takes it back)";
    return prepared;
}

void Planner::load_manifests(PreparedPlan& prepared, const ClusterFacts& cluster) {
    std::vector<const Release*> due;
    for (const DueUpgrade& upgrade : prepared.plan.due)
        due.push_back(&(*prepared.releases)[upgrade.release]);
    prepared.upgrades = m_store.manifests(due);
    check_requirements(prepared, cluster);
    std::set<std::string> known;
    for (const SkippedUpgrade& skipped : cluster.skipped) known.insert(skipped.version);
    for (const DoneUpgrade& done : cluster.done) known.insert(done.version);
    for (const Release& release : *prepared.releases) {
        if (release.version) known.insert(release.version->to_string());
    }
    for (const KnownUpgrade& upgrade : prepared.upgrades) {
        if (!upgrade.signature_problem.empty()) {
            prepared.plan.warnings.push_back(upgrade.signature_problem +
                                             "; going on, because trust.verification is warn");
        }
        for (const std::string& before : upgrade.manifest.after) {
            const bool above =
                UpgradeVersion::parse(before).semver > prepared.plan.original_version;
            if (known.count(before) != 0 || !above) continue;
            throw Error(Failure::preparation,
                        upgrade.manifest.version.to_string() + " was released after " + before +
                            ", which the source does not have: a release is hidden or was deleted",
                        "look for the release " + before +
                            " at the source; if it was withdrawn for good, 'runner state record " +
                            before + " --reason …' settles it; nothing was changed");
        }
    }
}

RunReport Planner::report(const PreparedPlan& prepared, bool with_other) {
    RunReport report;
    report.cluster = m_config.name;
    report.target = prepared.plan.target.to_string();
    report.original_version = prepared.plan.original_version.to_string();
    report.cluster_version = prepared.plan.cluster_version.to_string();
    report.final_version = prepared.plan.final_version.to_string();
    report.warnings = prepared.plan.warnings;
    for (std::size_t i = 0; i < prepared.plan.due.size(); ++i) {
        const Release& release = (*prepared.releases)[prepared.plan.due[i].release];
        PlannedUpgrade upgrade;
        upgrade.version = release.version->to_string();
        upgrade.tag = release.tag;
        upgrade.late = prepared.plan.due[i].late;
        upgrade.digest = release.digest ? release.digest->to_string() : "";
        if (i < prepared.upgrades.size()) {
            upgrade.manifest = prepared.upgrades[i].manifest;
            upgrade.digest = prepared.upgrades[i].archive_digest.to_string();
            upgrade.signer = prepared.upgrades[i].signer;
        }
        upgrade.notes = m_source.notes(release);
        report.due.push_back(std::move(upgrade));
    }
    if (!with_other) return report;
    for (const OtherUpgrade& other : prepared.plan.other) {
        const Release& release = (*prepared.releases)[other.release];
        const std::string version = release.version->to_string();
        const auto skipped = prepared.skip_reasons.find(version);
        report.other.push_back(
            {version, other.reason,
             other.reason == Reason::skipped && skipped != prepared.skip_reasons.end()
                 ? skipped->second
                 : detail_of(release, other.reason, prepared.plan)});
    }
    return report;
}

}  // namespace runner
