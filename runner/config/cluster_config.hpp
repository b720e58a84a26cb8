// SPDX-License-Identifier: Apache-2.0
// The cluster config: what a person writes, checked whole before
// anything else happens.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/manifest.hpp"
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
    std::string repository;                  ///< OWNER/NAME of a forge
    std::filesystem::path directory;         ///< of a directory source, absolute
    std::string url;                         ///< of a git source; may hold user and password
    std::vector<std::string> allowed_hosts;  ///< that a git source may ask; empty: the url's own
    std::string api = "https://api.github.com";
    std::string prefix = "upgrade";
    Channel channel = Channel::stable;
    std::string token_variable;  ///< the name of the environment variable that holds the token
};

enum class Enforcement { available, required, disabled };

/// What upgrades may declare that they do; absent lists allow everything.
struct PolicyConfig {
    std::optional<std::vector<std::string>> write;
    std::optional<std::vector<std::string>> commands;
    bool network = true;
    bool undeclared = true;
    Enforcement enforcement = Enforcement::available;
};

/// A program beside a run.
struct HookConfig {
    std::vector<std::string> command;  ///< empty: there is none
    std::chrono::milliseconds timeout{std::chrono::minutes(5)};
};

struct HooksConfig {
    HookConfig before;
    HookConfig snapshot;
    HookConfig after;
    HookConfig on_failure;
};

/// Of transient failures.
struct RetryConfig {
    int attempts = 3;                                          ///< 1 to 9
    std::chrono::milliseconds delay{std::chrono::seconds(1)};  ///< doubled after each
};

/// When something may begin by itself. All of it in UTC.
struct MaintenanceWindow {
    std::array<bool, 7> days{true, true, true, true, true, true, true};  ///< from Monday on
    int from_minute = 0;                                                 ///< of the day
    int to_minute = 24 * 60;  ///< not after `from`: of the day after
    /// Whether this moment (milliseconds since the Unix epoch) is in it. What goes on after
    /// midnight belongs to the day of its beginning.
    [[nodiscard]] bool contains(std::chrono::milliseconds moment) const;
};

/// What `runner serve` does by itself.
struct ScheduleConfig {
    std::chrono::milliseconds discover{std::chrono::minutes(30)};  ///< at least one second
    std::optional<MaintenanceWindow> window;
    bool downtime = false;  ///< automatic upgrades that cause it are allowed
};

struct WebhookConfig {
    std::string url;
    std::string secret_variable;      ///< the name of the environment variable with the secret
    std::vector<std::string> events;  ///< due, started, succeeded, failed
};

struct ClusterConfig {
    std::filesystem::path file;    ///< as it was named
    std::filesystem::path folder;  ///< what relative paths in it are relative to; absolute
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
    PolicyConfig policy;
    HooksConfig hooks;
    RetryConfig retry;
    ScheduleConfig schedule;
    std::vector<Severity> auto_approve;
    std::vector<WebhookConfig> webhooks;
    std::map<std::string, std::string> environment;
    std::map<std::string, std::string> parameters;

    /// Reads and checks `file`, which may be a pipe: relative paths in it are then relative to the
    /// working directory. Throws Error{usage} with every problem, one a line: "FILE:LINE:COLUMN:
    /// what".
    static ClusterConfig load(const std::filesystem::path& file);

    /// As load, for a text. `folder_of_paths`: what relative paths are relative to; empty: the
    /// folder of `file`.
    static ClusterConfig parse(std::string_view text, const std::filesystem::path& file,
                               const std::filesystem::path& folder_of_paths = {});
};

/// The JSON Schema (draft 2020-12) of the config, made from the same table that the reader uses.
std::string config_json_schema();

}  // namespace runner
