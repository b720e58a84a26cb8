// SPDX-License-Identifier: Apache-2.0
#include "config/cluster_config.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "config/config_schema.hpp"
#include "config/yaml_reader.hpp"
#include "model/error.hpp"
#include "model/manifest.hpp"
#include "services/yaml_text.hpp"
#include "support/read.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_config_size = 1U << 20U;
constexpr std::chrono::milliseconds k_min_discovery{1000};

[[noreturn]] void refuse(const fs::path& file, const std::vector<ConfigProblem>& problems) {
    std::vector<std::string> lines;
    for (const ConfigProblem& problem : problems)
        lines.push_back(file.string() + ':' + std::to_string(problem.line) + ':' +
                        std::to_string(problem.column) + ": " + problem.message);
    throw Error::of_lines(Failure::usage, lines,
                          "correct the config; 'runner init' writes a commented one");
}

std::string text_at(const YAML::Node& node, const char* key, const std::string& fallback = {}) {
    const YAML::Node value = node[key];
    return value ? value.Scalar() : fallback;
}

std::map<std::string, std::string> map_at(const YAML::Node& node, const char* key) {
    std::map<std::string, std::string> values;
    const YAML::Node found = node[key];
    if (!found) return values;
    for (const auto& pair : found) values[pair.first.Scalar()] = pair.second.Scalar();
    return values;
}

std::optional<std::vector<std::string>> texts_at(const YAML::Node& node, const char* key) {
    const YAML::Node found = node[key];
    if (!found) return std::nullopt;
    std::vector<std::string> texts;
    for (const auto& item : found) texts.push_back(item.Scalar());
    return texts;
}

ConfigProblem problem_at(const YAML::Node& node, const std::string& message) {
    return {node.Mark().line + 1, node.Mark().column + 1, message};
}

/// What one key must say because of another.
std::vector<ConfigProblem> check_releases(const YAML::Node& releases) {
    std::vector<ConfigProblem> problems;
    const std::string source = text_at(releases, "source");
    const auto need = [&](const char* key) {
        if (!releases[key]) {
            problems.push_back(problem_at(releases, std::string("'") + key +
                                                        "' is missing in 'releases': source " +
                                                        source + " needs it"));
        }
    };
    if (source == "github") need("repository");
    if (source == "directory") need("directory");
    if (source == "git") need("url");
    if (is_open_http(text_at(releases, "api"))) {
        problems.push_back(problem_at(
            releases["api"], "'api' must use https: plain http is for loopback addresses only"));
    }
    return problems;
}

/// A duration that the pattern takes can still be longer than any.
void check_duration(const YAML::Node& node, const char* key, std::vector<ConfigProblem>& problems) {
    if (!node || !node[key]) return;
    try {
        parse_duration(node[key].Scalar(), std::string("'") + key + "'");
    } catch (const Error& error) {
        problems.push_back(problem_at(node[key], error.what()));
    }
}

std::vector<ConfigProblem> check_durations(const YAML::Node& document) {
    std::vector<ConfigProblem> problems;
    if (document["hooks"]) {
        for (const char* key : {"before", "snapshot", "after", "onFailure"})
            check_duration(document["hooks"][key], "timeout", problems);
    }
    check_duration(document["retry"], "delay", problems);
    check_duration(document["schedule"], "discover", problems);
    return problems;
}

std::vector<ConfigProblem> check_serving(const YAML::Node& document) {
    std::vector<ConfigProblem> problems;
    const YAML::Node approved = document["autoApprove"];
    if (approved && !(document["schedule"] && document["schedule"]["window"]))
        problems.push_back(problem_at(
            approved, "'autoApprove' needs 'window' in 'schedule': when upgrades may begin"));
    if (!document["webhooks"]) return problems;
    for (const auto& webhook : document["webhooks"]) {
        if (is_open_http(webhook["url"].Scalar()))
            problems.push_back(problem_at(
                webhook["url"], "'url' must use https: plain http is for loopback addresses only"));
    }
    return problems;
}

PolicyConfig read_policy(const YAML::Node& node) {
    PolicyConfig policy;
    if (!node) return policy;
    policy.write = texts_at(node, "write");
    if (policy.write) {
        for (std::string& path : *policy.write)
            while (path.size() > 1 && path.back() == '/') path.pop_back();
    }
    policy.commands = texts_at(node, "commands");
    policy.network = text_at(node, "network") != "refused";
    policy.undeclared = text_at(node, "undeclared") != "refused";
    const std::string enforcement = text_at(node, "enforcement");
    policy.enforcement = enforcement == "required"   ? Enforcement::required
                         : enforcement == "disabled" ? Enforcement::disabled
                                                     : Enforcement::available;
    return policy;
}

