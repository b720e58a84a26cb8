// SPDX-License-Identifier: Apache-2.0
// What an upgrade says of itself: read from the verified release before its library is loaded.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/digest.hpp"
#include "model/json.hpp"
#include "model/upgrade_version.hpp"

namespace runner {

/// A value that an upgrade takes from the cluster's config, `--env` or a prompt.
struct Parameter {
    std::string name;  ///< `[A-Za-z][A-Za-z0-9_]*`
    std::string description;
    bool required = false;
    bool secret = false;
    std::optional<std::string> default_value;
    std::string pattern;  ///< as Pattern takes it; a value must match it whole; empty: any
};

/// What an upgrade may touch.
struct Permissions {
    std::vector<std::string> write;     ///< paths below the repository directory; "." is all of it
    std::vector<std::string> commands;  ///< names of programs, without folder; "*" is any
    bool network = false;
};

/// Archive and library of one platform.
struct PlatformBuild {
    std::string file;
    std::int64_t size = 0;
    std::optional<Digest> archive_digest;
    std::optional<Digest> library_digest;
};

enum class Severity { routine, important, critical };
const char* to_string(Severity severity);

/// How an upgrade is run.
enum class UpgradeForm {
    plugin,      ///< a shared library on the SDK
    executable,  ///< a program of the older form, taking --debug, --dry-run and --confirm
};
const char* to_string(UpgradeForm form);
std::optional<UpgradeForm> upgrade_form_from(std::string_view word);

struct Manifest {
    UpgradeVersion version;
    std::string repository;
    std::string tag;
    std::string commit;
    std::vector<std::string> after;
    std::int64_t abi = 1;
    std::vector<std::string> services;
    std::map<std::string, PlatformBuild> platforms;  ///< by `Linux_amd64`
    std::string sdk_version;
    std::string compiler;

    std::string description;
    std::vector<std::string> changes;
    Severity severity = Severity::routine;
    bool downtime = false;
    bool reversible = false;
    std::vector<std::string> needed_upgrades;  ///< the manifest's `requires`
    std::string minimum_runner;
    std::string minimum_from;  ///< the cluster must have reached this version; empty: any
    std::chrono::milliseconds timeout{std::chrono::hours(1)};
    std::vector<Parameter> parameters;
    Permissions permissions;
    std::string component;
    bool declared = true;  ///< false: an executable upgrade that came without a manifest

    /// Reads a manifest document. Throws Error{preparation} that names the key at fault.
    static Manifest parse(std::string_view text, const std::string& what);

    /// What an executable upgrade without a manifest may do.
    static Manifest undeclared(const UpgradeVersion& version);

    [[nodiscard]] Json to_json() const;
};

/// Reads "90s", "500ms", "10m", "2h". Throws Error{preparation} naming `what`.
std::chrono::milliseconds parse_duration(std::string_view text, const std::string& what);
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace runner
