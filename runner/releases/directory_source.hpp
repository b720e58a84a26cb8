// SPDX-License-Identifier: Apache-2.0
// Releases in a folder per tag: a mirror, an air-gapped site, a test.
#pragma once

#include <memory>

#include "model/platform.hpp"
#include "releases/cache.hpp"
#include "releases/source.hpp"

namespace runner {

/// `folder` holds a folder per tag, with its assets (AssetNames). A release is read again when
/// its folder's checksums file changes; all others come from the index in `cache`.
std::unique_ptr<ReleaseSource> make_directory_source(std::filesystem::path folder,
                                                     std::string prefix, Platform platform,
                                                     Cache cache);

}  // namespace runner
