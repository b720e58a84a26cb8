// SPDX-License-Identifier: Apache-2.0
// What every store of the ledger refuses, and in which words.
#pragma once

#include <optional>
#include <string>

#include "ledger/records.hpp"
#include "model/error.hpp"

namespace runner {

/// Somebody has the lease; `held` is absent while that one only just starts or ends.
Error lease_held(const std::optional<LeaseInfo>& held);

/// A run's lease is not its own any more; `held`: whose it is, absent when it is nobody's.
Error lease_lost(const std::optional<LeaseInfo>& held);

/// Whether `owner` may take over the lease `held`, whose kernel lock is free, at the time `now`:
/// throws lease_held for a lock by hand, and for another host's with a fresh heartbeat. Returns the
/// words that say whose lease it was.
std::string take_over(const LeaseInfo& held, const LeaseInfo& owner, Time now);

/// A move that no run may make.
Error no_such_move(RunState from, RunState to);

/// A run that is not in the state `from` any more, or that is not there.
Error moved_by_others(const std::string& run, RunState from);

/// The original version is known and is another one.
Error original_is_fixed(const SemanticVersion& known, const SemanticVersion& wanted);

/// Throws Error{refused} when the cluster version cannot be set to `version` by hand.
void check_correction(const std::optional<ClusterIdentity>& cluster,
                      const std::optional<SemanticVersion>& original,
                      const SemanticVersion& version);

/// What is done cannot be skipped.
Error done_already(const std::string& version);

/// An import into a ledger, named `name`, that holds something.
Error not_empty(const std::string& name);

}  // namespace runner
