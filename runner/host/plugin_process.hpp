// SPDX-License-Identifier: Apache-2.0
// What a child of the host parent does: load one plugin, or become one executable upgrade, and run
// one phase.
#pragma once

#include "support/unique_fd.hpp"

namespace runner {

/// Takes the start message from `socket`, runs the phase, answers with *done*. Returns the exit
/// status.
int plugin_process(UniqueFd socket);

}  // namespace runner
