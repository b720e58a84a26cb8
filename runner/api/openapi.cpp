// SPDX-License-Identifier: Apache-2.0
// The description of the API, made from the table of routes, with the shapes of what is said.
#include <map>
#include <set>

#include "api/routes.hpp"

namespace runner {
namespace {

constexpr const char* k_schemas = R"json({
"Problem": {"type": "object", "description": "RFC 9457. `code` is stable; `pointer` names the part of the body that is meant.",
  "required": ["type", "title", "status", "detail", "code", "requestId"],
  "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
    "detail": {"type": "string"}, "code": {"type": "string"}, "requestId": {"type": "string"},
    "pointer": {"type": "string"}, "job": {"type": "string", "description": "the job that is active, that has the key, or that failed"},
    "unconfirmed": {"type": "array", "items": {"type": "object", "required": ["upgrade", "confirm"],
      "properties": {"upgrade": {"type": ["string", "null"]}, "confirm": {"enum": ["confirmDowntime", "confirmMajor"]}}, "additionalProperties": false}},
    "missing": {"type": "array", "items": {"type": "object", "required": ["upgrade", "name", "secret"],
      "properties": {"upgrade": {"type": "string"}, "name": {"type": "string"}, "secret": {"type": "boolean"}}, "additionalProperties": false}}},
  "additionalProperties": false},
"Health": {"type": "object", "required": ["status"], "properties": {"status": {"enum": ["ok"]}}, "additionalProperties": false},
"Readiness": {"type": "object", "required": ["status", "checks"],
  "properties": {"status": {"enum": ["ready", "not ready"]},
    "checks": {"type": "object", "additionalProperties": {"type": "boolean"}}}, "additionalProperties": false},
"Openapi": {"type": "object", "required": ["openapi", "info", "paths"]},
"Version": {"type": ["string", "null"]},
"Time": {"type": ["string", "null"], "description": "UTC, RFC 3339"},
"Severity": {"enum": ["routine", "important", "critical", null], "description": "the highest of what is due"},
"Reason": {"type": ["object", "null"], "required": ["code", "text"],
  "properties": {"code": {"enum": ["config_broken", "ledger_unavailable", "releases_unavailable", "refused", "no_plan"]}, "text": {"type": "string"}},
  "additionalProperties": false},
"Broken": {"type": "array", "items": {"type": "object", "required": ["config", "reason"],
  "properties": {"config": {"type": "string"}, "reason": {"type": "string"}}, "additionalProperties": false}},
"Cluster": {"type": "object",
  "required": ["schemaVersion", "cluster", "status", "reason", "originalVersion", "clusterVersion", "target", "severity", "discoveredAt", "discoveryFailed", "due", "activeRun", "lastRun"],
  "properties": {"schemaVersion": {"enum": [1]}, "cluster": {"type": "string"},
    "status": {"enum": ["up-to-date", "upgrade-available", "unknown"]}, "reason": {"$ref": "#/components/schemas/Reason"},
    "originalVersion": {"$ref": "#/components/schemas/Version"}, "clusterVersion": {"$ref": "#/components/schemas/Version"},
    "target": {"$ref": "#/components/schemas/Version"}, "severity": {"$ref": "#/components/schemas/Severity"},
    "discoveredAt": {"$ref": "#/components/schemas/Time"}, "discoveryFailed": {"type": "boolean"},
    "due": {"type": ["integer", "null"]}, "activeRun": {"type": ["string", "null"]},
    "lastRun": {"type": ["object", "null"], "required": ["id", "command", "state", "actor", "startedAt"],
      "properties": {"id": {"type": "string"}, "command": {"type": "string"}, "state": {"$ref": "#/components/schemas/RunState"},
        "actor": {"type": "string"}, "startedAt": {"$ref": "#/components/schemas/Time"}}, "additionalProperties": false}},
  "additionalProperties": false},
"ClusterList": {"type": "object", "required": ["schemaVersion", "clusters", "broken"],
  "properties": {"schemaVersion": {"enum": [1]}, "clusters": {"type": "array", "items": {"$ref": "#/components/schemas/Cluster"}},
    "broken": {"$ref": "#/components/schemas/Broken"}}, "additionalProperties": false},
"Check": {"type": "object",
  "required": ["schemaVersion", "cluster", "status", "reason", "originalVersion", "clusterVersion", "target", "severity", "discoveredAt", "discoveryFailed", "upgrades", "warnings"],
  "properties": {"schemaVersion": {"enum": [1]}, "cluster": {"type": "string"},
    "status": {"enum": ["up-to-date", "upgrade-available", "unknown"]}, "reason": {"$ref": "#/components/schemas/Reason"},
    "originalVersion": {"$ref": "#/components/schemas/Version"}, "clusterVersion": {"$ref": "#/components/schemas/Version"},
    "target": {"$ref": "#/components/schemas/Version"}, "severity": {"$ref": "#/components/schemas/Severity"},
    "discoveredAt": {"$ref": "#/components/schemas/Time"}, "discoveryFailed": {"type": "boolean"},
    "upgrades": {"type": "array", "items": {"$ref": "#/components/schemas/CheckedUpgrade"}},
    "warnings": {"type": "array", "items": {"type": "string"}}},
  "additionalProperties": false},
"CheckedUpgrade": {"type": "object", "required": ["version", "status", "reason"],
  "properties": {"version": {"type": "string"}, "status": {"enum": ["up-to-date", "upgrade-available", "unknown"]},
    "reason": {"enum": ["done", "newer_than_target", "not_newer_than_original", "no_build_for_platform", "blocked", "skipped", "not_selected", "prerelease", "malformed_release", null]},
    "detail": {"type": "string"}, "tag": {"type": "string"}, "digest": {"type": "string"}, "description": {"type": "string"},
    "component": {"type": "string"}, "severity": {"enum": ["routine", "important", "critical"]}, "downtime": {"type": "boolean"},
    "reversible": {"type": "boolean"}, "late": {"type": "boolean"}, "declared": {"type": "boolean"},
    "parameters": {"type": "array", "items": {"type": "object", "required": ["name", "description", "required", "secret"],
      "properties": {"name": {"type": "string"}, "description": {"type": "string"}, "required": {"type": "boolean"}, "secret": {"type": "boolean"},
        "default": {"type": "string"}}, "additionalProperties": false}},
    "permissions": {"type": "object", "required": ["write", "commands", "network"],
      "properties": {"write": {"type": "array", "items": {"type": "string"}}, "commands": {"type": "array", "items": {"type": "string"}}, "network": {"type": "boolean"}},
      "additionalProperties": false},
    "changes": {"type": "array", "items": {"type": "string"}}, "notes": {"type": "string"},
    "new": {"type": "array", "description": "permissions and parameters that no upgrade of the cluster had before",
      "items": {"type": "object", "required": ["kind", "name"], "properties": {"kind": {"enum": ["write", "command", "network", "parameter"]}, "name": {"type": "string"}}, "additionalProperties": false}},
    "signer": {"type": ["object", "null"], "required": ["key", "time"], "properties": {"key": {"type": "string"}, "time": {"type": "string"}}, "additionalProperties": false}},
  "additionalProperties": false},
"CheckList": {"type": "object", "required": ["schemaVersion", "clusters", "broken"],
  "properties": {"schemaVersion": {"enum": [1]}, "clusters": {"type": "array", "items": {"$ref": "#/components/schemas/Check"}},
    "broken": {"$ref": "#/components/schemas/Broken"}}, "additionalProperties": false},
"Values": {"type": "object", "maxProperties": 64, "additionalProperties": {"type": "string", "maxLength": 32768}},
"UpgradeRequest": {"type": "object", "required": ["confirmDowntime"],
  "properties": {"target": {"type": "string", "description": "latest, stable or a version; default: the config's"},
    "only": {"type": "array", "maxItems": 100, "items": {"type": "string"}}, "skip": {"type": "array", "maxItems": 100, "items": {"type": "string"}},
    "confirmDowntime": {"type": "boolean", "description": "upgrades that cause downtime are meant, too"},
    "confirmMajor": {"type": "boolean", "default": false, "description": "a step to another major version is meant, too"},
    "reason": {"type": "string", "maxLength": 280}, "idempotencyKey": {"type": "string", "maxLength": 64, "description": "a second request with the key of an active or succeeded job returns that job"},
    "parameters": {"$ref": "#/components/schemas/Values"}, "secrets": {"$ref": "#/components/schemas/Values"}},
  "additionalProperties": false},
"RollbackRequest": {"type": "object",
  "properties": {"target": {"type": "string", "description": "the version to come back to; default: undo the newest upgrade"},
    "reason": {"type": "string", "maxLength": 280}, "idempotencyKey": {"type": "string", "maxLength": 64},
    "parameters": {"$ref": "#/components/schemas/Values"}, "secrets": {"$ref": "#/components/schemas/Values"}},
  "additionalProperties": false},
"RunState": {"enum": ["queued", "fetching", "building", "simulating", "awaiting_confirmation", "applying", "verifying", "soaking", "succeeded", "aborted", "failed_pre", "failed", "rolling_back", "rolled_back", "rollback_failed", "cancelled", "interrupted"]},
"Outcome": {"enum": ["succeeded", "nothing_to_do", "failed", "rolled_back", "rollback_failed", "cancelled", "interrupted", "aborted", "blocked", "skipped", null]},
"Job": {"type": "object",
  "required": ["schemaVersion", "id", "cluster", "command", "state", "over", "progress", "current", "detail", "actor", "reason", "target", "createdAt", "startedAt", "finishedAt", "upgrades", "error"],
  "properties": {"schemaVersion": {"enum": [1]}, "id": {"type": "string"}, "cluster": {"type": "string"}, "command": {"type": "string"},
    "state": {"$ref": "#/components/schemas/RunState"}, "over": {"type": "boolean"}, "progress": {"type": "integer", "minimum": 0, "maximum": 100},
    "current": {"type": ["string", "null"], "description": "the upgrade that is worked on"}, "detail": {"type": "string"},
    "actor": {"type": "string"}, "reason": {"type": "string"}, "target": {"type": "string"},
    "createdAt": {"$ref": "#/components/schemas/Time"}, "startedAt": {"$ref": "#/components/schemas/Time"}, "finishedAt": {"$ref": "#/components/schemas/Time"},
    "upgrades": {"type": "array", "items": {"type": "object", "required": ["version", "outcome", "startedAt", "finishedAt"],
      "properties": {"version": {"type": "string"}, "outcome": {"$ref": "#/components/schemas/Outcome"},
        "startedAt": {"$ref": "#/components/schemas/Time"}, "finishedAt": {"$ref": "#/components/schemas/Time"}}, "additionalProperties": false}},
    "error": {"type": ["object", "null"], "required": ["code", "message", "changed"],
      "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "changed": {"enum": ["no", "perhaps", "undone"]}}, "additionalProperties": false}},
  "additionalProperties": false},
"RollbackPreflight": {"type": "object", "required": ["schemaVersion", "cluster", "available", "reason", "target", "upgrades"],
  "properties": {"schemaVersion": {"enum": [1]}, "cluster": {"type": "string"}, "available": {"type": "boolean"}, "reason": {"type": ["string", "null"]},
    "target": {"type": "string"}, "upgrades": {"type": "array", "items": {"type": "string"}}}, "additionalProperties": false},
"EscapeHatch": {"type": "object", "required": ["schemaVersion", "cluster", "run", "upgrade", "where", "commands"],
  "properties": {"schemaVersion": {"enum": [1]}, "cluster": {"type": "string"}, "run": {"type": "string"}, "upgrade": {"type": "string"},
    "where": {"type": "string"}, "commands": {"type": "array", "items": {"type": "string"}}}, "additionalProperties": false},
"History": {"type": "object", "required": ["schemaVersion", "runs", "byHand", "chain"],
  "properties": {"schemaVersion": {"enum": [1]},
    "runs": {"type": "array", "items": {"type": "object",
      "required": ["id", "command", "actor", "host", "runnerVersion", "target", "state", "outcome", "message", "startedAt", "finishedAt", "upgrades"],
      "properties": {"id": {"type": "string"}, "command": {"type": "string"}, "actor": {"type": "string"}, "host": {"type": "string"},
        "runnerVersion": {"type": "string"}, "target": {"type": "string"}, "state": {"$ref": "#/components/schemas/RunState"},
        "outcome": {"$ref": "#/components/schemas/Outcome"}, "message": {"type": "string"},
        "startedAt": {"$ref": "#/components/schemas/Time"}, "finishedAt": {"$ref": "#/components/schemas/Time"},
        "upgrades": {"type": "array", "items": {"type": "object",
          "required": ["version", "outcome", "message", "digest", "signer", "late", "startedAt", "finishedAt", "applyMs", "verifyMs"],
          "properties": {"version": {"type": "string"}, "outcome": {"$ref": "#/components/schemas/Outcome"}, "message": {"type": "string"},
            "digest": {"type": "string"}, "signer": {"type": ["string", "null"]}, "late": {"type": "boolean"},
            "startedAt": {"$ref": "#/components/schemas/Time"}, "finishedAt": {"$ref": "#/components/schemas/Time"},
            "applyMs": {"type": "integer"}, "verifyMs": {"type": "integer"}}, "additionalProperties": false}}},
      "additionalProperties": false}},
    "byHand": {"type": "array", "items": {"type": "object", "required": ["kind", "version", "actor", "reason", "at"],
      "properties": {"kind": {"type": "string"}, "version": {"type": "string"}, "actor": {"type": "string"},
        "reason": {"type": "string"}, "at": {"$ref": "#/components/schemas/Time"}}, "additionalProperties": false}},
    "chain": {"type": "object", "required": ["intact"], "properties": {"intact": {"type": "boolean"}, "firstBrokenEvent": {"type": "integer"}}, "additionalProperties": false}},
  "additionalProperties": false}
})json";

Json reference(const std::string& name) {
    return {{"$ref", "#/components/schemas/" + name}};
}

Json content(const std::string& reply) {
    const bool text = reply.find('/') != std::string::npos;
    const std::string type = text ? reply : "application/json";
    return {{type, {{"schema", text ? Json({{"type", "string"}}) : reference(reply)}}}};
}

Json replies_of(const Route& route) {
    Json replies = Json::object();
    const bool job = route.good_status == 202;
    replies[std::to_string(route.good_status)] = {
        {"description", job ? "Under way; Location says where." : "What was asked for."},
        {"content", content(route.reply)}};
    if (job)
        replies["200"] = {{"description", "A job that is over: waited for, or found by its key."},
                          {"content", content(route.reply)}};
    if (std::string_view(route.operation) == "followEvents")
        replies["204"] = {{"description", "Nothing comes after Last-Event-ID: the job is over."}};
    std::map<int, std::string> troubles;
    std::set<Trouble> all(route.troubles.begin(), route.troubles.end());
    all.insert(Trouble::malformed_request);
    if (route.role) all.insert(Trouble::unauthenticated);
    if (route.role == Role::admin) all.insert(Trouble::forbidden);
    if (route.body != nullptr)
        all.insert({Trouble::body_too_large, Trouble::unsupported_media_type});
    all.insert({Trouble::internal, Trouble::busy, Trouble::unavailable});
    for (const Trouble trouble : all) {
        std::string& words = troubles[facts_of(trouble).status];
        words += (words.empty() ? "" : " ") + std::string("`") + facts_of(trouble).code +
                 "`: " + facts_of(trouble).detail;
    }
    for (const auto& [status, words] : troubles)
        replies[std::to_string(status)] = {
            {"description", words},
            {"content", {{"application/problem+json", {{"schema", reference("Problem")}}}}}};
    if (std::string_view(route.operation) == "readiness")
        replies["503"] = {{"description", "Not ready: `checks` says what is not."},
                          {"content", content(route.reply)}};
    return replies;
}

Json parameters_of(const Route& route) {
    Json parameters = Json::array();
    const std::string path = route.path;
    for (std::size_t begin = 0; (begin = path.find('{', begin)) != std::string::npos; ++begin) {
        const std::string name = path.substr(begin + 1, path.find('}', begin) - begin - 1);
        parameters.push_back(
            {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
    }
    for (const QueryParameter& query : route.query)
        parameters.push_back({{"name", query.name},
                              {"in", "query"},
                              {"description", query.description},
                              {"schema", parse_json(query.schema, query.name)}});
    if (std::string_view(route.operation) == "followEvents")
        parameters.push_back(
            {{"name", "Last-Event-ID"}, {"in", "header"}, {"schema", {{"type", "integer"}}}});
    return parameters;
}

}  // namespace

Json openapi_document() {
    Json paths = Json::object();
    for (const Route& route : all_routes()) {
        Json operation = {{"operationId", route.operation},
                          {"summary", route.summary},
                          {"description", !route.role                  ? "Open to everybody."
                                          : *route.role == Role::admin ? "Needs the role admin."
                                                                       : "Needs the role reader."}};
        operation["security"] =
            route.role ? Json::array({{{"token", Json::array()}}}) : Json::array();
        operation["parameters"] = parameters_of(route);
        if (route.body != nullptr)
            operation["requestBody"] = {
                {"content", {{"application/json", {{"schema", reference(route.body)}}}}}};
        operation["responses"] = replies_of(route);
        const std::string method = route.method == std::string("GET") ? "get" : "post";
        paths[route.path][method] = std::move(operation);
    }
    return {
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "runner"},
          {"version", RUNNER_VERSION},
          {"description",
           "Starts, watches and undoes upgrades of clusters, with the same engine and ledger as "
           "the command line."},
          {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
        {"paths", std::move(paths)},
        {"components",
         {{"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}},
          {"schemas", parse_json(k_schemas, "the schemas")}}}};
}

}  // namespace runner
