// SPDX-License-Identifier: Apache-2.0
#include "support/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>

#include "support/terminal.hpp"

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

void log_debug(const std::string& text) {
    if (debug_enabled()) logger().debug(text);
}
void log_info(const std::string& text) {
    logger().info(text);
}
void log_warning(const std::string& text) {
    logger().warn(text);
}
void log_error(const std::string& text) {
    logger().error(text);
}

}  // namespace runner
