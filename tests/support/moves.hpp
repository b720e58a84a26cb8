// SPDX-License-Identifier: Apache-2.0
// The moves of runs between states: those that were seen in --events files, and those that there
// are.
#pragma once

#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "model/run_state.hpp"
#include "support/sandbox.hpp"

namespace test {

using Moves = std::set<std::pair<std::string, std::string>>;

/// All that the state machine allows.
inline Moves all_moves() {
    Moves moves;
    for (int from = 0; from < runner::k_run_states; ++from) {
        for (int to = 0; to < runner::k_run_states; ++to) {
            const auto first = static_cast<runner::RunState>(from);
            const auto second = static_cast<runner::RunState>(to);
            if (runner::may_move(first, second))
                moves.emplace(runner::to_string(first), runner::to_string(second));
        }
    }
    return moves;
}

/// Adds those of an events file; a last line that is torn does not count.
inline void add_moves(Moves& moves, const Sandbox& sandbox, const std::string& file) {
    if (!sandbox.exists(file)) return;
    std::istringstream lines(sandbox.read(file));
    for (std::string line; std::getline(lines, line);) {
        const runner::Json event = runner::Json::parse(line, nullptr, false);
        if (event.is_discarded() || event.value("event", "") != "state") continue;
        moves.emplace(event["from"].get<std::string>(), event["to"].get<std::string>());
    }
}

inline std::string to_text(const Moves& moves) {
    std::string text;
    for (const auto& [from, to] : moves) text += from + " -> " + to + '\n';
    return text;
}

}  // namespace test
