// SPDX-License-Identifier: Apache-2.0
// What a run, or an upgrade in it, must pass before it goes on. A gate answers from what it is
// given: it neither tells nor asks. Which gate stands for which kind of run is one table, gates().
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "config/cluster_config.hpp"
#include "engine/run_options.hpp"
#include "engine/upgrade_in_run.hpp"
#include "engine/work_tree.hpp"
#include "host/sandbox.hpp"
#include "ledger/ledger.hpp"
#include "model/error.hpp"

namespace runner {

/// The kinds of runs.
enum class KindOfRun {
    look,         ///< plan, check and the API: nothing is done
    upgrade,      ///< everything that is due
    single,       ///< one upgrade by itself
    rollback,     ///< what is done, undone
    verify,       ///< what is done, checked
    conformance,  ///< an author's proof, in a repository of its own
};
inline constexpr std::size_t k_kinds_of_run = 6;
const char* to_string(KindOfRun kind);

/// When a gate is asked.
enum class GateMoment {
    look,    ///< when the ledger was looked at, and again under the lease
    choose,  ///< when the upgrades were chosen, also when there are none
    admit,   ///< when manifests are known, before anything is fetched
    ask,     ///< when the plan was shown: for what --yes does not cover
    work,    ///< right before an upgrade begins
};

/// Why it does not go on.
struct Refusal {
    std::string what;     ///< what is refused and why, both sides of a mismatch named
    std::string way_out;  ///< what to do about it; may be empty
    Failure failure = Failure::preparation;
};

/// Versions that are asked for again and again, gathered when they are first needed.
class KnownVersions {
 public:
    [[nodiscard]] bool is_done(const LedgerFacts& facts, const std::string& version) const;
    /// Whether the source has it, or it is done or skipped.
    [[nodiscard]] bool is_known(const LedgerFacts& facts, const std::vector<Release>& releases,
                                const std::string& version) const;

 private:
    mutable std::optional<std::unordered_set<std::string>> m_done;
    mutable std::optional<std::unordered_set<std::string>> m_known;
};

/// What gates answer from. All must outlive it.
struct GateInput {
    KindOfRun kind = KindOfRun::look;
    const ClusterConfig& config;
    const RunOptions& options;
    const LedgerFacts& facts;
    LedgerView& ledger;
    WorkTree& work_tree;
    SandboxSupport sandbox = SandboxSupport::none;
    const std::vector<UpgradeInRun>& upgrades;       ///< of the run, in their order
    const std::vector<Release>* releases = nullptr;  ///< of the source; null: they were not listed
    std::optional<SemanticVersion> original;         ///< the cluster's; nothing: not known
    std::optional<SemanticVersion> cluster_version;
    std::optional<SemanticVersion> final_version;  ///< after a complete run
    KnownVersions versions{};
    /// Where the cluster stands when an upgrade's turn comes; empty: at `cluster_version`.
    std::function<SemanticVersion(const UpgradeInRun&)> reached_before;
};

using GateCheck = std::optional<Refusal> (*)(const GateInput& run, const UpgradeInRun* upgrade);

struct Gate {
    const char* name;
    GateMoment moment;
    bool of_upgrades;  ///< asked for each upgrade; false: once for the run, with a null upgrade
    GateCheck check;
    /// By kind of run: null where the gate stands, else why it does not.
    std::array<const char*, k_kinds_of_run> absent_because;

    [[nodiscard]] bool stands_for(KindOfRun kind) const {
        return absent_because[static_cast<std::size_t>(kind)] == nullptr;
    }
};

/// The table, in the order in which gates are asked.
const std::vector<Gate>& gates();

/// The gate of this name, which must be in the table.
const Gate& gate_named(const std::string& name);

/// All refusals of the gates of one moment for this kind of run.
std::vector<Refusal> refusals(const GateInput& run, GateMoment moment);
/// The first refusal for one upgrade.
std::optional<Refusal> refusal_of(const GateInput& run, GateMoment moment,
                                  const UpgradeInRun& upgrade);
/// The first refusal for the run as a whole, whatever its upgrades are.
std::optional<Refusal> refusal_of_run(const GateInput& run, GateMoment moment);
/// Throws a refusal as an Error. `unchanged`: what is told of the state in which it leaves things.
[[noreturn]] void throw_refusal(const Refusal& refusal, const std::string& unchanged);
/// Asks one gate of the run as a whole before the others of its moment, where it stands for this
/// kind of run. Throws Error.
void pass_gate(const GateInput& run, const Gate& gate);
/// Throws Error with all refusals of that moment, one a line, when there are any.
void pass_gates(const GateInput& run, GateMoment moment);

/// The identity that a config gives its cluster.
ClusterIdentity identity_of(const ClusterConfig& config);
/// identity_gate, for those who have no run.
std::optional<Refusal> identity_refusal(const ClusterConfig& config, const LedgerFacts& facts);

/// Why an upgrade whose undo is not finished stands in the way of everything else.
Refusal half_undone_refusal(const UnsettledUpgrade& upgrade);

// One file each, in gates/.
std::optional<Refusal> identity_gate(const GateInput& run, const UpgradeInRun*);
std::optional<Refusal> standing_gate(const GateInput& run, const UpgradeInRun*);
std::optional<Refusal> half_way_gate(const GateInput& run, const UpgradeInRun*);
std::optional<Refusal> original_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> trust_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> pin_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> policy_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> enforcement_gate(const GateInput& run, const UpgradeInRun*);
std::optional<Refusal> requires_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> after_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> skip_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> minimums_gate(const GateInput& run, const UpgradeInRun* upgrade);
std::optional<Refusal> risk_gate(const GateInput& run, const UpgradeInRun*);
std::optional<Refusal> work_tree_gate(const GateInput& run, const UpgradeInRun* upgrade);

/// Whether the user takes its release even if that was changed since it was first attempted.
bool is_taken_changed(const RunOptions& options, const UpgradeInRun& upgrade);
/// The digest with which it was first attempted, where that is not the one of its release now.
std::optional<Digest> pinned_otherwise(LedgerView& ledger, const UpgradeInRun& upgrade);

/// What is at risk, whether it was confirmed or not.
Risks risks_of(const GateInput& run);
/// Whether going from one version to the other has to be confirmed as a step to another major
/// version.
bool is_major_step(const SemanticVersion& from, const SemanticVersion& to);
/// What --yes and the first yes do not cover, a sentence each: downtime, and a step to another
/// major version. Nothing where the gate `risk` does not stand.
std::vector<std::string> unconfirmed_risks(const GateInput& run);

}  // namespace runner
