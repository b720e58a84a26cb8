// SPDX-License-Identifier: Apache-2.0
// The source that a cluster config names.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "config/cluster_config.hpp"
#include "model/secret.hpp"
#include "releases/source.hpp"

namespace runner {

/// `token`: what the variable held that `releases.tokenEnv` names. `stopped` is asked during
/// transfers; true ends them. Throws Error{preparation} when a variable is named and was not set.
std::unique_ptr<ReleaseSource> open_source(const ClusterConfig& config,
                                           const std::optional<Secret>& token,
                                           std::function<bool()> stopped);

}  // namespace runner
