// SPDX-License-Identifier: Apache-2.0
// Versions and tags: what is read is written back the same; everything else is refused with Error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <cstdlib>

#include "model/error.hpp"
#include "model/upgrade_version.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const runner::UpgradeVersion version = runner::UpgradeVersion::parse(text);
        if (version.to_string() != text) std::abort();
    } catch (const runner::Error&) {
    }
    try {
        runner::UpgradeVersion::from_tag(text);
    } catch (const runner::Error&) {
    }
    try {
        const runner::SemanticVersion version = runner::SemanticVersion::parse(text);
        if (runner::SemanticVersion::parse(version.to_string()) != version) std::abort();
    } catch (const runner::Error&) {
    }
    return 0;
}
