// SPDX-License-Identifier: Apache-2.0
// Making the artefacts of a release: archive, manifest, checksums.
#pragma once

#include <filesystem>
#include <string>

#include "model/manifest.hpp"
#include "model/release.hpp"

namespace runner {

/// Writes archive, manifest and checksums of one build into `folder`. `content` is the library or
/// program, `file_name` its name in the archive; the build is added to the manifest's platforms. An
/// executable upgrade's manifest is not written. Throws Error{preparation}.
void write_artefacts(const std::filesystem::path& folder, const AssetNames& names,
                     const Platform& platform, const std::string& file_name, std::string content,
                     Manifest manifest, bool with_manifest);

/// The text of the checksums of everything in the folder but checksums and signature.
std::string checksums_of(const std::filesystem::path& folder, const AssetNames& names);

}  // namespace runner