HookConfig read_hook(const YAML::Node& node) {
    HookConfig hook;
    if (!node) return hook;
    hook.command = texts_at(node, "command").value();
    if (node["timeout"]) hook.timeout = parse_duration(node["timeout"].Scalar(), "timeout");
    return hook;
}

HooksConfig read_hooks(const YAML::Node& node) {
    if (!node) return {};
    return {read_hook(node["before"]), read_hook(node["snapshot"]), read_hook(node["after"]),
            read_hook(node["onFailure"])};
}

RetryConfig read_retry(const YAML::Node& node) {
    RetryConfig retry;
    if (!node) return retry;
    if (node["attempts"]) retry.attempts = std::stoi(node["attempts"].Scalar());
    if (node["delay"]) retry.delay = parse_duration(node["delay"].Scalar(), "delay");
    return retry;
}

/// One or several.
std::vector<std::string> words_at(const YAML::Node& node, const char* key) {
    if (!node || !node[key]) return {};
    if (node[key].IsScalar()) return {node[key].Scalar()};
    return texts_at(node, key).value();
}

int minute_at(const YAML::Node& node, const char* key, int fallback) {
    if (!node[key]) return fallback;
    const std::string text = node[key].Scalar();  // HH:MM, as the schema says
    return std::stoi(text.substr(0, 2)) * 60 + std::stoi(text.substr(3));
}

ScheduleConfig read_schedule(const YAML::Node& node) {
    ScheduleConfig schedule;
    if (!node) return schedule;
    if (node["discover"])
        schedule.discover = std::max<std::chrono::milliseconds>(
            parse_duration(node["discover"].Scalar(), "discover"), k_min_discovery);
    schedule.downtime = text_at(node, "downtime") == "allowed";
    const YAML::Node window = node["window"];
    if (!window) return schedule;
    schedule.window.emplace();
    schedule.window->from_minute = minute_at(window, "from", schedule.window->from_minute);
    schedule.window->to_minute = minute_at(window, "to", schedule.window->to_minute);
    const std::vector<std::string> days = words_at(window, "days");
    if (days.empty()) return schedule;
    constexpr std::array<const char*, 7> k_days{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (std::size_t i = 0; i < k_days.size(); ++i)
        schedule.window->days[i] = std::find(days.begin(), days.end(), k_days[i]) != days.end();
    return schedule;
}

std::vector<WebhookConfig> read_webhooks(const YAML::Node& node) {
    std::vector<WebhookConfig> webhooks;
    if (!node) return webhooks;
    for (const auto& item : node) {
        WebhookConfig webhook{text_at(item, "url"), text_at(item, "secretEnv"),
                              words_at(item, "events")};
        if (webhook.events.empty()) webhook.events = {"due", "started", "succeeded", "failed"};
        webhooks.push_back(std::move(webhook));
    }
    return webhooks;
}

ReleasesConfig read_releases(const YAML::Node& node, const fs::path& folder) {
    ReleasesConfig releases;
    const std::string source = text_at(node, "source");
    releases.source = source == "directory" ? SourceKind::directory
                      : source == "git"     ? SourceKind::git
                                            : SourceKind::github;
    releases.repository = text_at(node, "repository");
    if (node["directory"])
        releases.directory = (folder / text_at(node, "directory")).lexically_normal();
    releases.url = text_at(node, "url");
    // A path is relative to the config, as every other.
    if (!releases.url.empty() && releases.url.find(':') == std::string::npos)
        releases.url = (folder / releases.url).lexically_normal().string();
    releases.allowed_hosts = texts_at(node, "allowedHosts").value_or(std::vector<std::string>());
    releases.api = text_at(node, "api", releases.api);
    while (releases.api.back() == '/') releases.api.pop_back();
    releases.prefix = text_at(node, "prefix", releases.prefix);
    releases.channel = text_at(node, "channel") == "preview" ? Channel::preview : Channel::stable;
    releases.token_variable = text_at(node, "tokenEnv");
    return releases;
}

}  // namespace

