// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "model/error.hpp"

namespace runner {
namespace {

constexpr std::array<std::pair<Reason, const char*>, 9> k_reasons{{
    {Reason::done, "done"},
    {Reason::newer_than_target, "newer_than_target"},
    {Reason::not_newer_than_original, "not_newer_than_original"},
    {Reason::no_build_for_platform, "no_build_for_platform"},
    {Reason::blocked, "blocked"},
    {Reason::skipped, "skipped"},
    {Reason::not_selected, "not_selected"},
    {Reason::prerelease, "prerelease"},
    {Reason::malformed_release, "malformed_release"},
}};

/// Indices into the releases that were planned over, lowest version first.
using Order = std::vector<std::size_t>;

/// What the ledger says of upgrades, by their versions.
struct Recorded {
    explicit Recorded(const ClusterFacts& facts) {
        done.reserve(facts.done.size());
        for (const DoneUpgrade& upgrade : facts.done) done.emplace(upgrade.version, &upgrade);
        for (const SkippedUpgrade& upgrade : facts.skipped) skipped.insert(upgrade.version);
    }
    std::unordered_map<std::string, const DoneUpgrade*> done;
    std::unordered_set<std::string> skipped;
};

/// The releases that have a version; two of one version stand side by side.
Order order_of(const std::vector<Release>& releases) {
    Order order;
    order.reserve(releases.size());
    for (std::size_t i = 0; i < releases.size(); ++i) {
        if (releases[i].version) order.push_back(i);
    }
    const auto before = [&](std::size_t a, std::size_t b) {
        return *releases[a].version < *releases[b].version;
    };
    if (!std::is_sorted(order.begin(), order.end(), before))
        std::sort(order.begin(), order.end(), before);
    return order;
}

/// Whether a target names this version. An upgrade's pre-release has no dots: what is `0.0.65-rc`
/// with the identifier `1` is written as the target `0.0.65-rc.1` is.
bool names(const SemanticVersion& target, const UpgradeVersion& version) {
    return version.semver == target || version.to_string() == target.to_string();
}

/// A target that no release has may be another program's version, or a slip of the hand.
void warn_of_unknown_target(const std::vector<Release>& releases, const Order& order,
                            const SemanticVersion& target, bool take_prereleases, Plan& plan) {
    const SemanticVersion* newest = nullptr;
    bool held_back = false;
    for (const std::size_t index : order) {
        const bool is_target = names(target, *releases[index].version);
        if (releases[index].prerelease && !take_prereleases) {
            held_back = held_back || is_target;
            continue;
        }
        newest = &releases[index].version->semver;
        if (is_target) return;
    }
    const std::string missing = held_back
                                    ? "the target " + target.to_string() +
                                          " is a pre-release, which the channel stable leaves out"
                                    : "no release has " + target.to_string();
    if (newest != nullptr) {
        plan.warnings.push_back(missing + "; the newest is " + newest->to_string());
    } else if (order.empty()) {
        plan.warnings.push_back(missing + ": the source has no releases");
    } else {
        plan.warnings.push_back(missing + ": the source has only pre-releases");
    }
}

SemanticVersion resolve_target(const std::vector<Release>& releases, const Order& order,
                               const SemanticVersion& cluster_version, const PlanOptions& options,
                               Plan& plan) {
    if (options.target != "latest" && options.target != "stable") {
        SemanticVersion target = SemanticVersion::parse(options.target);
        if (target < cluster_version && !options.take_lower_target) {
            throw Error(Failure::refused,
                        "the target " + target.to_string() + " is below the cluster version " +
                            cluster_version.to_string() +
                            ": an upgrade never goes down; nothing was changed",
                        "name a target of at least " + cluster_version.to_string() +
                            ", or take late hotfixes up to the lower one with --force");
        }
        if (target != cluster_version)
            warn_of_unknown_target(releases, order, target, options.take_prereleases, plan);
        return target;
    }
    const bool prereleases = options.take_prereleases && options.target == "latest";
    for (auto index = order.rbegin(); index != order.rend(); ++index) {
        const Release& release = releases[*index];
        if (release.prerelease && !prereleases) continue;
        if (release.version->semver >= cluster_version) return release.version->semver;
        plan.warnings.push_back("the newest release is " + release.version->semver.to_string() +
                                ", below the cluster version " + cluster_version.to_string() +
                                ": releases were deleted, or the source is another one");
        return cluster_version;
    }
    if (releases.empty()) plan.warnings.emplace_back("the source has no releases: nothing is due");
    return cluster_version;
}

bool contains(const std::vector<UpgradeVersion>& versions, const UpgradeVersion& version) {
    return std::find(versions.begin(), versions.end(), version) != versions.end();
}

void refuse_unknown(const std::vector<Release>& releases, const Order& order,
                    const std::vector<UpgradeVersion>& named, const char* option) {
    for (const UpgradeVersion& version : named) {
        const bool found = std::any_of(order.begin(), order.end(), [&](std::size_t index) {
            return *releases[index].version == version;
        });
        if (!found) {
            throw Error(
                Failure::preparation,
                std::string(option) + " " + version.to_string() + ": no release has this version",
                "'runner releases list' shows what there is");
        }
    }
}

/// Why the upgrade of this release is not due; nothing when it is. `version` is the release's.
std::optional<Reason> reason_not_due(const Release& release, const std::string& version,
                                     const Recorded& recorded, const PlanOptions& options,
                                     const Plan& plan) {
    if (recorded.done.count(version) != 0) return Reason::done;
    if (!is_above_original(*release.version, plan.original_version))
        return Reason::not_newer_than_original;
    if (release.version->semver > plan.target) return Reason::newer_than_target;
    const bool named = contains(options.only, *release.version);
    if (release.prerelease && !options.take_prereleases && !named) return Reason::prerelease;
    if (recorded.skipped.count(version) != 0) return Reason::skipped;
    if (contains(options.blocked, *release.version)) return Reason::blocked;
    if (!options.only.empty() && !named) return Reason::not_selected;
    if (contains(options.skip, *release.version)) return Reason::not_selected;
    return std::nullopt;
}

/// Why the release at this place of the order cannot be run, though it is due; empty: it can.
std::string problem_of_due(const std::vector<Release>& releases, const Order& order,
                           std::size_t position, const std::string& platform) {
    const Release& release = releases[order[position]];
    const auto same_version = [&](std::size_t neighbour) {
        return neighbour < order.size() && *releases[order[neighbour]].version == *release.version;
    };
    const bool one_of_several =
        (position > 0 && same_version(position - 1)) || same_version(position + 1);
    return why_not_runnable(release, one_of_several, platform);
}

/// Fills `due` and `other`. Throws Error{preparation} that names every due upgrade that cannot run.
void sort_out(const std::vector<Release>& releases, const Order& order, const Recorded& recorded,
              const PlanOptions& options, Plan& plan) {
    std::vector<std::string> problems;
    for (std::size_t position = 0; position < order.size(); ++position) {
        const Release& release = releases[order[position]];
        const std::string version = release.version->to_string();
        if (const auto reason = reason_not_due(release, version, recorded, options, plan)) {
            plan.other.push_back({order[position], *reason});
            continue;
        }
        const std::string problem = problem_of_due(releases, order, position, options.platform);
        if (problem.empty()) {
            const bool late = release.version->semver <= plan.cluster_version;
            plan.due.push_back({order[position], late});
        } else {
            problems.push_back(version + ": " + problem);
        }
    }
    if (problems.empty()) return;
    throw Error::of_lines(Failure::preparation, problems,
                          "correct or delete the release, or leave the upgrade out with --skip; "
                          "nothing was changed");
}

void warn_of_strange_tags(const std::vector<Release>& releases, Plan& plan) {
    for (const Release& release : releases) {
        if (release.version) continue;
        plan.warnings.push_back("release '" + release.tag + "' is left out: " + release.problem);
    }
}

/// Done upgrades whose releases have other bytes now.
void warn_of_changed(const std::vector<Release>& releases, const Recorded& recorded,
                     const std::string& platform, Plan& plan) {
    for (const OtherUpgrade& other : plan.other) {
        const Release& release = releases[other.release];
        if (other.reason != Reason::done || !release.digest) continue;
        const std::string version = release.version->to_string();
        const DoneUpgrade& done = *recorded.done.at(version);
        if (!done.digest || done.platform != platform || *release.digest == *done.digest) continue;
        plan.warnings.push_back(version +
                                " was changed after it was applied: the release now has " +
                                release.digest->to_string() + ", applied was " +
                                done.digest->to_string() + "; it is not run again");
    }
}

void warn_of_malformed(const std::vector<Release>& releases, Plan& plan) {
    for (const OtherUpgrade& other : plan.other) {
        const Release& release = releases[other.release];
        if (release.problem.empty()) continue;
        plan.warnings.push_back("release '" + release.tag + "' is malformed: " + release.problem);
    }
}

/// How many of the done upgrades have a release.
std::size_t count_done(const std::vector<Release>& releases, const Plan& plan) {
    std::size_t count = 0;
    const UpgradeVersion* previous = nullptr;
    for (const OtherUpgrade& other : plan.other) {
        if (other.reason != Reason::done) continue;
        const UpgradeVersion& version = *releases[other.release].version;
        if (previous == nullptr || *previous != version) ++count;
        previous = &version;
    }
    return count;
}

/// Done upgrades that have no release any more.
void warn_of_gone(const std::vector<Release>& releases, const ClusterFacts& facts, Plan& plan) {
    if (count_done(releases, plan) == facts.done.size()) return;
    std::unordered_set<std::string> present;
    for (const OtherUpgrade& other : plan.other)
        present.insert(releases[other.release].version->to_string());
    for (const DoneUpgrade& upgrade : facts.done) {
        if (present.count(upgrade.version) != 0) continue;
        plan.warnings.push_back(upgrade.version +
                                " is done, and its release is gone from the source");
    }
}

/// The highest version that was reached and below which nothing is left undone.
SemanticVersion highest_settled(const std::vector<Release>& releases, const Plan& plan,
                                std::size_t finished) {
    const UpgradeVersion* first_undone = nullptr;
    const auto undone = [&](std::size_t release) {
        const UpgradeVersion& version = *releases[release].version;
        if (first_undone == nullptr || version < *first_undone) first_undone = &version;
    };
    for (std::size_t i = finished; i < plan.due.size(); ++i) undone(plan.due[i].release);
    for (const OtherUpgrade& other : plan.other) {
        const bool left = other.reason == Reason::not_selected || other.reason == Reason::blocked ||
                          other.reason == Reason::no_build_for_platform ||
                          other.reason == Reason::malformed_release;
        // A recorded skip is settled; one for this run only is marked by the caller as not
        // selected.
        if (left && releases[other.release].version &&
            releases[other.release].version->semver <= plan.target &&
            is_above_original(*releases[other.release].version, plan.original_version)) {
            undone(other.release);
        }
    }
    if (first_undone == nullptr) return std::max(plan.target, plan.cluster_version);
    SemanticVersion highest = plan.cluster_version;
    const auto raise = [&](std::size_t release) {
        const SemanticVersion& semver = releases[release].version->semver;
        if (semver <= first_undone->semver && semver <= plan.target)
            highest = std::max(highest, semver);
    };
    for (std::size_t i = 0; i < finished; ++i) raise(plan.due[i].release);
    for (const OtherUpgrade& other : plan.other) {
        if (releases[other.release].version && other.reason == Reason::done) raise(other.release);
    }
    return highest;
}

}  // namespace

const char* to_string(Reason reason) {
    for (const auto& [value, word] : k_reasons) {
        if (value == reason) return word;
    }
    return "unknown";
}

bool is_above_original(const UpgradeVersion& version, const SemanticVersion& original) {
    return version.semver > original;
}

std::vector<Release*> releases_of(std::vector<Release>& releases, const UpgradeVersion& version) {
    std::vector<Release*> found;
    for (Release& release : releases) {
        if (release.version == version) found.push_back(&release);
    }
    return found;
}

std::string why_not_runnable(const Release& release, bool one_of_several,
                             const std::string& platform) {
    if (one_of_several) return "release '" + release.tag + "' is one of several with this version";
    if (!release.problem.empty())
        return "the release '" + release.tag + "' is malformed: " + release.problem;
    if (!release.has_build) return "the release '" + release.tag + "' has no build for " + platform;
    return {};
}

Plan make_plan(const std::vector<Release>& releases, const ClusterFacts& facts,
               const PlanOptions& options) {
    Plan plan;
    plan.original_version = facts.original_version.value();
    plan.cluster_version = facts.cluster_version.value_or(plan.original_version);

    warn_of_strange_tags(releases, plan);
    const Order order = order_of(releases);
    plan.target = resolve_target(releases, order, plan.cluster_version, options, plan);
    refuse_unknown(releases, order, options.only, "--only");
    refuse_unknown(releases, order, options.skip, "--skip");
    const Recorded recorded(facts);
    sort_out(releases, order, recorded, options, plan);
    warn_of_changed(releases, recorded, options.platform, plan);
    warn_of_malformed(releases, plan);
    warn_of_gone(releases, facts, plan);
    plan.final_version = highest_settled(releases, plan, plan.due.size());
    return plan;
}

SemanticVersion version_after(const std::vector<Release>& releases, const Plan& plan,
                              std::size_t finished) {
    return highest_settled(releases, plan, finished);
}

}  // namespace runner
