// SPDX-License-Identifier: Apache-2.0
#include "releases/upgrade_store.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "model/error.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_checksums = 1U << 20U;
constexpr std::size_t k_max_signature = 16U << 10U;
constexpr std::size_t k_max_manifest = 1U << 20U;
constexpr std::size_t k_max_archive = 256U << 20U;

/// The services of the SDK's ABI 1 that this runner has.
constexpr std::array<const char*, 13> k_services{
    "error/1",  "log/1",   "info/1", "parameters/1", "state/1", "progress/1", "prompt/1",
    "cancel/1", "steps/1", "walk/1", "files/1",      "yaml/1",  "exec/1"};

}  // namespace

AssetNames UpgradeStore::names(const Release& release) const {
    return AssetNames::of(m_prefix, release.version.value().to_string(), m_platform);
}

void UpgradeStore::check_manifest(const Release& release, const Manifest& manifest) const {
    const auto fail = [&](const std::string& reason, const std::string& next = {}) {
        throw Error(Failure::preparation, "release '" + release.tag + "': its manifest " + reason,
                    next);
    };
    if (manifest.version != *release.version) {
        fail("is for " + manifest.version.to_string() + ", the release is " +
             release.version->to_string());
    }
    if (!manifest.tag.empty() && manifest.tag != release.tag) {
        fail("names the tag '" + manifest.tag + "', the release has '" + release.tag + "'");
    }
    if (manifest.abi != 1) {
        fail("needs ABI " + std::to_string(manifest.abi) + ", this runner has 1",
             "use a newer runner");
    }
    for (const std::string& service : manifest.services) {
        if (std::find(k_services.begin(), k_services.end(), service) == k_services.end()) {
            fail("needs the service " + service + ", which this runner does not have",
                 "use a newer runner");
        }
    }
    if (!manifest.minimum_runner.empty() &&
        SemanticVersion::parse(manifest.minimum_runner) > SemanticVersion::parse(RUNNER_VERSION)) {
        fail("needs runner " + manifest.minimum_runner + ", this is " RUNNER_VERSION,
             "use a newer runner");
    }
}

std::vector<KnownUpgrade> UpgradeStore::manifests(const std::vector<const Release*>& releases) {
    for (const Release* release : releases) {
        if (!m_source.is_built(*release)) m_source.build(*release, {});
    }
    return read_manifests(releases);
}

std::vector<KnownUpgrade> UpgradeStore::known_manifests(
    const std::vector<const Release*>& releases) {
    std::vector<const Release*> built;
    std::copy_if(releases.begin(), releases.end(), std::back_inserter(built),
                 [&](const Release* release) { return m_source.is_built(*release); });
    std::vector<KnownUpgrade> known = read_manifests(built);
    std::vector<KnownUpgrade> upgrades;
    auto next = known.begin();
    for (const Release* release : releases) {
        if (next != known.end() && next->release == release) {
            upgrades.push_back(std::move(*next++));
            continue;
        }
        KnownUpgrade unbuilt;
        unbuilt.release = release;
        unbuilt.manifest = Manifest::undeclared(*release->version);
        unbuilt.manifest.description = "not built yet: it is known what it declares when it is";
        upgrades.push_back(std::move(unbuilt));
    }
    return upgrades;
}

std::vector<KnownUpgrade> UpgradeStore::read_manifests(
    const std::vector<const Release*>& releases) {
    std::vector<AssetRequest> checksum_requests;
    for (const Release* release : releases) {
        checksum_requests.push_back(
            {release, names(*release).checksums, std::nullopt, k_max_checksums});
    }
    m_source.fetch(checksum_requests, {});

    std::vector<KnownUpgrade> upgrades(releases.size());
    judge_signatures(checksum_requests, upgrades);  // before any of it is parsed
    std::vector<AssetRequest> manifest_requests;
    for (std::size_t i = 0; i < releases.size(); ++i) {
        const AssetRequest& request = checksum_requests[i];
        const Release& release = *request.release;
        const std::string what = "release '" + release.tag + "': " + request.name;
        const Checksums checksums = parse_checksums(m_source.read(request), what);
        const auto archive = checksums.find(names(release).archive);
        if (archive == checksums.end()) {
            throw Error(Failure::preparation,
                        what + " has no checksum for " + names(release).archive);
        }
        if (release.digest && *release.digest != archive->second) {
            throw Error(Failure::preparation, what + " says " + archive->second.to_string() +
                                                  " for " + names(release).archive +
                                                  ", the source says " +
                                                  release.digest->to_string());
        }
        KnownUpgrade& upgrade = upgrades[i];
        upgrade.release = &release;
        upgrade.archive_digest = archive->second;
        upgrade.manifest = Manifest::undeclared(*release.version);
        const auto manifest = checksums.find(names(release).manifest);
        if (manifest != checksums.end()) {
            upgrade.manifest.declared = true;
            manifest_requests.push_back(
                {&release, names(release).manifest, manifest->second, k_max_manifest});
        }
    }
    m_source.fetch(manifest_requests, {});

    auto request = manifest_requests.begin();
    for (KnownUpgrade& upgrade : upgrades) {
        if (!upgrade.manifest.declared) continue;
        const std::string what = "release '" + upgrade.release->tag + "': " + request->name;
        upgrade.manifest = Manifest::parse(m_source.read(*request), what);
        check_manifest(*upgrade.release, upgrade.manifest);
        ++request;
    }
    return upgrades;
}

