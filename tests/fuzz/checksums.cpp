// SPDX-License-Identifier: Apache-2.0
// Checksums files.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/error.hpp"
#include "releases/checksums.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        runner::parse_checksums(text, "c");
    } catch (const runner::Error&) {
    }
    return 0;
}
