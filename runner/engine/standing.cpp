// SPDX-License-Identifier: Apache-2.0
#include "engine/standing.hpp"

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
    if (*upgrade.outcome == Outcome::interrupted) return Standing::interrupted;
    if (*upgrade.outcome == Outcome::rollback_failed) return Standing::rollback_failed;
    return Standing::failed;
}

std::string standing_words(const UnsettledUpgrade& upgrade) {
    const std::string run = " (run " + upgrade.run + ")";
    const std::string because = upgrade.message.empty() ? "" : ": " + upgrade.message;
    switch (standing_of(upgrade)) {
        case Standing::applying:
            return upgrade.version + " is being applied" + run;
        case Standing::interrupted:
            return upgrade.version + ": its last attempt was interrupted" + run + because;
        case Standing::rollback_failed:
            return "the rollback of " + upgrade.version + " failed half-way" + run + because;
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
    for (UnsettledUpgrade& upgrade : facts.unsettled) {
        if (!upgrade.outcome) upgrade.outcome = Outcome::interrupted;
    }
    return facts;
}

bool is_half_undone(const UnsettledUpgrade& upgrade) {
    return upgrade.done && upgrade.is_undo && upgrade.outcome;
}

bool is_half_applied(const UnsettledUpgrade& upgrade) {
    return !upgrade.done && (!upgrade.finished_steps.empty() || upgrade.has_files);
}

}  // namespace runner
