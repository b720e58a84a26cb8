// SPDX-License-Identifier: Apache-2.0
#include "ledger/refusals.hpp"

#include "support/clock.hpp"

namespace runner {
namespace {

std::string describe(const LeaseInfo& lease) {
    if (lease.manual()) {
        return lease.actor + " (locked by hand on " + lease.host + " at " +
               format_time(lease.acquired_at) + ": " + lease.reason + ")";
    }
    return "run " + lease.owner + " of " + lease.actor + " on " + lease.host + ", pid " +
           std::to_string(lease.pid) + ", since " + format_time(lease.acquired_at);
}

}  // namespace

Error lease_held(const std::optional<LeaseInfo>& held) {
    if (!held) {
        return {Failure::lease_held, "another run holds the lease (it is just starting or ending)",
                "wait for it, or use --wait DURATION"};
    }
    return {Failure::lease_held,
            "the lease is held by " + describe(*held) + "; nothing was changed",
            held->manual() ? "'runner state unlock' releases it"
                           : "wait for it, or use --wait DURATION"};
}

Error lease_lost(const std::optional<LeaseInfo>& held) {
    return {Failure::apply_failed,
            "the lease was lost" +
                (held ? " to " + describe(*held) : std::string(": somebody removed it")) +
                "; nothing more is recorded or changed",
            "'runner history' shows who goes on"};
}

std::string take_over(const LeaseInfo& held, const LeaseInfo& owner, Time now) {
    if (held.manual() || (held.host != owner.host && now - held.heartbeat_at < k_lease_expiry))
        throw lease_held(held);
    return "took over the lease of " + describe(held) + ", which is no longer running";
}

Error no_such_move(RunState from, RunState to) {
    return {Failure::apply_failed,
            std::string("a run cannot move from ") + to_string(from) + " to " + to_string(to)};
}

Error moved_by_others(const std::string& run, RunState from) {
    return {Failure::apply_failed,
            "run " + run + " is no longer " + to_string(from) + ": somebody else moved it"};
}

Error original_is_fixed(const SemanticVersion& known, const SemanticVersion& wanted) {
    return {Failure::refused, "the original version is " + known.to_string() +
                                  " and fixed; it cannot become " + wanted.to_string()};
}

void check_correction(const std::optional<ClusterIdentity>& cluster,
                      const std::optional<SemanticVersion>& original,
                      const SemanticVersion& version) {
    if (!cluster) {
        throw Error(Failure::refused,
                    "there is no cluster in the ledger yet, so its version cannot be corrected",
                    "'runner init' starts it");
    }
    if (original && version < *original) {
        throw Error(Failure::refused,
                    "the original version is " + original->to_string() +
                        ": the cluster version cannot be " + version.to_string() +
                        ", which is below it; nothing was changed",
                    "name " + original->to_string() + " or a newer version");
    }
}

Error done_already(const std::string& version) {
    return {Failure::refused, version + " is done: there is nothing to skip"};
}

Error not_empty(const std::string& name) {
    return {Failure::refused, name + " already holds a ledger; import needs an empty one",
            "move it away first, or name another 'state' in the config"};
}

}  // namespace runner
