// SPDX-License-Identifier: Apache-2.0
// `runner verify`: whether what is done still holds. Changes nothing, and takes no lease.
#pragma once

#include <string>
#include <vector>

#include "engine/upgrade_run.hpp"

namespace runner {

struct VerifyRequest {
    std::vector<std::string> only;  ///< versions; empty: all that are done
    bool files = true;              ///< also whether files are as upgrades left them
    bool debug = false;
    GivenParameters parameters;
};

/// What a check came to.
enum class Health {
    healthy,
    unhealthy,   ///< its own check fails
    unknown,     ///< it could not be checked, which is no better
    unchecked,   ///< it has no check of its own
    superseded,  ///< a later upgrade of the same component is done: that one is checked
};
const char* to_string(Health health);

struct VerifiedUpgrade {
    std::string version;
    Health health = Health::unknown;
    std::string message;
};

/// A file that is not as the newest upgrade that changed it has left it.
struct DriftedFile {
    std::string path;
    std::string version;  ///< of that upgrade
    std::string found;    ///< changed, missing, or there again
};

struct VerifyReport {
    std::string cluster;
    std::string cluster_version;
    std::vector<VerifiedUpgrade> upgrades;
    std::vector<DriftedFile> files;
    std::vector<std::string> warnings;
    [[nodiscard]] bool good() const;
};

/// Throws Error when nothing could be looked at: the ledger, the list of releases, a version that
/// is not done, a parameter that nothing declares.
VerifyReport run_verify(const EngineParts& parts, const VerifyRequest& request);

}  // namespace runner
