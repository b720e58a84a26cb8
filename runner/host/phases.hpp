// SPDX-License-Identifier: Apache-2.0
// What is to be known of each phase, in one table that both sides of a plugin process read.
#pragma once

#include <string_view>

#include "host/host.hpp"
#include "services/session.hpp"

namespace runner {

struct PhaseFacts {
    HostPhase phase;
    const char* word;                  ///< its name in messages, events and texts
    upgrade::services::Phase session;  ///< as the services know it
    bool changes;                      ///< it changes things, and what it does is recorded
};

const PhaseFacts& facts_of(HostPhase phase);
/// Throws ProtocolError when no phase has this name.
const PhaseFacts& phase_named(std::string_view word);

}  // namespace runner
