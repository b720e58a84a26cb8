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

SemanticVersion resolve_target(const std::vector<Release>& releases,
                               const std::vector<std::size_t>& order,
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

void refuse_unknown(const std::vector<Release>& releases, const std::vector<std::size_t>& order,
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
            releases[other.release].version->semver > plan.original_version) {
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

Plan make_plan(const std::vector<Release>& releases, const ClusterFacts& facts,
               const PlanOptions& options) {
    Plan plan;
    plan.original_version = facts.original_version.value();
    plan.cluster_version = facts.cluster_version.value_or(plan.original_version);

    std::vector<std::size_t> order;
    order.reserve(releases.size());
    for (std::size_t i = 0; i < releases.size(); ++i) {
        if (releases[i].version) {
            order.push_back(i);
        } else {
            plan.warnings.push_back("release '" + releases[i].tag +
                                    "' is left out: " + releases[i].problem);
        }
    }
    const auto before = [&](std::size_t a, std::size_t b) {
        return *releases[a].version < *releases[b].version;
    };
    if (!std::is_sorted(order.begin(), order.end(), before))
        std::sort(order.begin(), order.end(), before);
    plan.target = resolve_target(releases, order, plan.cluster_version, options, plan);
    refuse_unknown(releases, order, options.only, "--only");
    refuse_unknown(releases, order, options.skip, "--skip");

    std::unordered_map<std::string, const DoneUpgrade*> done;
    done.reserve(facts.done.size());
    for (const DoneUpgrade& upgrade : facts.done) done.emplace(upgrade.version, &upgrade);
    std::unordered_set<std::string> skipped;
    for (const SkippedUpgrade& upgrade : facts.skipped) skipped.insert(upgrade.version);

    std::size_t seen_done = 0;
    std::vector<std::string> fatal;
    for (std::size_t position = 0; position < order.size(); ++position) {
        const std::size_t index = order[position];
        const Release& release = releases[index];
        const std::string version = release.version->to_string();
        const auto other = [&](Reason reason) { plan.other.push_back({index, reason}); };
        const auto done_entry = done.find(version);
        if (done_entry != done.end()) {
            ++seen_done;
            const DoneUpgrade& recorded = *done_entry->second;
            if (release.digest && recorded.digest && recorded.platform == options.platform &&
                *release.digest != *recorded.digest) {
                plan.warnings.push_back(version +
                                        " was changed after it was applied: the release now has " +
                                        release.digest->to_string() + ", applied was " +
                                        recorded.digest->to_string() + "; it is not run again");
            }
            other(Reason::done);
            continue;
        }
        if (release.version->semver <= plan.original_version) {
            other(Reason::not_newer_than_original);
            continue;
        }
        if (release.version->semver > plan.target) {
            other(Reason::newer_than_target);
            continue;
        }
        if (release.prerelease && !options.take_prereleases &&
            !contains(options.only, *release.version)) {
            other(Reason::prerelease);
            continue;
        }
        if (skipped.count(version) != 0) {
            other(Reason::skipped);
            continue;
        }
        if (contains(options.blocked, *release.version)) {
            other(Reason::blocked);
            continue;
        }
        if ((!options.only.empty() && !contains(options.only, *release.version)) ||
            contains(options.skip, *release.version)) {
            other(Reason::not_selected);
            continue;
        }
        const bool twice =
            (position > 0 && *releases[order[position - 1]].version == *release.version) ||
            (position + 1 < order.size() &&
             *releases[order[position + 1]].version == *release.version);
        if (twice) {
            fatal.push_back(version + ": release '" + release.tag +
                            "' is one of several with this version");
        } else if (!release.problem.empty()) {
            fatal.push_back(version + ": the release '" + release.tag +
                            "' is malformed: " + release.problem);
        } else if (!release.has_build) {
            fatal.push_back(version + ": the release '" + release.tag + "' has no build for " +
                            options.platform);
        } else {
            plan.due.push_back({index, release.version->semver <= plan.cluster_version});
        }
    }
    if (!fatal.empty()) {
        std::string message = fatal.front();
        for (std::size_t i = 1; i < fatal.size(); ++i) message += '\n' + fatal[i];
        throw Error(Failure::preparation, message,
                    "correct or delete the release, or leave the upgrade out with --skip; nothing "
                    "was changed");
    }
    for (const OtherUpgrade& other : plan.other) {
        const Release& release = releases[other.release];
        if (!release.problem.empty()) {
            plan.warnings.push_back("release '" + release.tag +
                                    "' is malformed: " + release.problem);
        }
    }
    if (seen_done < facts.done.size()) {
        std::unordered_set<std::string> present;
        for (const std::size_t index : order) present.insert(releases[index].version->to_string());
        for (const DoneUpgrade& upgrade : facts.done) {
            if (present.count(upgrade.version) == 0) {
                plan.warnings.push_back(upgrade.version +
                                        " is done, and its release is gone from the source");
            }
        }
    }
    plan.final_version = highest_settled(releases, plan, plan.due.size());
    return plan;
}

SemanticVersion version_after(const std::vector<Release>& releases, const Plan& plan,
                              std::size_t finished) {
    return highest_settled(releases, plan, finished);
}

}  // namespace runner
