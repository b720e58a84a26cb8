// SPDX-License-Identifier: Apache-2.0
#include "releases/forge_source.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "model/error.hpp"
#include "model/json.hpp"
#include "releases/checksums.hpp"
#include "releases/forge_reply.hpp"
#include "releases/release_index.hpp"
#include "support/file.hpp"
#include "support/log.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

constexpr int k_max_pages = 200;
constexpr std::size_t k_page_limit = 32U << 20U;
constexpr std::size_t k_max_checksums = 1U << 20U;

/// One page as it was last seen.
struct Page {
    std::string url;
    std::string etag;
    std::string next;
};

/// A release as the index's `detail` keeps it: page, notes and assets, a field a line, notes last.
struct Detail {
    std::size_t page = 0;
    std::vector<ForgeAsset> assets;
    std::string checksums;  ///< the text of the checksums file, when it was read
    std::string notes;

    [[nodiscard]] std::string encode() const {
        Json json = {
            {"page", page}, {"assets", Json::array()}, {"checksums", checksums}, {"notes", notes}};
        for (const ForgeAsset& asset : assets) {
            json["assets"].push_back({asset.name, asset.url, asset.identity, asset.state,
                                      asset.digest ? asset.digest->to_string() : ""});
        }
        return dump_json(json);
    }

    static Detail decode(std::string_view text) {
        const Json json = parse_json(text, "the release index");
        Detail detail;
        detail.page = json.at("page").get<std::size_t>();
        detail.checksums = json.at("checksums").get<std::string>();
        detail.notes = json.at("notes").get<std::string>();
        for (const Json& item : json.at("assets")) {
            ForgeAsset asset;
            asset.name = item.at(0).get<std::string>();
            asset.url = item.at(1).get<std::string>();
            asset.identity = item.at(2).get<std::string>();
            asset.state = item.at(3).get<std::string>();
            asset.digest = Digest::parse(item.at(4).get<std::string>());
            detail.assets.push_back(std::move(asset));
        }
        return detail;
    }

    [[nodiscard]] const ForgeAsset* asset(const std::string& name) const {
        const auto found = std::find_if(assets.begin(), assets.end(),
                                        [&](const ForgeAsset& a) { return a.name == name; });
        return found == assets.end() ? nullptr : &*found;
    }
};

class ForgeSource final : public ReleaseSource {
 public:
    ForgeSource(ForgeAddress address, Platform platform, Cache cache,
                std::function<std::unique_ptr<HttpClient>()> make_client)
        : m_address(std::move(address)),
          m_platform(std::move(platform)),
          m_cache(std::move(cache)),
          m_make_client(std::move(make_client)) {}

    [[nodiscard]] std::string name() const override {
        return without_credentials(m_address.api) + "/repos/" + m_address.repository;
    }

    std::vector<Release> list() override {
        // A reply depends on who asks, so another token has another index; the key holds only the
        // token's digest.
        m_key = "forge\n" + m_address.api + '\n' + m_address.repository + '\n' + m_address.prefix +
                '\n' + m_platform.to_string() + '\n' + sha256(m_address.token.reveal()).to_string();
        m_index = ReleaseIndex::load(m_cache.index(m_key), m_key);
        const std::vector<Page> known =
            m_index ? decode_pages(m_index->header()) : std::vector<Page>();
        std::vector<Page> pages;
        std::map<std::size_t, std::vector<ForgeRelease>> changed;
        std::string url =
            m_address.api + "/repos/" + m_address.repository + "/releases?per_page=100&limit=100";
        while (!url.empty()) {
            if (pages.size() == k_max_pages) {
                throw Error(Failure::preparation, name() + " has more than " +
                                                      std::to_string(k_max_pages) +
                                                      " pages of releases");
            }
            const Page* before = pages.size() < known.size() && known[pages.size()].url == url
                                     ? &known[pages.size()]
                                     : nullptr;
            HttpReply reply = ask(url, before);
            Page page{url, reply.headers["etag"], next_page(reply.headers["link"])};
            if (reply.status == 304) {
                page = *before;
            } else {
                changed[pages.size()] = parse_forge_releases(
                    reply.body, "the list of releases at " + without_credentials(url));
            }
            if (!page.next.empty() && origin_of(page.next) != origin_of(m_address.api)) {
                throw Error(Failure::preparation,
                            "the list of releases at " + without_credentials(url) +
                                " goes on at another host, " + origin_of(page.next));
            }
            url = page.next;
            pages.push_back(std::move(page));
        }
        return changed.empty() && m_index && pages.size() == known.size() ? from_index()
                                                                          : merge(pages, changed);
    }

