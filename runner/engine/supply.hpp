// SPDX-License-Identifier: Apache-2.0
// From an upgrade in a run to what can be run of it: its release found, its manifest and archive
// fetched and verified, from the config's source or from what is kept beside the ledger.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/parts.hpp"
#include "engine/upgrade_in_run.hpp"
#include "releases/upgrade_store.hpp"

namespace runner {

/// What a built upgrade is, by its file's name: libraries are plugins.
UpgradeForm form_of_file(const std::filesystem::path& file);

/// The library or program in a file, as it is: nothing verifies it. Throws Error{preparation}.
UpgradeImage image_from_file(const std::filesystem::path& file);

/// Makes the sealed image of a verified library or program.
UniqueFd seal(const UpgradeImage& image);

class Supply {
 public:
    /// `source` and `folder` must outlive it; `folder` null: nothing is kept. `trust` judges
    /// signatures.
    Supply(const ClusterConfig& config, ReleaseSource& source, RunFolder* folder,
           TrustPolicy trust);

    /// The source's releases, listed once. Throws Error{preparation}.
    std::vector<Release>& releases();

    /// Finds the release of an upgrade that was run here, with its manifest: among the kept ones,
    /// when it is whole and believed, else at the source. Throws Error{preparation} when it is
    /// gone, malformed, not believed, or has another digest than was run.
    void find_again(UpgradeInRun& upgrade);

    /// Signature, checksums and manifest of each upgrade that has a release at the source. Throws
    /// Error{preparation} naming release and reason. `build`: what was not built yet is built, else
    /// it declares nothing.
    void load(std::vector<UpgradeInRun>& upgrades, bool build);

    /// Fetches the archives, several at a time.
    void fetch(const std::vector<const UpgradeInRun*>& upgrades, const FetchProgress& progress);

    /// The verified library or program. Throws Error{preparation}.
    UpgradeImage image(const UpgradeInRun& upgrade);
    /// Gives the upgrade its image, unless it has one.
    void have_image(UpgradeInRun& upgrade);
    /// The verified files of its release, to be kept.
    ReleaseFiles files(const UpgradeInRun& upgrade);

 private:
    UpgradeStore& store_of(const UpgradeInRun& upgrade);
    /// Lists what is kept, once.
    void open_kept();
    const Release* find_kept(const UpgradeInRun& upgrade);
    bool take_kept(UpgradeInRun& upgrade);
    static void take(UpgradeInRun& upgrade, KnownUpgrade known, Supplier supplier);

    const ClusterConfig& m_config;
    ReleaseSource& m_source;
    RunFolder* m_folder;  ///< null: nothing is kept, or it was opened
    TrustPolicy m_trust;
    UpgradeStore m_store;
    std::optional<std::vector<Release>> m_releases;
    std::unique_ptr<ReleaseSource> m_kept_source;
    std::optional<UpgradeStore> m_kept_store;
    std::vector<Release> m_kept_releases;
};

}  // namespace runner
