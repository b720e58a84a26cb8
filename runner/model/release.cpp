// SPDX-License-Identifier: Apache-2.0
#include "model/release.hpp"

namespace runner {

AssetNames AssetNames::of(const std::string& prefix, const std::string& version,
                          const Platform& platform) {
    const std::string stem = prefix + '_' + version;
    AssetNames names;
    names.archive = stem + '_' + platform.to_string() + ".tar.gz";
    names.manifest = stem + "_manifest.json";
    names.checksums = prefix + "-checksums.txt";
    names.signature = names.checksums + ".minisig";
    names.library = stem + '.' + platform.library_extension();
    names.executable = stem;
    return names;
}

}  // namespace runner
