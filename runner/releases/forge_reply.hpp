// SPDX-License-Identifier: Apache-2.0
// What GitHub, GitHub Enterprise, Gitea and Forgejo answer when asked for releases.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/digest.hpp"

namespace runner {

struct ForgeAsset {
    std::string name;
    std::string url;       ///< where its bytes are
    std::string identity;  ///< changes when the asset is replaced
    std::int64_t size = 0;
    std::string state;  ///< `uploaded` when it is whole
    std::optional<Digest> digest;
};

struct ForgeRelease {
    std::string tag;
    bool draft = false;
    bool prerelease = false;
    std::string notes;
    std::vector<ForgeAsset> assets;
};

/// One page of the release list. Throws Error{preparation} naming `what`.
std::vector<ForgeRelease> parse_forge_releases(std::string_view body, const std::string& what);

/// The address with rel="next" of a Link header (RFC 8288); empty when there is none.
std::string next_page(std::string_view link_header);

}  // namespace runner
