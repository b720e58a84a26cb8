// SPDX-License-Identifier: Apache-2.0
#include "engine/planning.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "model/error.hpp"
#include "support/text.hpp"

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

/// No giant hops: what was left out on the way, because it is no longer at the source, stays left
/// out. Throws Error{preparation}.
void check_hops(const PreparedPlan& prepared) {
    for (std::size_t i = 0; i < prepared.upgrades.size(); ++i) {
        const Manifest& manifest = prepared.upgrades[i].manifest;
        if (manifest.minimum_from.empty()) continue;
        const SemanticVersion reached = version_after(*prepared.releases, prepared.plan, i);
        if (SemanticVersion::parse(manifest.minimum_from) <= reached) continue;
        throw Error(Failure::preparation,
                    manifest.version.to_string() + " needs a cluster that has reached " +
                        manifest.minimum_from + "; this one will be at " + reached.to_string() +
                        "; nothing was changed",
                    "bring the cluster to " + manifest.minimum_from +
                        " first, from a source that still has the upgrades on the way");
    }
}

bool is_below(const std::string& path, const std::vector<std::string>& folders) {
    return std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
        return folder == "." || path == folder || path.rfind(folder + '/', 0) == 0;
    });
}

/// What the config refuses outright. Throws Error{preparation} that names it all.
void check_policy(const PolicyConfig& policy, const PreparedPlan& prepared) {
    std::vector<std::string> problems;
    for (const KnownUpgrade& upgrade : prepared.upgrades) {
        const Manifest& manifest = upgrade.manifest;
        const auto refuse = [&](const std::string& what) {
            problems.push_back(manifest.version.to_string() + ' ' + what);
        };
        if (!manifest.declared && !policy.undeclared) refuse("declares nothing of what it does");
        if (manifest.permissions.network && !policy.network) refuse("wants to use the network");
        for (const std::string& path : manifest.permissions.write) {
            if (policy.write && !is_below(path, *policy.write)) refuse("wants to write " + path);
        }
        for (const std::string& command : manifest.permissions.commands) {
            if (policy.commands && std::find(policy.commands->begin(), policy.commands->end(),
                                             command) == policy.commands->end())
                refuse("wants to run " + command);
        }
    }
    if (problems.empty()) return;
    throw Error(
        Failure::preparation,
        join(problems, "\n") + "\nthe cluster config's policy refuses that; nothing was changed",
        "leave the upgrade out with --skip, or allow it under 'policy' in the config");
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

namespace {

/// Looking works without keys, and says what that means.
TrustPolicy policy_for_looking(const ClusterConfig& config, std::string& warning) {
    try {
        return TrustPolicy::of(config);
    } catch (const Error& error) {
        warning = std::string(error.what()) + "; 'upgrade' refuses to run like this";
        return {};
    }
}

}  // namespace

LookingPlanner::LookingPlanner(const ClusterConfig& config, ReleaseSource& source)
    : m_config(config), m_planner(config, source, policy_for_looking(config, m_warning)) {}

void LookingPlanner::check(const LedgerFacts& facts) const {
    check_identity(m_config, facts);
    if (!known_original_version(m_config, facts)) {
        throw Error(Failure::preparation,
                    "the original version of the cluster '" + m_config.name + "' is not known",
                    "write originalVersion into " + m_config.file.string());
    }
}

RunReport LookingPlanner::report(const LedgerFacts& facts, const Selection& selection) {
    PreparedPlan prepared =
        m_planner.plan(facts, *known_original_version(m_config, facts), selection);
    if (!prepared.plan.due.empty()) m_planner.load_manifests(prepared, facts.cluster, false);
    RunReport report = m_planner.report(prepared, true);
    if (!m_warning.empty()) report.warnings.push_back(m_warning);
    return report;
}

Planner::Planner(const ClusterConfig& config, ReleaseSource& source, TrustPolicy trust)
    : m_config(config),
      m_source(source),
      m_store(source, config.releases.prefix, Platform::current(), std::move(trust)) {}

void Planner::list() {
    m_releases = m_source.list();
}

PreparedPlan Planner::plan(const LedgerFacts& facts, const SemanticVersion& original,
                           const Selection& selection,
                           const std::map<std::string, std::string>& blocked) {
    PlanOptions options;
    options.target = selection.target.empty() ? m_config.target_version : selection.target;
    options.take_prereleases = m_config.releases.channel == Channel::preview;
    options.only = parse_all(selection.only);
    options.skip = parse_all(selection.skip);
    for (const auto& [version, reason] : blocked)
        options.blocked.push_back(UpgradeVersion::parse(version));
    options.take_lower_target = selection.force;
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
    prepared.blocked = blocked;
    if (!facts.declared.empty()) prepared.declared = facts.declared;
    for (const SkippedUpgrade& skipped : cluster.skipped)
        prepared.skip_reasons[skipped.version] =
            skipped.reason + " (" + skipped.actor + "; 'runner unskip' takes it back)";
    return prepared;
}

void Planner::load_manifests(PreparedPlan& prepared, const ClusterFacts& cluster, bool build) {
    std::vector<const Release*> due;
    for (const DueUpgrade& upgrade : prepared.plan.due)
        due.push_back(&(*prepared.releases)[upgrade.release]);
    prepared.upgrades = build ? m_store.manifests(due) : m_store.known_manifests(due);
    check_requirements(prepared, cluster);
    check_hops(prepared);
    check_policy(m_config.policy, prepared);
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
    std::optional<std::set<Declaration>> declared = prepared.declared;
    for (std::size_t i = 0; i < prepared.plan.due.size(); ++i) {
        const Release& release = (*prepared.releases)[prepared.plan.due[i].release];
        PlannedUpgrade upgrade;
        upgrade.version = release.version->to_string();
        upgrade.tag = release.tag;
        upgrade.late = prepared.plan.due[i].late;
        upgrade.digest = release.digest ? release.digest->to_string() : "";
        if (i < prepared.upgrades.size()) {
            upgrade.manifest = prepared.upgrades[i].manifest;
            const Digest& archive = prepared.upgrades[i].archive_digest;
            upgrade.digest = archive == Digest{} ? "" : archive.to_string();
            upgrade.signer = prepared.upgrades[i].signer;
        }
        upgrade.notes = m_source.notes(release);
        if (declared && i < prepared.upgrades.size()) {
            for (const Declaration& declaration : declarations_of(upgrade.manifest)) {
                if (declared->insert(declaration).second) upgrade.news.push_back(declaration);
            }
        }
        report.due.push_back(std::move(upgrade));
    }
    if (!with_other) return report;
    for (const OtherUpgrade& other : prepared.plan.other) {
        const Release& release = (*prepared.releases)[other.release];
        const std::string version = release.version->to_string();
        std::string detail = detail_of(release, other.reason, prepared.plan);
        for (const auto& [reason, details] : {std::pair(Reason::skipped, &prepared.skip_reasons),
                                              std::pair(Reason::blocked, &prepared.blocked)}) {
            const auto found = details->find(version);
            if (other.reason == reason && found != details->end()) detail = found->second;
        }
        report.other.push_back({version, other.reason, detail});
    }
    return report;
}

}  // namespace runner
