// SPDX-License-Identifier: Apache-2.0
// Whose releases are believed: signatures of checksums files, judged by the keys of the cluster's
// config.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/cluster_config.hpp"
#include "model/release.hpp"

namespace runner {

/// What a trusted comment binds a signature to.
std::string trusted_comment(const std::string& repository, const std::string& tag,
                            const std::string& version, const std::string& time);

struct TrustPolicy {
    Verification verification = Verification::disabled;
    std::string repository;            ///< OWNER/NAME that a signature must name
    std::string config;                ///< the file that the keys stand in, for messages
    std::vector<std::string> keys;     ///< public keys, as they stand there
    std::vector<std::string> revoked;  ///< public keys, or their ids

    /// From the config. Throws Error{usage} when verification is enabled and cannot be done: no
    /// key, or no repository.
    static TrustPolicy of(const ClusterConfig& config);

    /// Judges `signature`, the text of the `.minisig` file beside a release's checksums file.
    /// Throws Error{preparation} that names the release and what is wrong.
    [[nodiscard]] Signer judge(const Release& release, std::string_view checksums,
                               std::string_view signature) const;
};

}  // namespace runner
