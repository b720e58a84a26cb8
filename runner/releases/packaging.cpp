// SPDX-License-Identifier: Apache-2.0
#include "releases/packaging.hpp"

#include "model/json.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_file = 256U << 20U;

}  // namespace

std::string checksums_of(const fs::path& folder, const AssetNames& names) {
    Checksums checksums;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name == names.checksums || name == names.signature || !entry.is_regular_file() ||
            name.starts_with("."))
            continue;
        checksums[name] = sha256(read_file(entry.path(), k_max_file));
    }
    return format_checksums(checksums);
}

void write_artefacts(const fs::path& folder, const AssetNames& names, const Platform& platform,
                     const std::string& file_name, std::string content, Manifest manifest,
                     bool with_manifest) {
    const ArchiveFile file{file_name, std::move(content)};
    const std::string archive = make_archive(file);
    if (const auto earlier = read_file_if_there(folder / names.manifest)) {
        const Manifest known = Manifest::parse(*earlier, (folder / names.manifest).string());
        manifest.platforms = known.platforms;  // of the other platforms
    }
    manifest.platforms[platform.to_string()] = {names.archive,
                                                static_cast<std::int64_t>(archive.size()),
                                                sha256(archive), sha256(file.content)};
    replace_file(folder / names.archive, archive);
    if (with_manifest)
        replace_file(folder / names.manifest, dump_json(manifest.to_json(), 2) + '\n');
}

}  // namespace runner
