// SPDX-License-Identifier: Apache-2.0
#include "support/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>

#include "support/output.hpp"
#include "support/terminal.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

bool& times_shown() {
    static bool shown = false;
    return shown;
}

/// Made at the first line: most runs print none.
spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        const bool colour = OutputStyle::of(STDERR_FILENO).colour;
        auto made = std::make_shared<spdlog::logger>(
            "runner", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
                          colour ? spdlog::color_mode::always : spdlog::color_mode::never));
        if (times_shown()) {
            made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$: %v", spdlog::pattern_time_type::utc);
        } else {
            made->set_pattern("%^%l%$: %v");
        }
        made->set_level(spdlog::level::debug);
        return made;
    }();
    return *instance;
}

bool& debug_enabled() {
    static bool enabled = false;
    return enabled;
}

}  // namespace

void start_log(bool debug) {
    debug_enabled() = debug;
}

void log_with_times() {
    times_shown() = true;
}

namespace {

/// A row each: time and level stand before all of them.
void log(spdlog::level::level_enum level, const std::string& text) {
    constexpr std::size_t k_level_words = 9;
    constexpr std::size_t k_time_words = 25;
    static std::mutex rows_of_one_line;  // those of another thread come after them
    const std::size_t before = k_level_words + (times_shown() ? k_time_words : 0);
    const std::lock_guard lock(rows_of_one_line);
    clear_progress();
    std::fflush(stdout);
    const std::size_t width = width_of_terminal(STDERR_FILENO);
    for (const std::string& row : rows_of(harmless(masked_for_output(text)),
                                          width == 0 ? 0 : width - std::min(width - 1, before)))
        logger().log(level, row);
}

}  // namespace

void log_debug(const std::string& text) {
    if (debug_enabled()) log(spdlog::level::debug, text);
}
void log_info(const std::string& text) {
    log(spdlog::level::info, text);
}
void log_warning(const std::string& text) {
    log(spdlog::level::warn, text);
}
void log_error(const std::string& text) {
    log(spdlog::level::err, text);
}
void log_failure(const std::string& problems, const std::string& next) {
    for (const std::string_view line : split_lines(problems)) log_error(std::string(line));
    if (!next.empty()) print_error_line("       " + next);
}

}  // namespace runner
