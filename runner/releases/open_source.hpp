// SPDX-License-Identifier: Apache-2.0
// The source that a cluster config names.
#pragma once

#include <functional>
#include <memory>

#include "config/cluster_config.hpp"
#include "releases/source.hpp"

namespace runner {

/// `stopped` is asked during transfers; true ends them.
std::unique_ptr<ReleaseSource> open_source(const ClusterConfig& config,
                                           std::function<bool()> stopped);

}  // namespace runner
