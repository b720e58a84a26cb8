// SPDX-License-Identifier: Apache-2.0
#include "engine/confirmations.hpp"

#include "engine/lease_holder.hpp"
#include "model/error.hpp"

namespace runner {

void confirm(Terminal& terminal, const StopSignals& signals, const std::string& question) {
    const auto answer = terminal.ask(question + " [y/N] ");
    check_interrupted(signals);
    if (!means_yes(answer)) throw Error(Failure::declined, "declined; nothing was changed");
}

}  // namespace runner
