// SPDX-License-Identifier: Apache-2.0
// What people say yes to before anything is changed.
#pragma once

#include <string>

#include "support/stop_signals.hpp"
#include "support/terminal.hpp"

namespace runner {

/// Asks `question`, and returns when the answer means yes. Throws Interrupted when a stop signal
/// came, Error{declined} otherwise.
void confirm(Terminal& terminal, const StopSignals& signals, const std::string& question);

}  // namespace runner
