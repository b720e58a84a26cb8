// SPDX-License-Identifier: Apache-2.0
// A copy of a source's releases in a folder, which a directory source then reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "releases/source.hpp"
#include "releases/trust.hpp"

namespace runner {

struct MirroredRelease {
    std::string tag;
    std::size_t copied = 0;  ///< files
    std::size_t kept = 0;    ///< files that were there already, with the right digest
    std::string problem;     ///< why it is not mirrored; empty: it is
};

/// Copies the releases of these versions, or all, into a folder per tag: checksums, signature,
/// manifest, and the archives of every platform. What is there already and right is kept, so that a
/// copy that was interrupted goes on. The checksums file comes last: a release that is there is
/// whole. A release that cannot be mirrored whole, or whose signature is not believed, is left out
/// and named. Throws Error when the folder cannot be written, or a wanted version is not listed.
std::vector<MirroredRelease> mirror_releases(ReleaseSource& source, const std::string& prefix,
                                             const TrustPolicy& trust,
                                             const std::vector<std::string>& wanted,
                                             const std::filesystem::path& folder);

}  // namespace runner
