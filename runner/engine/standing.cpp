// SPDX-License-Identifier: Apache-2.0
#include "engine/standing.hpp"

#include <algorithm>

#include "engine/lease_holder.hpp"

namespace runner {

const char* to_string(Standing standing) {
    switch (standing) {
        case Standing::applying:
            return "applying";
        case Standing::failed:
            return "failed";
        case Standing::interrupted:
            return "interrupted";
        case Standing::rollback_failed:
            return "rollback_failed";
    }
    return "failed";
}

Standing standing_of(const UnsettledUpgrade& upgrade) {
    if (!upgrade.outcome) return Standing::applying;
    if (is_half_undone(upgrade)) return Standing::rollback_failed;
    if (*upgrade.outcome == Outcome::interrupted) return Standing::interrupted;
    return Standing::failed;
}

std::string standing_words(const UnsettledUpgrade& upgrade) {
    const std::string run = " (run " + upgrade.run + ")";
    const std::string because = upgrade.message.empty() ? "" : ": " + upgrade.message;
    switch (standing_of(upgrade)) {
        case Standing::applying:
            return upgrade.version +
                   (upgrade.is_undo ? " is being rolled back" : " is being applied") + run;
        case Standing::interrupted:
            return upgrade.version + ": its last attempt was interrupted" + run + because;
        case Standing::rollback_failed:
            return "the rollback of " + upgrade.version +
                   (upgrade.outcome == Outcome::interrupted ? " was interrupted"
                                                            : " failed half-way") +
                   run + because;
        case Standing::failed:
            break;
    }
    return upgrade.version + ": its last attempt failed" + run + because;
}

LedgerFacts facts_as_of_now(LedgerView& ledger, const Clock& clock) {
    LedgerFacts facts = ledger.facts();
    if (facts.unsettled.empty()) return facts;
    const auto lease = ledger.lease();
    if (lease && !lease->manual() && is_live(*lease, clock)) return facts;
    return facts_after_a_death(std::move(facts));
}

LedgerFacts facts_after_a_death(LedgerFacts facts) {
    for (UnsettledUpgrade& upgrade : facts.unsettled) {
        if (!upgrade.outcome) upgrade.outcome = Outcome::interrupted;
    }
    return facts;
}

const UnsettledUpgrade* unsettled_in(const LedgerFacts& facts, const std::string& version) {
    const auto found =
        std::find_if(facts.unsettled.begin(), facts.unsettled.end(),
                     [&](const UnsettledUpgrade& one) { return one.version == version; });
    return found == facts.unsettled.end() ? nullptr : &*found;
}

bool is_half_undone(const UnsettledUpgrade& upgrade) {
    if (upgrade.outcome == Outcome::rollback_failed) return true;
    // Of an undo that died, recovery has put back the files, and the finished steps are known: of
    // what can have changed nothing else, nothing is unclear.
    return upgrade.is_undo && upgrade.outcome && (upgrade.done || upgrade.other_effects);
}

bool is_half_applied(const UnsettledUpgrade& upgrade) {
    return !upgrade.done && !is_half_undone(upgrade) &&
           (!upgrade.finished_steps.empty() || upgrade.has_files || upgrade.other_effects);
}

bool is_half_way(const UnsettledUpgrade& upgrade) {
    return is_half_undone(upgrade) || is_half_applied(upgrade);
}

}  // namespace runner