    void complete(const std::vector<Release*>& releases) override {
        std::vector<HttpRequest> requests;
        std::vector<Release*> asked;
        for (Release* release : releases) {
            if (!release->version || release->digest || !release->problem.empty() ||
                !release->has_build)
                continue;
            const ForgeAsset* asset = detail(*release).asset(names(*release).checksums);
            if (asset == nullptr) {
                release->problem = "it has no " + names(*release).checksums;
                continue;
            }
            requests.push_back(asset_request(*asset, k_max_checksums));
            asked.push_back(release);
        }
        if (requests.empty()) return;
        const std::vector<HttpReply> replies = client().send(requests, {});
        for (std::size_t i = 0; i < replies.size(); ++i) {
            if (!replies[i].problem.empty())
                fail_fetch(*asked[i], names(*asked[i]).checksums, replies[i]);
            Detail& found = detail(*asked[i]);
            const ForgeAsset* asset = found.asset(names(*asked[i]).checksums);
            const Digest digest = sha256(replies[i].body);
            if (asset->digest && *asset->digest != digest) {
                asked[i]->problem = asset->name + " does not match what the API says of it: " +
                                    asset->digest->to_string() + ", found " + digest.to_string();
            } else {
                found.checksums = replies[i].body;
                apply_checksums(*asked[i], found);
            }
            m_checksums_changed = true;
            // Perhaps it was only this answer that was wrong: it is asked for again next time.
            if (!asked[i]->problem.empty()) m_doubted.insert(asked[i]->tag);
        }
        if (m_checksums_changed) save();
    }

    void fetch(const std::vector<AssetRequest>& requests, const FetchProgress& progress) override {
        std::vector<HttpRequest> downloads;
        std::vector<const AssetRequest*> wanted;
        std::uint64_t total = 0;
        for (const AssetRequest& request : requests) {
            const bool checksums = request.name == names(*request.release).checksums;
            if (checksums) continue;  // complete() has read it
            const ForgeAsset* asset = detail(*request.release).asset(request.name);
            if (asset == nullptr) {
                throw Error(Failure::preparation,
                            "release '" + request.release->tag + "' has no " + request.name);
            }
            if (asset->state != "uploaded") {
                throw Error(Failure::preparation, "release '" + request.release->tag +
                                                      "': the upload of " + request.name +
                                                      " is not finished (" + asset->state + ")");
            }
            if (request.digest && asset->digest && *asset->digest != *request.digest) {
                throw Error(Failure::preparation,
                            "release '" + request.release->tag + "': the checksums file says " +
                                request.digest->to_string() + " for " + request.name +
                                ", the API says " + asset->digest->to_string());
            }
            if (is_here(request)) continue;
            HttpRequest download = asset_request(*asset, request.size_limit);
            if (request.digest) {
                download.file = m_cache.object(*request.digest).string();
                download.digest = request.digest;
            }
            total += static_cast<std::uint64_t>(std::max<std::int64_t>(0, asset->size));
            downloads.push_back(std::move(download));
            wanted.push_back(&request);
        }
        if (downloads.empty()) return;
        std::uint64_t done = 0;
        std::vector<HttpReply> replies = client().send(downloads, [&](std::uint64_t bytes) {
            done += bytes;
            if (progress) progress(done, total);
        });
        for (std::size_t i = 0; i < replies.size(); ++i) {
            const AssetRequest& request = *wanted[i];
            if (!replies[i].problem.empty()) fail_fetch(*request.release, request.name, replies[i]);
            if (!request.digest)
                m_small[{request.release->tag, request.name}] = std::move(replies[i].body);
        }
    }

    std::string read(const AssetRequest& request) override {
        if (request.name == names(*request.release).checksums)
            return detail(*request.release).checksums;
        if (!request.digest) {
            fetch({request}, {});
            return m_small.at({request.release->tag, request.name});
        }
        for (int attempt = 0; attempt < 2; ++attempt) {
            if (auto bytes = m_cache.read(*request.digest, request.size_limit)) return *bytes;
            fetch({request}, {});
        }
        throw Error(Failure::preparation, "release '" + request.release->tag + "': " +
                                              request.name + " cannot be kept in the cache");
    }

    void forget(const Release& release) override {
        m_doubted.insert(release.tag);
        save();
    }

    std::string notes(const Release& release) override { return detail(release).notes; }

 private:
    /// In the cache by its digest, or, as a signature has none, in memory.
    [[nodiscard]] bool is_here(const AssetRequest& request) const {
        std::error_code ignored;
        return request.digest ? std::filesystem::exists(m_cache.object(*request.digest), ignored)
                              : m_small.count({request.release->tag, request.name}) != 0;
    }