const char* to_string(SourceKind kind) {
    switch (kind) {
        case SourceKind::github:
            return "github";
        case SourceKind::directory:
            return "directory";
        case SourceKind::git:
            return "git";
    }
    return "github";
}

const char* to_string(Verification verification) {
    switch (verification) {
        case Verification::enabled:
            return "enabled";
        case Verification::warn:
            return "warn";
        case Verification::disabled:
            return "disabled";
    }
    return "enabled";
}

Verification parse_verification(std::string_view word) {
    return word == "disabled" ? Verification::disabled
           : word == "warn"   ? Verification::warn
                              : Verification::enabled;
}

bool MaintenanceWindow::contains(std::chrono::milliseconds moment) const {
    using std::chrono::days;
    using std::chrono::minutes;
    const auto day = std::chrono::floor<days>(moment);
    const auto minute = static_cast<int>(std::chrono::floor<minutes>(moment - day).count());
    // The epoch was a Thursday.
    const auto index = [](auto count) {
        return static_cast<std::size_t>(((count + 3) % 7 + 7) % 7);
    };
    const bool today = this->days[index(day.count())];
    const bool yesterday = this->days[index(day.count() - 1)];
    if (from_minute < to_minute) return today && minute >= from_minute && minute < to_minute;
    return (today && minute >= from_minute) || (yesterday && minute < to_minute);
}

ClusterConfig ClusterConfig::load(const fs::path& file) {
    try {
        const std::string text = read_given_file(file, k_max_config_size);
        return parse(text, file, is_stream(file) ? fs::current_path() : fs::path());
    } catch (const Error& error) {
        if (error.failure() == Failure::usage) throw;
        throw Error(Failure::usage, error.what(),
                    "name the cluster's config with -c, or write one with 'runner init'");
    }
}

ClusterConfig ClusterConfig::parse(std::string_view text, const fs::path& file,
                                   const fs::path& folder_of_paths) {
    YAML::Node document;
    try {
        document = upgrade::services::load_yaml(text);
    } catch (const upgrade::services::YamlError& error) {
        refuse(file, {{error.line(), error.column(), error.what()}});
    }
    std::vector<ConfigProblem> problems = check_config(document, config_schema());
    if (problems.empty()) {
        problems = check_releases(document["releases"]);
        for (const auto& more : {check_durations(document), check_serving(document)})
            problems.insert(problems.end(), more.begin(), more.end());
    }
    if (!problems.empty()) refuse(file, problems);

    ClusterConfig config;
    config.file = file;
    config.folder = folder_of_paths.empty() ? fs::absolute(file).parent_path() : folder_of_paths;
    const fs::path& folder = config.folder;
    config.name = text_at(document["metadata"], "name");
    config.region = text_at(document["metadata"], "region");
    config.account_id = text_at(document["metadata"], "accountID");
    if (document["originalVersion"]) {
        config.original_version = SemanticVersion::parse(text_at(document, "originalVersion"));
    }
    config.target_version = text_at(document, "targetVersion", config.target_version);
    config.repository_directory =
        (folder / text_at(document, "repositoryDirectory", ".")).lexically_normal();
    config.state = (folder / text_at(document, "state", ".runner/state.db")).lexically_normal();
    config.releases = read_releases(document["releases"], folder);
    const YAML::Node trust = document["trust"];
    if (trust) {
        config.verification = parse_verification(text_at(trust, "verification", "enabled"));
        if (trust["publicKeys"]) {
            for (const auto& key : trust["publicKeys"]) config.public_keys.push_back(key.Scalar());
        }
        if (trust["revokedKeys"]) {
            for (const auto& key : trust["revokedKeys"])
                config.revoked_keys.push_back(key.Scalar());
        }
    }
    config.policy = read_policy(document["policy"]);
    config.hooks = read_hooks(document["hooks"]);
    config.retry = read_retry(document["retry"]);
    config.schedule = read_schedule(document["schedule"]);
    const std::vector<std::string> approved = words_at(document, "autoApprove");
    for (const Severity severity : {Severity::routine, Severity::important, Severity::critical}) {
        if (std::find(approved.begin(), approved.end(), to_string(severity)) != approved.end())
            config.auto_approve.push_back(severity);
    }
    config.webhooks = read_webhooks(document["webhooks"]);
    config.environment = map_at(document, "environment");
    config.parameters = map_at(document, "parameters");
    return config;
}

}  // namespace runner
