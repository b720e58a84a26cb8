// SPDX-License-Identifier: Apache-2.0
// From a release to something that can be run: checksums, manifest and archive fetched, verified
// and read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/manifest.hpp"
#include "releases/source.hpp"
#include "releases/trust.hpp"

namespace runner {

/// The verified library or program of an upgrade.
struct UpgradeImage {
    UpgradeForm form = UpgradeForm::plugin;
    std::string name;     ///< the file's name in the archive
    std::string content;  ///< its bytes
};

/// An upgrade whose manifest was fetched and verified.
struct KnownUpgrade {
    const Release* release = nullptr;
    Manifest manifest;
    Digest archive_digest;
    std::optional<Signer> signer;
    std::string signature_problem;  ///< why it is not believed, where that is only worth a warning
};

class UpgradeStore {
 public:
    UpgradeStore(ReleaseSource& source, std::string prefix, Platform platform, TrustPolicy trust)
        : m_source(source),
          m_prefix(std::move(prefix)),
          m_platform(std::move(platform)),
          m_trust(std::move(trust)) {}

    /// Signature, checksums and manifest of each release; what was not built yet is built. Throws
    /// Error{preparation} naming release and reason.
    std::vector<KnownUpgrade> manifests(const std::vector<const Release*>& releases);
    /// Only looks: what was not built yet declares nothing, and has no digest.
    std::vector<KnownUpgrade> known_manifests(const std::vector<const Release*>& releases);

    /// Fetches the archives, several at a time.
    void fetch(const std::vector<KnownUpgrade>& upgrades, const FetchProgress& progress);

    /// Whether an archive that was fetched is there, with the digest of the checksums file. Throws
    /// Error{preparation} when it is not.
    void check_archive(const KnownUpgrade& upgrade);

    /// Reads an archive that was fetched: digest checked against the checksums file, the one file
    /// in it, and its digest against the manifest. Throws Error{preparation}.
    UpgradeImage image(const KnownUpgrade& upgrade);

    /// The files of a release that was fetched, by asset name: what proves it later, when it is
    /// gone from its source.
    std::vector<std::pair<std::string, std::string>> files(const KnownUpgrade& upgrade);

 private:
    std::vector<KnownUpgrade> read_manifests(const std::vector<const Release*>& releases);
    /// Fetches and judges the signatures of checksums files that were fetched.
    void judge_signatures(const std::vector<AssetRequest>& checksum_requests,
                          std::vector<KnownUpgrade>& upgrades);
    [[nodiscard]] AssetNames names(const Release& release) const;
    [[nodiscard]] AssetRequest archive_request(const KnownUpgrade& upgrade) const;
    void check_manifest(const Release& release, const Manifest& manifest) const;

    ReleaseSource& m_source;
    std::string m_prefix;
    Platform m_platform;
    TrustPolicy m_trust;
};

}  // namespace runner
