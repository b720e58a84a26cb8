// SPDX-License-Identifier: Apache-2.0
// How an upgrade stands on a cluster, from its last attempt.
#pragma once

#include <string>

#include "ledger/ledger.hpp"
#include "support/clock.hpp"

namespace runner {

/// Of what was begun and is not settled.
enum class Standing { applying, failed, interrupted, rollback_failed };
const char* to_string(Standing standing);

Standing standing_of(const UnsettledUpgrade& upgrade);

/// How it stands and why, in a sentence without its end.
std::string standing_words(const UnsettledUpgrade& upgrade);

/// The facts of a ledger that is looked at: an attempt that is open though nobody lives who could
/// close it counts as interrupted.
LedgerFacts facts_as_of_now(LedgerView& ledger, const Clock& clock);

/// Of a ledger in which nobody lives: what is open counts as interrupted.
LedgerFacts facts_after_a_death(LedgerFacts facts);

/// The upgrade as it stands, when it is not settled; else null. Lives as long as `facts`.
const UnsettledUpgrade* unsettled_in(const LedgerFacts& facts, const std::string& version);

/// Whether an undo of it was begun and not finished: until that is done, neither *done* nor *due*
/// is true of it.
bool is_half_undone(const UnsettledUpgrade& upgrade);

/// Whether something of it may be there that was begun and not finished, and is not being undone:
/// finished steps, changed files, effects that are listed nowhere.
bool is_half_applied(const UnsettledUpgrade& upgrade);

/// Either of them: what a rollback undoes first.
bool is_half_way(const UnsettledUpgrade& upgrade);

}  // namespace runner
