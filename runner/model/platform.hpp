// SPDX-License-Identifier: Apache-2.0
// Operating system and processor, in the words that asset names use.
#pragma once

#include <compare>
#include <string>

namespace runner {

struct Platform {
    std::string os;    ///< `Linux` or `Darwin`
    std::string arch;  ///< `amd64` or `arm64`

    /// The platform that this program was built for.
    static Platform current();

    /// `Linux_amd64`, as in asset names.
    [[nodiscard]] std::string to_string() const { return os + '_' + arch; }

    /// `so` or `dylib`.
    [[nodiscard]] const char* library_extension() const { return os == "Darwin" ? "dylib" : "so"; }

    auto operator<=>(const Platform&) const = default;
};

}  // namespace runner
