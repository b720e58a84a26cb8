// SPDX-License-Identifier: Apache-2.0
// What is due, and for every other upgrade why it is not. Pure: no
// I/O, no clock.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "model/digest.hpp"
#include "model/release.hpp"
#include "model/upgrade_version.hpp"

namespace runner {

/// An upgrade that the ledger has as done.
struct DoneUpgrade {
    std::string version;
    std::string platform;  ///< whose archive `digest` is of
    std::optional<Digest> digest;
};

/// Left out knowingly; it counts as settled.
struct SkippedUpgrade {
    std::string version;
    std::string reason;
    std::string actor;
};

/// What planning needs to know of the cluster.
struct ClusterFacts {
    std::optional<SemanticVersion> original_version;
    std::optional<SemanticVersion> cluster_version;
    std::vector<DoneUpgrade> done;
    std::vector<SkippedUpgrade> skipped;
};

struct PlanOptions {
    std::string target = "latest";  ///< latest, stable or a version
    bool take_prereleases = false;
    std::vector<UpgradeVersion> only;     ///< not empty: nothing else is selected
    std::vector<UpgradeVersion> skip;     ///< left out this time
    std::vector<UpgradeVersion> blocked;  ///< found to be blocked, and left out for that
    bool take_lower_target = false;       ///< a target below the cluster version is no mistake
    std::string platform;                 ///< `Linux_amd64`
};

enum class Reason {
    done,
    newer_than_target,
    not_newer_than_original,
    no_build_for_platform,
    blocked,
    skipped,
    not_selected,
    prerelease,
    malformed_release,
};
const char* to_string(Reason reason);

struct DueUpgrade {
    std::size_t release = 0;  ///< index into the releases that were planned over
    bool late = false;        ///< a hotfix: not above the cluster version
};

struct OtherUpgrade {
    std::size_t release = 0;
    Reason reason = Reason::done;
};

struct Plan {
    SemanticVersion target;
    SemanticVersion original_version;
    SemanticVersion cluster_version;
    /// What the cluster version is after a complete run: the target, unless something below it is
    /// left undone.
    SemanticVersion final_version;
    std::vector<DueUpgrade> due;      ///< in the order in which they run
    std::vector<OtherUpgrade> other;  ///< in the same order
    std::vector<std::string> warnings;
};

/// Whether an upgrade can ever run on a cluster that was made with the version `original`: what is
/// not above it is part of the cluster from the beginning.
bool is_above_original(const UpgradeVersion& version, const SemanticVersion& original);

/// The releases of one version; more than one is a fault of the source.
std::vector<Release*> releases_of(std::vector<Release>& releases, const UpgradeVersion& version);

/// Why a release cannot be run, though it is wanted; empty: it can. `one_of_several`: the source
/// has more than one of its version, and nobody knows which is meant.
std::string why_not_runnable(const Release& release, bool one_of_several,
                             const std::string& platform);

/// Throws Error{preparation} when a due upgrade has no build for this platform, is malformed or is
/// there twice, and Error{refused} when the target was asked for and is below the cluster version.
/// `facts.original_version` must be known.
Plan make_plan(const std::vector<Release>& releases, const ClusterFacts& facts,
               const PlanOptions& options);

/// Where the cluster stands when `finished` upgrades of the plan's due ones are done and the run
/// ends there.
SemanticVersion version_after(const std::vector<Release>& releases, const Plan& plan,
                              std::size_t finished);

}  // namespace runner
