// SPDX-License-Identifier: Apache-2.0
// The program's own diagnostics, on standard error.
#pragma once

#include <string>

namespace runner {

/// Sets the level once, in main; `debug` shows debug lines too.
void start_log(bool debug);
/// For a program that runs for long: each line begins with its time. Call before the first line.
void log_with_times();

void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);
/// What failed, a line for each problem, and what to do about it (may be empty).
void log_failure(const std::string& problems, const std::string& next);

}  // namespace runner
