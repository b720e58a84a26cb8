// SPDX-License-Identifier: Apache-2.0
// From a cluster config to a plan: the ledger looked at, the releases listed, what is due with its
// manifests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/report.hpp"
#include "ledger/ledger.hpp"
#include "plan/plan.hpp"
#include "releases/upgrade_store.hpp"

namespace runner {

/// What the user selects; the options that `plan` and `upgrade` share.
struct Selection {
    std::string target;  ///< empty: the config's
    std::vector<std::string> only;
    std::vector<std::string> skip;
    bool force = false;  ///< also with a target below the cluster version
};

/// Compares the ledger's cluster with the config's. Throws Error{refused} naming both, and
/// Error{usage} when the config says another original version than the one that is stored.
void check_identity(const ClusterConfig& config, const LedgerFacts& facts);

/// The original version from the ledger, else from the config, else nothing.
std::optional<SemanticVersion> known_original_version(const ClusterConfig& config,
                                                      const LedgerFacts& facts);

/// What a plan is made from and what it came to.
struct PreparedPlan {
    const std::vector<Release>* releases =
        nullptr;  ///< the planner's; plan's indexes point into it
    Plan plan;
    std::vector<KnownUpgrade> upgrades;               ///< of plan.due, in its order
    std::map<std::string, std::string> skip_reasons;  ///< by version
    std::map<std::string, std::string> blocked;       ///< by version: why
    /// What was declared before, by the upgrades that were run here; nothing when none was.
    std::optional<std::set<Declaration>> declared;
};

class Planner {
 public:
    Planner(const ClusterConfig& config, ReleaseSource& source, TrustPolicy trust);

    /// Lists the releases; once.
    void list();

    /// The plan for these facts; cheap, no I/O but for checksums that were never read.
    /// `blocked`: what is left out because it cannot run here, and why.
    PreparedPlan plan(const LedgerFacts& facts, const SemanticVersion& original,
                      const Selection& selection,
                      const std::map<std::string, std::string>& blocked = {});

    /// Signatures, checksums and manifests of the due upgrades, held against what they require and
    /// against the config's policy. `cluster` tells which upgrades are
    /// settled although the source no longer has them. `build`: also of what must be built for
    /// that; else such an upgrade declares nothing yet.
    void load_manifests(PreparedPlan& prepared, const ClusterFacts& cluster, bool build = true);

    UpgradeStore& store() { return m_store; }

    /// The plan as it is shown. Without manifests when they were not loaded; without the upgrades
    /// that are not due when nobody will see them.
    RunReport report(const PreparedPlan& prepared, bool with_other);

 private:
    const ClusterConfig& m_config;
    ReleaseSource& m_source;
    UpgradeStore m_store;
    std::vector<Release> m_releases;
};

/// A plan, and what it was made from.
struct PlanReport {
    RunReport report;
    LedgerFacts facts;
};

/// Plans for those who only look: works without keys, and warns of that. What was listed once
/// serves for as many plans as are wanted.
class LookingPlanner {
 public:
    LookingPlanner(const ClusterConfig& config, ReleaseSource& source);

    /// Throws Error when these are not of the cluster, or its original version is not known.
    void check(const LedgerFacts& facts) const;
    void list() { m_planner.list(); }
    /// For facts that were checked; changes nothing. Throws Error.
    RunReport report(const LedgerFacts& facts, const Selection& selection);

 private:
    const ClusterConfig& m_config;
    std::string m_warning;
    Planner m_planner;
};

}  // namespace runner
