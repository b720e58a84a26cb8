// SPDX-License-Identifier: Apache-2.0
// From a cluster config to a plan: the releases listed, what is due with its manifests, and the
// plan as it is shown.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/gates/gate.hpp"
#include "engine/report.hpp"
#include "engine/supply.hpp"
#include "host/sandbox.hpp"
#include "ledger/ledger.hpp"
#include "plan/plan.hpp"

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

/// Identity and original version, where the ledger, whose `facts` are, has none yet. `original`: of
/// the cluster; nothing: not known.
void start_if_new(Ledger& ledger, const LedgerFacts& facts, const ClusterConfig& config,
                  const std::optional<SemanticVersion>& original);

/// A plan with what it was made from.
struct Choice {
    const std::vector<Release>* releases = nullptr;  ///< plan's indexes point into it
    Plan plan;
    std::map<std::string, std::string> skip_reasons;  ///< by version
    std::map<std::string, std::string> blocked;       ///< by version: why it is left out
};

/// The plan for these facts; cheap, no I/O but for checksums that were never read. `blocked`: what
/// is left out because it cannot run here, and why. Throws Error.
Choice choose_due(const ClusterConfig& config, ReleaseSource& source, Supply& supply,
                  const LedgerFacts& facts, const SemanticVersion& original,
                  const Selection& selection,
                  const std::map<std::string, std::string>& blocked = {});

/// The due upgrades of a plan, in their order, with nothing known of them yet but their releases.
std::vector<UpgradeInRun> due_of(const Choice& choice);

/// Where an upgrade stands among the due ones of a plan; their number: it is not among them.
std::size_t due_position(const Choice& choice, const UpgradeInRun& upgrade);

/// For GateInput: where the cluster stands when an upgrade's turn comes. `choice` must outlive it.
std::function<SemanticVersion(const UpgradeInRun&)> reached_before(const Choice& choice);

/// An upgrade as it is shown.
PlannedUpgrade shown_of(const UpgradeInRun& upgrade);

/// Marks what no upgrade of this cluster had declared before. `declared`: by those that were run
/// here; with none nothing is new.
void mark_news(std::vector<UpgradeInRun>& upgrades, const std::set<Declaration>& declared);

/// Warns of each upgrade whose signature is not good and that goes on all the same. What is refused
/// for that never comes here (gates/trust.cpp).
void add_signature_warnings(RunReport& report, const std::vector<UpgradeInRun>& upgrades);

/// Warns of each upgrade that is begun and not settled.
void add_standing_warnings(RunReport& report, const LedgerFacts& facts);

/// The plan as it is shown; without the upgrades that are not due when nobody will see them.
RunReport report_of(const ClusterConfig& config, const Choice& choice,
                    const std::vector<UpgradeInRun>& upgrades, bool with_other);

/// A plan, and what it was made from.
struct PlanReport {
    RunReport report;
    LedgerFacts facts;
};

/// Plans for those who only look: works without keys, and warns of that. What was listed once
/// serves for as many plans as are wanted.
class LookingPlanner {
 public:
    /// `sandbox`: what the kernel can enforce.
    LookingPlanner(const ClusterConfig& config, ReleaseSource& source,
                   SandboxSupport sandbox = sandbox_support());

    /// Throws Error when the ledger is not of the cluster, or its original version is not known.
    void check(const LedgerFacts& facts) const;
    void list() { m_supply.releases(); }
    /// What `upgrade` would do, behind the same gates. `facts`, that were checked, are of `ledger`;
    /// changes nothing. Throws Error.
    RunReport report(LedgerView& ledger, const LedgerFacts& facts, const Selection& selection);

 private:
    const ClusterConfig& m_config;
    ReleaseSource& m_source;
    SandboxSupport m_sandbox;
    std::string m_warning;
    Supply m_supply;
};

}  // namespace runner
