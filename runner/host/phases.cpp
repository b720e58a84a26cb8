// SPDX-License-Identifier: Apache-2.0
#include "host/phases.hpp"

#include <algorithm>
#include <array>

#include "host/frame.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

using upgrade::services::Phase;

constexpr std::array<PhaseFacts, 6> k_phases{{
    {HostPhase::preflight, "preflight", Phase::preflight, false},
    {HostPhase::simulate, "simulate", Phase::simulate, false},
    {HostPhase::apply, "apply", Phase::apply, true},
    {HostPhase::verify, "verify", Phase::verify, false},
    {HostPhase::rollback, "rollback", Phase::rollback, true},
    {HostPhase::simulate_rollback, "simulate_rollback", Phase::simulate_rollback, false},
}};

}  // namespace

const PhaseFacts& facts_of(HostPhase phase) {
    return *std::find_if(k_phases.begin(), k_phases.end(),
                         [phase](const PhaseFacts& facts) { return facts.phase == phase; });
}

const PhaseFacts& phase_named(std::string_view word) {
    const auto found = std::find_if(k_phases.begin(), k_phases.end(),
                                    [word](const PhaseFacts& facts) { return facts.word == word; });
    if (found == k_phases.end())
        throw ProtocolError("there is no phase '" + std::string(word) + "'");
    return *found;
}

const char* to_string(HostPhase phase) {
    return facts_of(phase).word;
}

}  // namespace runner
