// SPDX-License-Identifier: Apache-2.0
// A plan in a file: what was reviewed is what runs, or nothing does.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/planning.hpp"
#include "engine/report.hpp"
#include "model/json.hpp"

namespace runner {

/// What `plan --out` pins.
struct SavedPlan {
    struct Pinned {
        std::string version;
        std::string tag;
        std::string digest;
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

    /// Reads what saved_plan_document has made. Throws Error{usage} that names the key at fault.
    static SavedPlan parse(std::string_view text, const std::string& file);

    /// What selects just the pinned upgrades.
    [[nodiscard]] Selection selection() const;

    /// Throws Error{refused} that names everything in the ledger that moved since.
    void check_ledger(const LedgerFacts& facts, const ClusterIdentity& own) const;
    /// Throws Error{refused} when other upgrades are due, or the same with other bytes.
    void check_plan(const PreparedPlan& prepared) const;
    /// What would be due by now and is no part of it.
    [[nodiscard]] std::vector<std::string> released_since(const PreparedPlan& prepared) const;
};

/// The plan's document, with what it was made from.
Json saved_plan_document(const RunReport& report, const LedgerFacts& facts,
                         const ClusterIdentity& cluster);

/// Whether the plan can be saved: everything in it has a digest. Throws Error{preparation}.
void check_pinnable(const RunReport& report);

}  // namespace runner
