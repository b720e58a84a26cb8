// SPDX-License-Identifier: Apache-2.0
// Its release is the one that was there when it was first attempted.
#include <algorithm>

#include "engine/gates/gate.hpp"

namespace runner {
namespace {

/// A pin is the digest of a release's archive, which a file by itself does not have. What is only
/// shown leaves no trace that could be taken for the release's.
std::optional<Refusal> refusal_of_file(const GateInput& run, const UpgradeInRun& upgrade,
                                       const Digest& pinned) {
    if (run.options.dry_run) return std::nullopt;
    return Refusal{upgrade.version + " was attempted from a release before (" + pinned.to_string() +
                       "); whether this file is of that release cannot be known",
                   "run the release, 'runner run " + upgrade.version +
                       "', or take this file all the same with --accept-changed " +
                       upgrade.version};
}

}  // namespace

bool is_taken_changed(const RunOptions& options, const UpgradeInRun& upgrade) {
    const std::vector<std::string>& named = options.accept_changed;
    return std::find(named.begin(), named.end(), upgrade.version) != named.end();
}

std::optional<Digest> pinned_otherwise(LedgerView& ledger, const UpgradeInRun& upgrade) {
    const auto pinned = ledger.pinned(upgrade.version, upgrade.platform);
    return pinned == upgrade.digest() ? std::nullopt : pinned;
}

std::optional<Refusal> pin_gate(const GateInput& run, const UpgradeInRun* upgrade) {
    const auto found = upgrade->digest();
    const bool is_file = upgrade->supplier == Supplier::file;
    if (!found && !is_file) return std::nullopt;
    if (is_taken_changed(run.options, *upgrade)) return std::nullopt;
    const auto pinned = pinned_otherwise(run.ledger, *upgrade);
    if (!pinned) return std::nullopt;
    if (is_file) return refusal_of_file(run, *upgrade, *pinned);
    return Refusal{upgrade->version +
                       " was changed after it was first attempted: its release now has " +
                       found->to_string() + ", attempted was " + pinned->to_string(),
                   "ask its author for a hotfix of another version, or take the new one with "
                   "--accept-changed " +
                       upgrade->version};
}

}  // namespace runner