void UpgradeStore::judge_signatures(const std::vector<AssetRequest>& checksum_requests,
                                    std::vector<KnownUpgrade>& upgrades) {
    if (m_source.judges_signatures()) {
        for (std::size_t i = 0; i < upgrades.size(); ++i) {
            const Release& release = *checksum_requests[i].release;
            upgrades[i].signer = m_source.signer(release);
            upgrades[i].signature_problem = m_source.signature_problem(release);
        }
        return;
    }
    if (m_trust.verification == Verification::disabled) return;
    std::vector<AssetRequest> requests;
    for (const AssetRequest& checksums : checksum_requests) {
        requests.push_back({checksums.release, names(*checksums.release).signature, std::nullopt,
                            k_max_signature});
    }
    const bool strict = m_trust.verification == Verification::enabled;
    if (strict) m_source.fetch(requests, {});
    for (std::size_t i = 0; i < requests.size(); ++i) {
        try {
            if (!strict) m_source.fetch({requests[i]}, {});
            upgrades[i].signer =
                m_trust.judge(*requests[i].release, m_source.read(checksum_requests[i]),
                              m_source.read(requests[i]));
        } catch (const Error& error) {
            m_source.forget(*requests[i].release);
            if (strict) throw;
            upgrades[i].signature_problem = error.what();
        }
    }
}

AssetRequest UpgradeStore::archive_request(const KnownUpgrade& upgrade) const {
    return {upgrade.release, names(*upgrade.release).archive, upgrade.archive_digest,
            k_max_archive};
}

void UpgradeStore::fetch(const std::vector<KnownUpgrade>& upgrades, const FetchProgress& progress) {
    std::vector<AssetRequest> requests;
    for (const KnownUpgrade& upgrade : upgrades) requests.push_back(archive_request(upgrade));
    m_source.fetch(requests, progress);
}

void UpgradeStore::check_archive(const KnownUpgrade& upgrade) {
    m_source.read(archive_request(upgrade));
}

UpgradeImage UpgradeStore::image(const KnownUpgrade& upgrade) {
    const AssetRequest request = archive_request(upgrade);
    const AssetNames asset_names = names(*upgrade.release);
    const std::string what = "release '" + upgrade.release->tag + "': " + request.name;
    ArchiveFile file =
        read_archive(m_source.read(request), {asset_names.library, asset_names.executable}, what);
    UpgradeImage image;
    image.form = file.name == asset_names.library ? UpgradeForm::plugin : UpgradeForm::executable;
    image.name = std::move(file.name);
    image.content = std::move(file.content);
    if (image.form == UpgradeForm::plugin && !upgrade.manifest.declared) {
        throw Error(Failure::preparation,
                    "release '" + upgrade.release->tag + "' has no " + asset_names.manifest +
                        ", which a plugin needs: it is read before the plugin is loaded");
    }
    const auto build = upgrade.manifest.platforms.find(m_platform.to_string());
    if (build != upgrade.manifest.platforms.end() && build->second.library_digest) {
        const Digest found = sha256(image.content);
        if (found != *build->second.library_digest) {
            throw Error(Failure::preparation, what + ": '" + image.name +
                                                  "' does not match the manifest: expected " +
                                                  build->second.library_digest->to_string() +
                                                  ", found " + found.to_string());
        }
    }
    return image;
}

std::vector<std::pair<std::string, std::string>> UpgradeStore::files(const KnownUpgrade& upgrade) {
    const AssetNames asset_names = names(*upgrade.release);
    const auto read = [&](const std::string& name, const std::optional<Digest>& digest,
                          std::size_t limit) {
        const AssetRequest request{upgrade.release, name, digest, limit};
        m_source.fetch({request}, {});
        return std::pair(name, m_source.read(request));
    };
    // The checksums file last: a release without one is not taken for whole.
    auto checksums_file = read(asset_names.checksums, std::nullopt, k_max_checksums);
    const Checksums checksums = parse_checksums(checksums_file.second, asset_names.checksums);
    std::vector<std::pair<std::string, std::string>> files;
    files.push_back(read(asset_names.archive, upgrade.archive_digest, k_max_archive));
    const auto manifest = checksums.find(asset_names.manifest);
    if (manifest != checksums.end())
        files.push_back(read(asset_names.manifest, manifest->second, k_max_manifest));
    try {  // also where nobody judges it today: another config may
        files.push_back(read(asset_names.signature, std::nullopt, k_max_signature));
    } catch (const Error&) {
        if (upgrade.signer) throw;
    }
    files.push_back(std::move(checksums_file));
    return files;
}

}  // namespace runner
