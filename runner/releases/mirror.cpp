// SPDX-License-Identifier: Apache-2.0
#include "releases/mirror.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "model/error.hpp"
#include "model/manifest.hpp"
#include "releases/checksums.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_text = 1U << 20U;
constexpr std::size_t k_max_archive = 256U << 20U;

class Mirror {
 public:
    Mirror(ReleaseSource& source, const std::string& prefix, const TrustPolicy& trust,
           const fs::path& folder)
        : m_source(source), m_prefix(prefix), m_trust(trust), m_folder(folder) {}

    MirroredRelease copy(const Release& release) {
        MirroredRelease result;
        result.tag = release.tag;
        try {
            copy_files(release, result);
        } catch (const Error& error) {
            result.problem = error.what();
        }
        return result;
    }

 private:
    void copy_files(const Release& release, MirroredRelease& result) {
        if (!release.version)
            throw Error(Failure::preparation,
                        "the tag '" + release.tag + "' is no upgrade version");
        const std::string version = release.version->to_string();
        const AssetNames names = AssetNames::of(m_prefix, version, Platform::current());
        const std::string checksums_text = fetched(release, names.checksums, std::nullopt);
        const std::optional<std::string> signature = judged(release, names, checksums_text);
        const Checksums checksums =
            parse_checksums(checksums_text, "release '" + release.tag + "': " + names.checksums);

        const fs::path folder = m_folder / release.tag;
        std::set<std::string> archives;
        for (const char* os : {"Linux", "Darwin"}) {
            for (const char* arch : {"amd64", "arm64"}) {
                const std::string archive =
                    AssetNames::of(m_prefix, version, Platform{os, arch}).archive;
                if (checksums.count(archive) != 0) archives.insert(archive);
            }
        }
        if (checksums.count(names.manifest) != 0) {
            keep_or_copy(release, names.manifest, checksums.at(names.manifest), folder, result);
            // Without a build in it, an archive that the checksums name need not be there.
            const Manifest manifest =
                Manifest::parse(read_file(folder / names.manifest, k_max_text), names.manifest);
            if (!manifest.platforms.empty()) archives.clear();
            for (const auto& [platform, build] : manifest.platforms) {
                if (checksums.count(build.file) == 0)
                    throw Error(Failure::preparation, "release '" + release.tag +
                                                          "': " + names.checksums +
                                                          " has no checksum for " + build.file);
                archives.insert(build.file);
            }
        }
        if (archives.empty())
            throw Error(Failure::preparation,
                        "release '" + release.tag + "' has no archive of any platform");
        for (const std::string& archive : archives)
            keep_or_copy(release, archive, checksums.at(archive), folder, result);
        if (signature) put(folder / names.signature, *signature, result);
        put(folder / names.checksums, checksums_text, result);
    }

    std::string fetched(const Release& release, const std::string& name,
                        const std::optional<Digest>& digest) {
        const AssetRequest request{&release, name, digest, digest ? k_max_archive : k_max_text};
        m_source.fetch({request}, {});
        return m_source.read(request);
    }

    /// The signature's text, believed where it has to be; nothing when there is none and none is
    /// needed.
    std::optional<std::string> judged(const Release& release, const AssetNames& names,
                                      const std::string& checksums) {
        if (m_trust.verification == Verification::enabled) {
            std::string signature = fetched(release, names.signature, std::nullopt);
            (void)m_trust.judge(release, checksums, signature);
            return signature;
        }
        try {
            return fetched(release, names.signature, std::nullopt);
        } catch (const Error&) {
            return std::nullopt;
        }
    }

    void keep_or_copy(const Release& release, const std::string& name, const Digest& digest,
                      const fs::path& folder, MirroredRelease& result) {
        const auto there = read_file_if_there(folder / name, k_max_archive);
        if (there && sha256(*there) == digest) {
            ++result.kept;
            return;
        }
        make_folders(folder);
        replace_file(folder / name, fetched(release, name, digest));
        ++result.copied;
    }

    static void put(const fs::path& file, const std::string& text, MirroredRelease& result) {
        if (read_file_if_there(file, k_max_text) == text) {
            ++result.kept;
            return;
        }
        make_folders(file.parent_path());
        replace_file(file, text);
        ++result.copied;
    }

    ReleaseSource& m_source;
    const std::string& m_prefix;
    const TrustPolicy& m_trust;
    const fs::path& m_folder;
};

}  // namespace

std::vector<MirroredRelease> mirror_releases(ReleaseSource& source, const std::string& prefix,
                                             const TrustPolicy& trust,
                                             const std::vector<std::string>& wanted,
                                             const fs::path& folder) {
    const std::vector<Release> releases = source.list();
    std::set<std::string> missing(wanted.begin(), wanted.end());
    for (const Release& release : releases) {
        if (release.version) missing.erase(release.version->to_string());
    }
    if (!missing.empty()) {
        throw Error(Failure::preparation, "the source has no release " + *missing.begin(),
                    "'runner releases list' shows the releases");
    }
    Mirror mirror(source, prefix, trust, folder);
    std::vector<MirroredRelease> results;
    for (const Release& release : releases) {
        const std::string version = release.version ? release.version->to_string() : "";
        const bool chosen =
            wanted.empty() || std::find(wanted.begin(), wanted.end(), version) != wanted.end();
        if (chosen) results.push_back(mirror.copy(release));
    }
    return results;
}

}  // namespace runner
