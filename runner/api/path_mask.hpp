// SPDX-License-Identifier: Apache-2.0
// Texts without the server's own paths: what is below the folder of a cluster's config is shown
// relative to it, and every other folder by a name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/cluster_config.hpp"

namespace runner {

class PathMask {
 public:
    explicit PathMask(const ClusterConfig& config);
    [[nodiscard]] std::string mask(std::string text) const;

 private:
    std::vector<std::pair<std::string, std::string>> m_folders;  ///< longest first, and its name
};

}  // namespace runner
