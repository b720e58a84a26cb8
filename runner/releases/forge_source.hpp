// SPDX-License-Identifier: Apache-2.0
// Releases of a repository on GitHub, GitHub Enterprise, Gitea or Forgejo.
#pragma once

#include <functional>
#include <memory>

#include "model/platform.hpp"
#include "releases/cache.hpp"
#include "releases/http_client.hpp"
#include "releases/source.hpp"

namespace runner {

struct ForgeAddress {
    std::string api;         ///< base address, without a slash at its end
    std::string repository;  ///< OWNER/NAME
    std::string prefix;
    Secret token;  ///< may be empty
};

/// The client is made at the first request, so that nothing of the network is loaded before.
std::unique_ptr<ReleaseSource> make_forge_source(
    ForgeAddress address, Platform platform, Cache cache,
    std::function<std::unique_ptr<HttpClient>()> make_client);

}  // namespace runner
