// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "model/error.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "support/engine_fakes.hpp"
#include "support/sha256.hpp"

namespace test {

using runner::AssetNames;
using runner::AssetRequest;
using runner::Error;
using runner::Failure;
using runner::Release;
using runner::UpgradeVersion;

namespace {

struct Archive {
    std::string bytes;
    runner::Digest digest;
};

/// Made once for each name and content: tests make the same upgrades again and again.
const Archive& archive_of(const std::string& name, const std::string& content) {
    static std::map<std::pair<std::string, std::string>, Archive> made;
    Archive& archive = made[{name, content}];
    if (archive.bytes.empty()) {
        archive.bytes = runner::make_archive({name, content});
        archive.digest = runner::sha256(archive.bytes);
    }
    return archive;
}

Release release_of(const std::string& tag) {
    Release release;
    release.tag = tag;
    release.version = UpgradeVersion::from_tag(tag);
    release.prerelease = !release.version->semver.prerelease.empty();
    release.has_build = true;
    return release;
}

}  // namespace

void FakeSource::publish(const ScriptedUpgrade& upgrade) {
    const auto names = AssetNames::of("upgrade", upgrade.version, runner::Platform::current());
    const bool plugin = upgrade.form == runner::UpgradeForm::plugin;
    const std::string& name = upgrade.strange_archive ? names.manifest
                              : plugin                ? names.library
                                                      : names.executable;
    const Archive& archive = archive_of(name, upgrade.content);
    Stored one;
    one.release = release_of(upgrade.tag());
    one.release.digest = archive.digest;
    runner::Checksums checksums{{names.archive, archive.digest}};
    one.files[names.archive] = archive.bytes;
    if (upgrade.with_manifest) {
        std::string text = runner::dump_json(upgrade.manifest.to_json());
        checksums[names.manifest] = runner::sha256(text);
        one.files[names.manifest] = std::move(text);
    }
    one.files[names.checksums] = runner::format_checksums(checksums);
    stored[upgrade.tag()] = std::move(one);
}

void FakeSource::keep(const std::string& tag, const runner::ReleaseFiles& files) {
    Stored one;
    one.release = release_of(tag);
    const auto names =
        AssetNames::of("upgrade", one.release.version->to_string(), runner::Platform::current());
    for (const auto& [name, bytes] : files) one.files[name] = bytes;
    const auto checksums = runner::parse_checksums(one.files.at(names.checksums), names.checksums);
    one.release.digest = checksums.at(names.archive);
    stored[tag] = std::move(one);
}

std::vector<Release> FakeSource::list() {
    ++lists;
    if (on_list) std::exchange(on_list, nullptr)();
    std::vector<Release> releases;
    for (const auto& [tag, one] : stored) releases.push_back(one.release);
    return releases;
}

void FakeSource::complete(const std::vector<Release*>& releases) {
    for (Release* release : releases) {
        const auto found = stored.find(release->tag);
        if (found != stored.end()) release->digest = found->second.release.digest;
    }
}

void FakeSource::fetch(const std::vector<AssetRequest>& requests, const runner::FetchProgress&) {
    for (const AssetRequest& request : requests) {
        const auto found = stored.find(request.release->tag);
        if (found == stored.end() || found->second.files.count(request.name) == 0)
            throw Error(Failure::preparation,
                        request.name + " of '" + request.release->tag + "' cannot be fetched");
        fetched.push_back(request.name);
    }
}

std::string FakeSource::read(const AssetRequest& request) {
    const std::string& bytes = stored.at(request.release->tag).files.at(request.name);
    if (request.digest && runner::sha256(bytes) != *request.digest)
        throw Error(Failure::preparation, request.name + " does not match its checksum");
    return bytes;
}

void FakeSource::build(const Release& release, const std::filesystem::path& log) {
    if (while_building) while_building();
    builds.push_back(release.tag + ' ' + log.string());
    unbuilt.erase(release.tag);
}

}  // namespace test
