// SPDX-License-Identifier: Apache-2.0
#include "releases/forge_reply.hpp"

#include "model/error.hpp"
#include "model/json.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_assets = 1000;

ForgeAsset parse_asset(const Json& value, const std::string& what) {
    const JsonObject object(value, what + ": an asset");
    ForgeAsset asset;
    asset.name = object.string("name");
    // GitHub hands assets out at their API address; Gitea has only the one for browsers.
    asset.url =
        object.has("url") && object.string("url").find("/releases/assets/") != std::string::npos
            ? object.string("url")
            : object.string("browser_download_url");
    asset.size = object.integer_or("size", 0);
    asset.state = object.string_or("state", "uploaded");
    if (object.has("digest")) {
        asset.digest = Digest::parse(object.string("digest"));
        if (!asset.digest) object.fail("digest", "is not sha256: and 64 hexadecimal digits");
    }
    asset.identity = std::to_string(object.integer_or("id", 0)) + ' ' +
                     object.string_or("updated_at", "") + ' ' + std::to_string(asset.size) + ' ' +
                     (asset.digest ? asset.digest->to_string() : "");
    return asset;
}

}  // namespace

std::vector<ForgeRelease> parse_forge_releases(std::string_view body, const std::string& what) {
    const Json document = parse_json(body, what);
    if (!document.is_array()) {
        throw Error(Failure::preparation,
                    what + " must be a list of releases, not " + document.type_name());
    }
    std::vector<ForgeRelease> releases;
    for (const Json& value : document) {
        const JsonObject object(value, what + ": a release");
        ForgeRelease release;
        release.tag = object.string("tag_name");
        release.draft = object.boolean_or("draft", false);
        release.prerelease = object.boolean_or("prerelease", false);
        release.notes = object.string_or("body", "");
        const Json* assets = object.find("assets");
        if (assets != nullptr && (!assets->is_array() || assets->size() > k_max_assets)) {
            object.fail("assets", "must be a list of at most 1000");
        }
        if (assets != nullptr) {
            for (const Json& asset : *assets)
                release.assets.push_back(
                    parse_asset(asset, what + ", release '" + release.tag + "'"));
        }
        releases.push_back(std::move(release));
    }
    return releases;
}

std::string next_page(std::string_view link_header) {
    while (!link_header.empty()) {
        const std::size_t begin = link_header.find('<');
        const std::size_t end = link_header.find('>');
        if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
            return {};
        const std::size_t next = link_header.find('<', end);
        const std::string_view parameters =
            link_header.substr(end, next == std::string_view::npos ? next : next - end);
        if (parameters.find("rel=\"next\"") != std::string_view::npos ||
            parameters.find("rel=next") != std::string_view::npos) {
            return std::string(link_header.substr(begin + 1, end - begin - 1));
        }
        if (next == std::string_view::npos) return {};
        link_header.remove_prefix(next);
    }
    return {};
}

}  // namespace runner
