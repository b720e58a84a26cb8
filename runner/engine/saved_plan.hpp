// SPDX-License-Identifier: Apache-2.0
// A plan in a file: what was reviewed is what runs, or nothing does.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/planning.hpp"
#include "engine/report.hpp"
#include "engine/run.hpp"
#include "model/json.hpp"

namespace runner {

/// What `plan --out` pins.
struct SavedPlan {
    struct Pinned {
        std::string version;
        std::string tag;
        std::string digest;
        std::optional<PinnedWork> work;  ///< absent in a plan that an older runner has saved
    };
    std::string file;  ///< as it was named
    ClusterIdentity cluster;
    std::string platform;
    std::string target;
    std::string original_version;
    std::string cluster_version;
    std::vector<Pinned> due;      ///< in the order in which they run
    std::set<std::string> other;  ///< what was not due, or left out
    std::set<std::string> done;   ///< as of the plan
    std::set<std::string> skipped;
    std::int64_t last_attempt = 0;
    std::map<std::string, std::string> given;  ///< values that --env gave the plan

    /// Reads what saved_plan_document has made. Throws Error{usage} that names the key at fault.
    static SavedPlan parse(std::string_view text, const std::string& file);

    /// What selects just the pinned upgrades.
    [[nodiscard]] Selection selection() const;

    /// Throws Error{refused} that names everything in the ledger that moved since.
    /// `original`: the cluster's original version.
    void check_ledger(const LedgerFacts& facts, const ClusterIdentity& own,
                      const SemanticVersion& original) const;
    /// Throws Error{refused} when other upgrades are due, or the same with other bytes.
    void check_upgrades(const std::vector<UpgradeInRun>& upgrades) const;
    /// What would be due by now and is no part of it.
    [[nodiscard]] std::vector<std::string> released_since(const Choice& choice) const;
    /// The given values, and where they say nothing those that were given for the plan.
    [[nodiscard]] GivenParameters with_given(GivenParameters values) const;
    /// Throws Error{refused} when a parameter has another value than when the plan was made.
    void check_values(const Run& run) const;
    /// Throws Error{refused} when an upgrade would do something else than the plan shows.
    void check_work(const Run& run) const;
};

/// Notes in every upgrade of the run what a saved plan pins of it. Throws Error{preparation} when a
/// secret cannot be pinned.
void pin_work(Run& run);

/// The plan's document, with what it was made from. `given`: the values that --env gave.
Json saved_plan_document(const RunReport& report, const LedgerFacts& facts,
                         const ClusterIdentity& cluster,
                         const std::map<std::string, std::string>& given);

}  // namespace runner
