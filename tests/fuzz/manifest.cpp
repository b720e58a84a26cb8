// SPDX-License-Identifier: Apache-2.0
// Manifests: what is read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/error.hpp"
#include "model/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        runner::Manifest::parse(runner::dump_json(runner::Manifest::parse(text, "m").to_json()),
                                "m");
    } catch (const runner::Error&) {
    }
    return 0;
}
