// SPDX-License-Identifier: Apache-2.0
// Time as an interface, so that tests need not wait, and its form in records: UTC, RFC 3339.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "model/json.hpp"

namespace runner {

class Clock {
 public:
    virtual ~Clock() = default;
    /// Milliseconds since the Unix epoch; what records carry. May jump.
    [[nodiscard]] virtual std::chrono::milliseconds wall() const = 0;
    /// Milliseconds since some fixed moment; what durations and deadlines are measured with. Never
    /// jumps.
    [[nodiscard]] virtual std::chrono::milliseconds steady() const = 0;
};

class SystemClock final : public Clock {
 public:
    [[nodiscard]] std::chrono::milliseconds wall() const override;
    [[nodiscard]] std::chrono::milliseconds steady() const override;
};

/// `2026-03-01T12:00:00.123Z`.
std::string format_time(std::chrono::milliseconds since_epoch);

/// The same for a record that may have none: null.
Json optional_time(const std::optional<std::chrono::milliseconds>& since_epoch);

/// The inverse of format_time. Throws Error{usage}.
std::chrono::milliseconds parse_time(const std::string& text);

}  // namespace runner
