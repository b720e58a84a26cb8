// SPDX-License-Identifier: Apache-2.0
// The cluster config (contracts.md, "Cluster config"): what a person writes, checked whole before
// anything else happens.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/upgrade_version.hpp"

namespace runner {

enum class SourceKind { github, directory, git };
enum class Verification { enabled, warn, disabled };
enum class Channel { stable, preview };

const char* to_string(SourceKind kind);
const char* to_string(Verification verification);
/// `enabled`, `warn` or `disabled`; anything else is taken for `enabled`.
Verification parse_verification(std::string_view word);

struct ReleasesConfig {
    SourceKind source = SourceKind::github;
    std::string repository;           ///< OWNER/NAME of a forge
    std::filesystem::path directory;  ///< of a directory source, absolute
    std::string api = "https://api.github.com";
    std::string prefix = "upgrade";
    Channel channel = Channel::stable;
    std::string token_variable;  ///< the name of the environment variable that holds the token
};

struct ClusterConfig {
    std::filesystem::path file;  ///< as it was named
    std::string name;
    std::string region;
    std::string account_id;
    std::optional<SemanticVersion> original_version;
    std::string target_version = "latest";
    std::filesystem::path repository_directory;  ///< absolute
    std::filesystem::path state;                 ///< the ledger, absolute
    ReleasesConfig releases;
    Verification verification = Verification::enabled;
    std::vector<std::string> public_keys;
    std::vector<std::string> revoked_keys;  ///< public keys, or their ids
    std::map<std::string, std::string> environment;
    std::map<std::string, std::string> parameters;

    /// Reads and checks `file`. Throws Error{usage} with every problem, one a line:
    /// "FILE:LINE:COLUMN: what".
    static ClusterConfig load(const std::filesystem::path& file);

    /// As load, for a text; relative paths are relative to the folder of `file`.
    static ClusterConfig parse(std::string_view text, const std::filesystem::path& file);
};

/// The JSON Schema (draft 2020-12) of the config, made from the same table that the reader uses.
std::string config_json_schema();

}  // namespace runner
