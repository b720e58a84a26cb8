// SPDX-License-Identifier: Apache-2.0
// Cluster configs.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/cluster_config.hpp"
#include "model/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        runner::ClusterConfig::parse(text, "cluster.yaml");
    } catch (const runner::Error&) {
    }
    return 0;
}
