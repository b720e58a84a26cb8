// SPDX-License-Identifier: Apache-2.0
#include "engine/supply.hpp"

#include <utility>

#include "model/error.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_plugin = 256U << 20U;

std::vector<KnownUpgrade> known_of(const std::vector<const UpgradeInRun*>& upgrades,
                                   Supplier supplier) {
    std::vector<KnownUpgrade> known;
    for (const UpgradeInRun* upgrade : upgrades) {
        if (upgrade->supplier == supplier && upgrade->known.release != nullptr)
            known.push_back(upgrade->known);
    }
    return known;
}

}  // namespace

UpgradeForm form_of_file(const std::filesystem::path& file) {
    const std::filesystem::path extension = file.extension();
    return extension == ".so" || extension == ".dylib" ? UpgradeForm::plugin
                                                       : UpgradeForm::executable;
}

UpgradeImage image_from_file(const std::filesystem::path& file) {
    UpgradeImage image;
    image.name = file.filename().string();
    image.content = read_file(file, k_max_plugin);
    image.form = form_of_file(file);
    return image;
}

UniqueFd seal(const UpgradeImage& image) {
    return make_sealed_file(
        image.name.c_str(), image.content,
        image.form == UpgradeForm::executable ? MemoryUse::program : MemoryUse::data);
}

Supply::Supply(const ClusterConfig& config, ReleaseSource& source, RunFolder* folder,
               TrustPolicy trust)
    : m_config(config),
      m_source(source),
      m_folder(folder),
      m_trust(std::move(trust)),
      m_store(source, config.releases.prefix, Platform::current(), m_trust) {}

void Supply::open_kept() {
    RunFolder* folder = std::exchange(m_folder, nullptr);
    // Signatures that only the source itself can judge are not kept.
    if (folder == nullptr || m_source.judges_signatures()) return;
    m_kept_source = folder->kept_releases();
    if (!m_kept_source) return;
    m_kept_store.emplace(*m_kept_source, m_config.releases.prefix, Platform::current(), m_trust);
    m_kept_releases = m_kept_source->list();
}

std::vector<Release>& Supply::releases() {
    if (!m_releases) m_releases = m_source.list();
    return *m_releases;
}

UpgradeStore& Supply::store_of(const UpgradeInRun& upgrade) {
    return upgrade.supplier == Supplier::kept ? *m_kept_store : m_store;
}

const Release* Supply::find_kept(const UpgradeInRun& upgrade) {
    open_kept();
    for (const Release& release : m_kept_releases) {
        if (release.tag == upgrade.tag && release.problem.empty() && release.digest &&
            release.digest == upgrade.digest())
            return &release;
    }
    return nullptr;
}

void Supply::find_again(UpgradeInRun& upgrade) {
    if (take_kept(upgrade)) return;
    const UpgradeVersion version = UpgradeVersion::parse(upgrade.version);
    const auto applied = upgrade.digest();
    std::vector<Release*> found = releases_of(releases(), version);
    if (!upgrade.tag.empty())
        std::erase_if(found, [&](const Release* one) { return one->tag != upgrade.tag; });
    if (found.empty())
        throw Error(Failure::preparation, "its release is gone from the source",
                    "bring the release back, or take a mirror that has it");
    m_source.complete(found);
    const std::string problem =
        why_not_runnable(*found.front(), found.size() > 1, Platform::current().to_string());
    if (!problem.empty()) throw Error(Failure::preparation, problem);
    KnownUpgrade known = std::move(m_store.manifests({found.front()}).front());
    if (applied && known.archive_digest != *applied) {
        throw Error(Failure::preparation,
                    "its release was changed after it was applied: it now has " +
                        known.archive_digest.to_string() + ", applied was " + applied->to_string(),
                    "bring the release back that was applied");
    }
    take(upgrade, std::move(known), Supplier::source);
}

void Supply::take(UpgradeInRun& upgrade, KnownUpgrade known, Supplier supplier) {
    upgrade.known = std::move(known);
    upgrade.supplier = supplier;
    upgrade.tag = upgrade.known.release->tag;
    upgrade.manifest_json = upgrade.manifest().to_json();
}

/// What is kept is as good as the source's only when it is whole, and believed today.
bool Supply::take_kept(UpgradeInRun& upgrade) {
    const Release* kept = find_kept(upgrade);
    if (kept == nullptr) return false;
    try {
        KnownUpgrade known = std::move(m_kept_store->manifests({kept}).front());
        m_kept_store->check_archive(known);
        take(upgrade, std::move(known), Supplier::kept);
        return true;
    } catch (const Error&) {
        return false;
    }
}

void Supply::load(std::vector<UpgradeInRun>& upgrades, bool build) {
    std::vector<const Release*> releases;
    for (const UpgradeInRun& upgrade : upgrades) {
        if (upgrade.known.release != nullptr) releases.push_back(upgrade.known.release);
    }
    std::vector<KnownUpgrade> known =
        build ? m_store.manifests(releases) : m_store.known_manifests(releases);
    auto next = known.begin();
    for (UpgradeInRun& upgrade : upgrades) {
        if (upgrade.known.release != nullptr) take(upgrade, std::move(*next++), Supplier::source);
    }
}

void Supply::fetch(const std::vector<const UpgradeInRun*>& upgrades,
                   const FetchProgress& progress) {
    m_store.fetch(known_of(upgrades, Supplier::source), progress);
    if (m_kept_store) m_kept_store->fetch(known_of(upgrades, Supplier::kept), {});
}

UpgradeImage Supply::image(const UpgradeInRun& upgrade) {
    return store_of(upgrade).image(upgrade.known);
}

void Supply::have_image(UpgradeInRun& upgrade) {
    if (upgrade.image) return;
    const UpgradeImage verified = image(upgrade);
    upgrade.form = verified.form;
    upgrade.image = seal(verified);
}

ReleaseFiles Supply::files(const UpgradeInRun& upgrade) {
    return store_of(upgrade).files(upgrade.known);
}

}  // namespace runner
