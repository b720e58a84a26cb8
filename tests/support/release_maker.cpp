// SPDX-License-Identifier: Apache-2.0
#include "support/release_maker.hpp"

#include <stdexcept>

#include "model/manifest.hpp"
#include "model/release.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

namespace test {

namespace fs = std::filesystem;

std::string ReleaseMaker::tag_of(const std::string& version) {
    const runner::UpgradeVersion parsed = runner::UpgradeVersion::parse(version);
    return parsed.identifier.empty() ? version
                                     : parsed.semver.to_string() + '+' + parsed.identifier;
}

void ReleaseMaker::file(const std::string& version, const std::string& name,
                        const std::string& content, const std::optional<runner::Json>& manifest) {
    const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
    const fs::path folder = m_releases / tag_of(version);
    const std::string archive = runner::make_archive({name, content});
    runner::Checksums checksums{{names.archive, runner::sha256(archive)}};
    fs::create_directories(folder);
    runner::replace_file(folder / names.archive, archive, runner::Durability::replaceable);
    if (manifest) {
        const std::string text = runner::dump_json(*manifest, 2);
        runner::replace_file(folder / names.manifest, text, runner::Durability::replaceable);
        checksums[names.manifest] = runner::sha256(text);
    }
    runner::replace_file(folder / names.checksums, runner::format_checksums(checksums),
                         runner::Durability::replaceable);
}

void ReleaseMaker::plugin(const std::string& name, const std::string& version) {
    const std::string placeholder = "0.1.10000";
    std::string& library = m_templates[name];
    if (library.empty()) library = runner::read_file(m_plugins / (name + ".so"));
    if (version.size() != placeholder.size())
        throw std::runtime_error("a test plugin's version has the form 0.1.NNNNN");
    std::string content = library;
    for (std::size_t at = 0; (at = content.find(placeholder, at)) != std::string::npos;
         at += version.size()) {
        content.replace(at, placeholder.size(), version);
    }
    const std::size_t named = content.find('"' + version + '"');
    const std::string description = content.c_str() + content.rfind('\0', named) + 1;
    runner::Json manifest =
        runner::Manifest::parse(description, "the test plugin's description").to_json();
    manifest["tag"] = tag_of(version);
    const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
    file(version, names.library, content, manifest);
}

}  // namespace test
