// SPDX-License-Identifier: Apache-2.0
// A SHA-256 digest as a value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runner {

struct Digest {
    std::array<std::uint8_t, 32> bytes{};

    /// Reads 64 hexadecimal digits, lower or upper case, with an optional `sha256:` before them.
    static std::optional<Digest> parse(std::string_view text);

    /// 64 lower-case hexadecimal digits.
    [[nodiscard]] std::string to_string() const;

    auto operator<=>(const Digest&) const = default;
};

}  // namespace runner
