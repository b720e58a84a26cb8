// SPDX-License-Identifier: Apache-2.0
// File changes that a plugin process hands over.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <stdexcept>

#include "services/changes.hpp"
#include "services/files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        for (const auto& [path, change] : upgrade::services::decode(text))
            upgrade::services::check_path(path);
    } catch (const std::runtime_error&) {
    }
    return 0;
}
