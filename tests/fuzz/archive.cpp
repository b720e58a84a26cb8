// SPDX-License-Identifier: Apache-2.0
// Release archives.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/error.hpp"
#include "releases/archive.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        runner::read_archive(text, {"upgrade_0.0.1.so"}, "a");
    } catch (const runner::Error&) {
    }
    return 0;
}
