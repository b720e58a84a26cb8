// SPDX-License-Identifier: Apache-2.0
#include "support/clock.hpp"

#include <array>
#include <cstdio>
#include <ctime>

#include "model/error.hpp"

namespace runner {
namespace {

template <typename ClockType>
std::chrono::milliseconds now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        ClockType::now().time_since_epoch());
}

}  // namespace

std::chrono::milliseconds SystemClock::wall() const {
    return now<std::chrono::system_clock>();
}
std::chrono::milliseconds SystemClock::steady() const {
    return now<std::chrono::steady_clock>();
}

std::string format_time(std::chrono::milliseconds since_epoch) {
    const std::time_t seconds = since_epoch.count() / 1000;
    const int milliseconds = static_cast<int>(since_epoch.count() % 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text.data() + length, text.size() - length, ".%03dZ", milliseconds);
    return text.data();
}

Json optional_time(const std::optional<std::chrono::milliseconds>& since_epoch) {
    return since_epoch ? Json(format_time(*since_epoch)) : Json();
}

std::chrono::milliseconds parse_time(const std::string& text) {
    std::tm parts{};
    int milliseconds = 0;
    int read = 0;
    const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year,
                                   &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
                                   &parts.tm_sec, &milliseconds, &read);
    if (fields != 7 || static_cast<std::size_t>(read) != text.size())
        throw Error(Failure::usage, "'" + text + "' is no time such as 2026-03-01T12:00:00.123Z");
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return std::chrono::seconds(::timegm(&parts)) + std::chrono::milliseconds(milliseconds);
}

}  // namespace runner
