// SPDX-License-Identifier: Apache-2.0
#include "config/config_schema.hpp"

#include "config/cluster_config.hpp"
#include "model/json.hpp"

namespace runner {
namespace {

SchemaEntry text(std::string key, std::string description, bool required = false,
                 std::string pattern = {}) {
    return {std::move(key),    ValueKind::text, std::move(description), required, {}, {},
            std::move(pattern)};
}

SchemaEntry word(std::string key, std::string description, std::vector<std::string> words,
                 bool required = false) {
    return {std::move(key),
            ValueKind::word,
            std::move(description),
            required,
            std::move(words),
            {},
            {}};
}

SchemaEntry number(std::string key, std::string description, std::string pattern) {
    return {std::move(key),    ValueKind::number, std::move(description), false, {}, {},
            std::move(pattern)};
}

SchemaEntry plain(std::string key, ValueKind kind, std::string description) {
    return {std::move(key), kind, std::move(description), false, {}, {}, {}};
}

SchemaEntry texts(std::string key, std::string description, std::string pattern = {},
                  bool required = false) {
    return {std::move(key),    ValueKind::texts, std::move(description), required, {}, {},
            std::move(pattern)};
}

SchemaEntry words(std::string key, std::string description, std::vector<std::string> list) {
    return {
        std::move(key), ValueKind::words, std::move(description), false, std::move(list), {}, {}};
}

SchemaEntry objects(std::string key, std::string description, std::vector<SchemaEntry> children) {
    return {std::move(key),
            ValueKind::objects,
            std::move(description),
            false,
            {},
            std::move(children),
            {}};
}

SchemaEntry object(std::string key, std::string description, bool required,
                   std::vector<SchemaEntry> children) {
    return {std::move(key),
            ValueKind::object,
            std::move(description),
            required,
            {},
            std::move(children),
            {}};
}

constexpr const char* k_duration_pattern = "^[0-9]+(ms|s|m|h)$";
constexpr const char* k_clock_pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";

SchemaEntry hook(std::string key, std::string description) {
    return object(std::move(key), std::move(description), false,
                  {texts("command", "The program and its arguments; no shell", {}, true),
                   text("timeout", "How long it may take, such as 30s; default: 5m", false,
                        k_duration_pattern)});
}

SchemaEntry make_schema() {  // lint: table
    const char* name_pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
    return object(
        "cluster config", "A cluster that runner upgrades", true,
        {
            word("apiVersion", "The version of this format", {"runner/v1"}, true),
            word("kind", "What this document describes", {"Cluster"}, true),
            object(
                "metadata", "Which cluster this is; kept in the ledger, and compared with it", true,
                {text("name", "The cluster's name", true, name_pattern),
                 text("region", "Where it runs"), text("accountID", "The account that owns it")}),
            plain("originalVersion", ValueKind::version,
                  "The version that the cluster was made with; nothing at or below it ever runs"),
            plain("targetVersion", ValueKind::target, "latest (default), stable, or a version"),
            text("repositoryDirectory",
                 "The infrastructure repository, relative to this file; default: its folder"),
            text("state", "The ledger, relative to this file; default: .runner/state.db"),
            object(
                "releases", "Where upgrades come from", true,
                {word("source", "The kind of source", {"github", "directory", "git"}, true),
                 text("repository", "OWNER/NAME, for github, and what signatures must be made for",
                      false, "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$"),
                 text("directory", "A folder per tag, for directory; relative to this file"),
                 text(
                     "url",
                     "The repository whose tags are built, for git: https, ssh, or a path relative "
                     "to this file"),
                 texts("allowedHosts", "The only hosts that git may ask; default: the url's own"),
                 text("api",
                      "Base address of the API, for github; also GitHub Enterprise and Gitea",
                      false, "^https?://[^\\s]+$"),
                 text("prefix", "What asset names begin with; default: upgrade", false,
                      "^[A-Za-z0-9][A-Za-z0-9-]*$"),
                 word("channel", "preview takes pre-releases too; default: stable",
                      {"stable", "preview"}),
                 text("tokenEnv", "The environment variable that holds the token, never the token",
                      false, "^[A-Za-z_][A-Za-z0-9_]*$")}),
            object(
                "trust", "Which releases are believed", false,
                {word("verification", "Of signatures; digests are always checked; default: enabled",
                      {"enabled", "warn", "disabled"}),
                 texts("publicKeys",
                       "minisign public keys; for git OpenSSH public keys, of those who sign tags. "
                       "A signature by any of them will do",
                       "^(RW[A-Za-z0-9+/]{54}|(ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+( "
                       ".*)?)$"),
                 texts("revokedKeys", "Keys that are believed no more, or their ids",
                       "^(RW[A-Za-z0-9+/]{54}|[0-9A-F]{16})$")}),
            object("policy", "What upgrades of this cluster may declare that they do; default: all",
                   false,
                   {texts("write", "Only paths at or below these, relative to the repository"),
                    texts("commands", "Only these programs"),
                    word("network", "Whether they may use the network; default: allowed",
                         {"allowed", "refused"}),
                    word("undeclared", "Executable upgrades that declare nothing; default: allowed",
                         {"allowed", "refused"}),
                    word("enforcement",
                         "Of what is declared, by the kernel: available (default: where it can), "
                         "required (else nothing runs), disabled",
                         {"available", "required", "disabled"})}),
            object("hooks",
                   "Programs beside a run; each gets a JSON document on its standard input", false,
                   {hook("before",
                         "After the question, before the first change; when it fails, "
                         "nothing is changed"),
                    hook("snapshot",
                         "After 'before': saves the cluster; when it fails, nothing is "
                         "changed"),
                    hook("after",
                         "After a run that called 'before' and did not fail; when this fails, "
                         "that is a warning"),
                    hook("onFailure", "After a run that called 'before' and failed")}),
            object(
                "retry", "Of what an upgrade says is a transient failure", false,
                {number("attempts", "How often one phase is tried, 1 to 9; default: 3", "^[1-9]$"),
                 text("delay", "Before the second try; doubled each time; default: 1s", false,
                      k_duration_pattern)}),
            object("schedule", "What 'runner serve' does by itself", false,
                   {text("discover", "How often it looks for releases; default: 30m", false,
                         k_duration_pattern),
                    object("window", "When automatic upgrades may begin; UTC", false,
                           {words("days", "Of its beginning; default: every day",
                                  {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}),
                            text("from", "Such as 22:00; default: 00:00", false, k_clock_pattern),
                            text("to", "Such as 04:00, the next day; default: 24:00", false,
                                 k_clock_pattern)}),
                    word("downtime", "Automatic upgrades that cause downtime; default: refused",
                         {"refused", "allowed"})}),
            words("autoApprove",
                  "'runner serve' runs upgrades of these severities by itself, in the schedule's "
                  "window; default: none",
                  {"routine", "important", "critical"}),
            objects(
                "webhooks", "Who is told by 'runner serve' what happens",
                {text("url", "https, or http to a loopback address", true, "^https?://[^\\s]+$"),
                 text("secretEnv",
                      "The environment variable with the secret that messages are signed with, "
                      "never the secret",
                      true, "^[A-Za-z_][A-Za-z0-9_]*$"),
                 words("events", "Default: all", {"due", "started", "succeeded", "failed"})}),
            plain("environment", ValueKind::name_map, "Environment variables of the upgrades"),
            plain("parameters", ValueKind::text_map,
                  "Values for the parameters that upgrades declare"),
        });
}

Json schema_of(const SchemaEntry& entry);

Json object_schema(const SchemaEntry& entry) {
    Json json = {{"type", "object"}, {"additionalProperties", false}};
    Json properties = Json::object();
    Json required = Json::array();
    for (const SchemaEntry& child : entry.children) {
        properties[child.key] = schema_of(child);
        if (child.required) required.push_back(child.key);
    }
    json["properties"] = std::move(properties);
    if (!required.empty()) json["required"] = std::move(required);
    return json;
}

Json schema_of(const SchemaEntry& entry) {
    Json json;
    switch (entry.kind) {
        case ValueKind::object:
            json = object_schema(entry);
            break;
        case ValueKind::objects:
            json["type"] = "array";
            json["items"] = object_schema(entry);
            break;
        case ValueKind::words:
            json["anyOf"] = {
                {{"enum", entry.words}},
                {{"type", "array"}, {"minItems", 1}, {"items", {{"enum", entry.words}}}}};
            break;
        case ValueKind::text:
            json["type"] = "string";
            json["minLength"] = 1;
            if (!entry.pattern.empty()) json["pattern"] = entry.pattern;
            break;
        case ValueKind::number:
            json["type"] = "integer";
            json["minimum"] = 1;
            json["maximum"] = 9;
            break;
        case ValueKind::word:
            json["enum"] = entry.words;
            break;
        case ValueKind::version:
            json["type"] = "string";
            json["pattern"] = "^v?[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$";
            break;
        case ValueKind::target:
            json["type"] = "string";
            json["pattern"] =
                "^(latest|stable|v?[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?)"
                "$";
            break;
        case ValueKind::texts:
            json["type"] = "array";
            json["items"] = {{"type", "string"}, {"minLength", 1}};
            if (!entry.pattern.empty()) json["items"]["pattern"] = entry.pattern;
            if (entry.required) json["minItems"] = 1;
            break;
        case ValueKind::name_map:
            json["type"] = "object";
            json["propertyNames"] = {{"pattern", "^[A-Za-z_][A-Za-z0-9_]*$"}};
            json["additionalProperties"] = {{"type", "string"}};
            break;
        case ValueKind::text_map:
            json["type"] = "object";
            json["additionalProperties"] = {{"type", "string"}};
            break;
    }
    json["description"] = entry.description;
    return json;
}

}  // namespace

const SchemaEntry& config_schema() {
    static const SchemaEntry schema = make_schema();
    return schema;
}

std::string config_json_schema() {
    Json json = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "runner/v1 Cluster"}};
    json.update(schema_of(config_schema()));
    return dump_json(json, 2) + '\n';
}

}  // namespace runner
