// SPDX-License-Identifier: Apache-2.0
#include "releases/open_source.hpp"

#include <cstdlib>

#include "model/error.hpp"
#include "releases/curl_client.hpp"
#include "releases/directory_source.hpp"
#include "releases/forge_source.hpp"

namespace runner {

std::unique_ptr<ReleaseSource> open_source(const ReleasesConfig& config,
                                           std::function<bool()> stopped) {
    const Cache cache(Cache::default_folder());
    if (config.source == SourceKind::directory) {
        return make_directory_source(config.directory, config.prefix, Platform::current(), cache);
    }
    ForgeAddress address{config.api, config.repository, config.prefix, {}};
    if (!config.token_variable.empty()) {
        const char* token = std::getenv(config.token_variable.c_str());
        if (token == nullptr || *token == '\0') {
            throw Error(Failure::preparation,
                        "the environment variable " + config.token_variable +
                            " ('releases.tokenEnv') is not set, so there is no token",
                        "set it, or take 'tokenEnv' out of the config");
        }
        address.token = token;
    }
    return make_forge_source(std::move(address), Platform::current(), cache,
                             [stopped = std::move(stopped)] { return make_http_client(stopped); });
}

}  // namespace runner
