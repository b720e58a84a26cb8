// SPDX-License-Identifier: Apache-2.0
#include "support/clock.hpp"

#include <array>
#include <cstdio>
#include <ctime>

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

}  // namespace runner
