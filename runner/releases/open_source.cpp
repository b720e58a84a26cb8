// SPDX-License-Identifier: Apache-2.0
#include "releases/open_source.hpp"

#include "model/error.hpp"
#include "releases/curl_client.hpp"
#include "releases/directory_source.hpp"
#include "releases/forge_source.hpp"
#include "releases/git_source.hpp"

namespace runner {

namespace {

/// Empty when the config names no variable for one.
Secret token_of(const ReleasesConfig& config, const std::optional<Secret>& token) {
    if (config.token_variable.empty()) return {};
    if (token) return *token;
    throw Error(Failure::preparation,
                "the environment variable " + config.token_variable +
                    " ('releases.tokenEnv') is not set, so there is no token",
                "set it, or take 'tokenEnv' out of the config");
}

}  // namespace

std::unique_ptr<ReleaseSource> open_source(const ClusterConfig& cluster,
                                           const std::optional<Secret>& token,
                                           std::function<bool()> stopped) {
    const ReleasesConfig& config = cluster.releases;
    const Cache cache(Cache::default_folder());
    if (config.source == SourceKind::directory) {
        return make_directory_source(config.directory, config.prefix, Platform::current(), cache);
    }
    if (config.source == SourceKind::git) {
        return make_git_source(
            {config.url, config.prefix, config.allowed_hosts, token_of(config, token)},
            {cluster.verification, cluster.public_keys}, Platform::current(), cache,
            std::move(stopped));
    }
    return make_forge_source(
        {config.api, config.repository, config.prefix, token_of(config, token)},
        Platform::current(), cache,
        [stopped = std::move(stopped)] { return make_http_client(stopped); });
}

}  // namespace runner
