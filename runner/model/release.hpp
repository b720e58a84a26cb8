// SPDX-License-Identifier: Apache-2.0
// A release as planning sees it, and the names of its assets.
#pragma once

#include <optional>
#include <string>

#include "model/digest.hpp"
#include "model/platform.hpp"
#include "model/upgrade_version.hpp"

namespace runner {

/// One release of the source. Small on purpose: thousands of them are held at once, and what a
/// download needs is asked from the source when it is needed.
struct Release {
    std::string tag;
    std::optional<UpgradeVersion>
        version;  ///< absent: the tag is no upgrade version, and the release is never due
    bool prerelease = false;  ///< flagged by the source, or by the semver itself
    bool has_build = false;   ///< an archive for this platform is there
    std::optional<Digest>
        digest;           ///< of that archive, from the checksums file; absent: not known yet
    std::string problem;  ///< why the release is malformed; empty when it is well formed
};

/// Who signed a release, and when; the time is shown and recorded, not judged.
struct Signer {
    std::string key;   ///< the key's id: 16 hexadecimal digits, or `SHA256:` and a fingerprint
    std::string time;  ///< RFC 3339, as the signer wrote it
};

/// The names of a release's assets, for one prefix and version.
struct AssetNames {
    std::string archive;     ///< `P_V_Os_arch.tar.gz`
    std::string manifest;    ///< `P_V_manifest.json`
    std::string checksums;   ///< `P-checksums.txt`
    std::string signature;   ///< `P-checksums.txt.minisig`
    std::string library;     ///< inside the archive: `P_V.so`
    std::string executable;  ///< inside the archive: `P_V`

    static AssetNames of(const std::string& prefix, const std::string& version,
                         const Platform& platform);
};

}  // namespace runner