    [[nodiscard]] AssetNames names(const Release& release) const {
        return AssetNames::of(m_address.prefix, release.version.value().to_string(), m_platform);
    }

    HttpClient& client() {
        if (!m_client) m_client = m_make_client();
        return *m_client;
    }

    HttpReply ask(const std::string& url, const Page* before) {
        HttpRequest request;
        request.url = url;
        request.token = m_address.token;
        request.size_limit = k_page_limit;
        request.headers = {"Accept: application/vnd.github+json",
                           "X-GitHub-Api-Version: 2022-11-28"};
        if (before != nullptr && !before->etag.empty())
            request.headers.push_back("If-None-Match: " + before->etag);
        HttpReply reply = client().send({request}, {}).front();
        if (reply.problem.empty() &&
            (reply.status == 200 || (reply.status == 304 && before != nullptr)))
            return reply;
        std::string next = "check 'releases.repository' and 'releases.api' in the config";
        if (reply.status == 401 || reply.status == 404) {
            next =
                "check 'releases.repository' and 'releases.api'; a private repository needs "
                "'releases.tokenEnv'";
        }
        if (reply.status == 403 || reply.status == 429) {
            const auto reset = reply.headers.find("x-ratelimit-reset");
            next = reset == reply.headers.end()
                       ? "wait, or use a token ('releases.tokenEnv')"
                       : "the rate limit ends at " + reset->second +
                             " (seconds since 1970); wait, or use a token ('releases.tokenEnv')";
        }
        const std::string reason = reply.problem.empty()
                                       ? "the server answered " + std::to_string(reply.status)
                                       : reply.problem;
        throw Error(Failure::preparation,
                    "cannot list the releases at " + without_credentials(url) + ": " + reason,
                    next);
    }

    [[nodiscard]] HttpRequest asset_request(const ForgeAsset& asset, std::size_t limit) const {
        HttpRequest request;
        request.url = asset.url;
        request.headers = {"Accept: application/octet-stream"};
        request.size_limit = limit;
        if (origin_of(asset.url) == origin_of(m_address.api)) request.token = m_address.token;
        return request;
    }

    [[noreturn]] static void fail_fetch(const Release& release, const std::string& asset,
                                        const HttpReply& reply) {
        throw Error(Failure::preparation, "cannot fetch " + asset + " of release '" + release.tag +
                                              "': " + reply.problem);
    }

    Detail& detail(const Release& release) {
        const auto known = m_details.find(release.tag);
        if (known != m_details.end()) return known->second;
        if (m_index) {
            for (const IndexEntry& entry : m_index->entries()) {
                if (entry.tag == release.tag)
                    return m_details[release.tag] = Detail::decode(entry.detail);
            }
        }
        throw Error(Failure::preparation, "release '" + release.tag + "' is not known");
    }

    static std::vector<Page> decode_pages(std::string_view header) {
        std::vector<Page> pages;
        const std::vector<std::string_view> lines = split_lines(header);
        for (std::size_t i = 0; i + 2 < lines.size(); i += 3) {
            pages.push_back(
                {std::string(lines[i]), std::string(lines[i + 1]), std::string(lines[i + 2])});
        }
        return pages;
    }

    [[nodiscard]] std::vector<Release> from_index() const {
        std::vector<Release> releases;
        releases.reserve(m_index->entries().size());
        for (const IndexEntry& entry : m_index->entries()) releases.push_back(entry.to_release());
        return releases;
    }

    /// Pages that changed as they are now, the others as they were.
    std::vector<Release> merge(const std::vector<Page>& pages,
                               const std::map<std::size_t, std::vector<ForgeRelease>>& changed) {
        std::map<std::string, Detail> old;
        if (m_index) {
            for (const IndexEntry& entry : m_index->entries())
                old[std::string(entry.tag)] = Detail::decode(entry.detail);
        }
        m_listed.clear();
        m_details.clear();
        if (m_index) {
            for (const IndexEntry& entry : m_index->entries()) {
                Detail& kept = old.at(std::string(entry.tag));
                if (kept.page >= pages.size() || changed.count(kept.page) != 0) continue;
                m_details[std::string(entry.tag)] = kept;
                m_listed.push_back(entry.to_release());
            }
        }
        for (const auto& [number, releases] : changed) {
            for (const ForgeRelease& release : releases) {
                if (!release.draft) add(release, number, old);
            }
        }
        std::stable_sort(m_listed.begin(), m_listed.end(), [](const Release& a, const Release& b) {
            if (!a.version || !b.version) return !a.version < !b.version;
            return *a.version < *b.version;
        });
        m_header.clear();
        for (const Page& page : pages)
            m_header += page.url + '\n' + page.etag + '\n' + page.next + '\n';
        save();
        return m_listed;
    }

