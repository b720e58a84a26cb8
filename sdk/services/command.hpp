// SPDX-License-Identifier: Apache-2.0
// Running one outside program: argv, no shell, output as it comes, bounded in time.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace upgrade::services {

struct CommandSpec {
    std::vector<std::string> arguments;
    std::string input;
    std::vector<std::string> environment;  ///< `NAME=value`; empty: this process's
    std::string folder;                    ///< to run in; empty: this process's
    /// In a session of its own, without a terminal, and ended with what it has started.
    bool own_session = false;
    std::chrono::milliseconds timeout{0};  ///< 0: none
    /// Asked when `wake` is readable, and now and then; true ends the program.
    std::function<bool()> cancelled;
    int wake = -1;
    std::function<void(std::string_view)> on_output;  ///< pieces of standard output
    std::function<void(std::string_view)> on_error;   ///< pieces of standard error
};

/// Added to the signal that has ended a program, in place of its exit status; as shells do it.
constexpr int k_ended_by_signal = 128;

/// Runs the program to its end and returns its exit status, or k_ended_by_signal and the signal.
/// What it leaves behind is not waited for. Throws Refusal: UPGRADE_NOT_FOUND (no such program),
/// UPGRADE_FAILED (not started, or over its time), UPGRADE_CANCELLED.
int run_command(const CommandSpec& spec);

}  // namespace upgrade::services
