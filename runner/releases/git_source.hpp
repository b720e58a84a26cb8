// SPDX-License-Identifier: Apache-2.0
// Releases that are tags of a git repository, built on the spot.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "model/platform.hpp"
#include "model/secret.hpp"
#include "releases/cache.hpp"
#include "releases/source.hpp"

namespace runner {

struct GitAddress {
    std::string url;  ///< may hold user and password: they go to git alone
    std::string prefix;
    std::vector<std::string> hosts;  ///< the only ones that are asked; empty: the address's own
    Secret token;                    ///< sent to the address's own host alone; empty: none
};

/// Who must have signed a tag.
struct GitTrust {
    Verification verification = Verification::enabled;
    std::vector<std::string> keys;  ///< OpenSSH public keys
};

/// Why this address is not asked; empty: it is. https and ssh anywhere, http and git on loopback
/// only, and paths.
std::string git_address_problem(const GitAddress& address);

/// `stopped` ends git and builds.
std::unique_ptr<ReleaseSource> make_git_source(GitAddress address, GitTrust trust,
                                               Platform platform, const Cache& cache,
                                               std::function<bool()> stopped);

}  // namespace runner