    void add(const ForgeRelease& found, std::size_t page,
             const std::map<std::string, Detail>& old) {
        Release release = release_for_tag(found.tag);
        release.prerelease = release.prerelease || found.prerelease;
        Detail now;
        now.page = page;
        now.assets = found.assets;
        now.notes = found.notes;
        if (release.version) {
            const AssetNames asset_names = names(release);
            const ForgeAsset* archive = now.asset(asset_names.archive);
            const ForgeAsset* checksums = now.asset(asset_names.checksums);
            release.has_build = archive != nullptr;
            if (checksums == nullptr) release.problem = "it has no " + asset_names.checksums;
            for (const ForgeAsset* asset : {archive, checksums}) {
                if (asset == nullptr || asset->state == "uploaded" || !release.problem.empty())
                    continue;
                release.problem =
                    "the upload of " + asset->name + " is not finished (" + asset->state + ")";
            }
            const auto before = old.find(found.tag);
            const ForgeAsset* old_checksums =
                before == old.end() ? nullptr : before->second.asset(asset_names.checksums);
            if (checksums != nullptr && old_checksums != nullptr &&
                old_checksums->identity == checksums->identity) {
                now.checksums = before->second.checksums;
            }
            if (release.problem.empty() && !now.checksums.empty()) apply_checksums(release, now);
        }
        m_details[found.tag] = std::move(now);
        m_listed.push_back(std::move(release));
    }

    void apply_checksums(Release& release, const Detail& found) const {
        const AssetNames asset_names = names(release);
        try {
            const Checksums checksums = parse_checksums(found.checksums, asset_names.checksums);
            const auto archive = checksums.find(asset_names.archive);
            const ForgeAsset* asset = found.asset(asset_names.archive);
            if (archive == checksums.end()) {
                if (release.has_build)
                    release.problem =
                        asset_names.checksums + " has no checksum for " + asset_names.archive;
            } else if (asset != nullptr && asset->digest && *asset->digest != archive->second) {
                release.problem = asset_names.checksums + " says " + archive->second.to_string() +
                                  " for " + asset_names.archive + ", the API says " +
                                  asset->digest->to_string();
            } else {
                release.digest = archive->second;
            }
        } catch (const Error& error) {
            release.problem = error.what();
        }
    }

    /// Writes the index anew from what is known now.
    void save() {
        if (m_listed.empty()) m_listed = m_index ? from_index() : std::vector<Release>();
        if (m_header.empty() && m_index) m_header = m_index->header();
        std::vector<std::string> details;
        details.reserve(m_listed.size());
        std::vector<IndexEntry> entries;
        for (Release& release : m_listed) {
            Detail& found = detail(release);
            if (m_doubted.count(release.tag) != 0) {
                Detail without = found;
                without.checksums.clear();
                details.push_back(without.encode());
                entries.push_back({release.tag, "", details.back(), std::nullopt,
                                   release.prerelease, release.has_build});
                continue;
            }
            if (release.version && !release.digest && release.problem.empty() &&
                !found.checksums.empty()) {
                apply_checksums(release, found);
            }
            details.push_back(found.encode());
            entries.push_back({release.tag, release.problem, details.back(), release.digest,
                               release.prerelease, release.has_build});
        }
        ReleaseIndex::save(m_cache.index(m_key), m_key, m_header, entries);
    }

    ForgeAddress m_address;
    Platform m_platform;
    Cache m_cache;
    std::function<std::unique_ptr<HttpClient>()> m_make_client;
    std::unique_ptr<HttpClient> m_client;
    std::string m_key;
    std::string m_header;
    std::unique_ptr<ReleaseIndex> m_index;
    std::vector<Release> m_listed;
    std::map<std::string, Detail> m_details;
    std::map<std::pair<std::string, std::string>, std::string> m_small;  ///< by tag and name
    std::set<std::string> m_doubted;  ///< tags whose checksums are not kept
    bool m_checksums_changed = false;
};

}  // namespace

std::unique_ptr<ReleaseSource> make_forge_source(
    ForgeAddress address, Platform platform, Cache cache,
    std::function<std::unique_ptr<HttpClient>()> make_client) {
    return std::make_unique<ForgeSource>(std::move(address), std::move(platform), std::move(cache),
                                         std::move(make_client));
}

}  // namespace runner
