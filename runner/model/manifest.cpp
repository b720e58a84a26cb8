// SPDX-License-Identifier: Apache-2.0
#include "model/manifest.hpp"

#include <array>
#include <charconv>
#include <utility>

#include "model/error.hpp"
#include "model/pattern.hpp"

namespace runner {
namespace {

constexpr std::array<std::pair<const char*, std::int64_t>, 4> k_duration_units{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::int64_t k_max_duration_ms = 7 * 24 * 3'600'000LL;

Severity severity_from(const JsonObject& object) {
    const std::string word = object.string_or("severity", "routine");
    for (const Severity severity : {Severity::routine, Severity::important, Severity::critical}) {
        if (word == to_string(severity)) return severity;
    }
    object.fail("severity", "must be routine, important or critical, not '" + word + "'");
}

Parameter parse_parameter(const Json& value, const std::string& what) {
    const JsonObject object(value, what + ": a parameter");
    Parameter parameter;
    parameter.name = object.string("name");
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    const bool starts_with_digit =
        !parameter.name.empty() && parameter.name[0] >= '0' && parameter.name[0] <= '9';
    if (parameter.name.empty() || starts_with_digit)
        object.fail("name", "must begin with a letter");
    for (const char c : parameter.name) {
        if (!allowed(c))
            object.fail("name", "'" + parameter.name + "' may hold only letters, digits and '_'");
    }
    parameter.description = object.string_or("description", "");
    parameter.required = object.boolean_or("required", false);
    parameter.secret = object.boolean_or("secret", false);
    if (object.has("default")) parameter.default_value = object.string("default");
    parameter.pattern = object.string_or("pattern", "");
    try {
        const Pattern compiled(parameter.pattern);
    } catch (const Error& error) {
        object.fail("pattern", "of '" + parameter.name + "': " + error.what());
    }
    return parameter;
}

Permissions parse_permissions(const Json& value, const std::string& what) {
    const JsonObject object(value, what + ": permissions");
    Permissions permissions;
    permissions.write = object.strings_or_empty("write");
    permissions.commands = object.strings_or_empty("commands");
    permissions.network = object.boolean_or("network", false);
    for (const std::string& path : permissions.write) {
        if (path.empty() || path.front() == '/' || path.find("..") != std::string::npos) {
            object.fail("write", "holds '" + path + "': paths are relative and never lead upwards");
        }
    }
    return permissions;
}

std::optional<Digest> parse_optional_digest(const JsonObject& object, const char* key) {
    if (!object.has(key)) return std::nullopt;
    const auto digest = Digest::parse(object.string(key));
    if (!digest) object.fail(key, "must be a SHA-256 of 64 hexadecimal digits");
    return digest;
}

PlatformBuild parse_build(const Json& value, const std::string& what) {
    const JsonObject object(value, what);
    PlatformBuild build;
    build.file = object.string("file");
    build.size = object.integer("size");
    if (build.size < 0) object.fail("size", "must not be negative");
    build.archive_digest = parse_optional_digest(object, "archiveSha256");
    build.library_digest = parse_optional_digest(object, "librarySha256");
    return build;
}

Json build_to_json(const PlatformBuild& build) {
    Json json = {{"file", build.file}, {"size", build.size}};
    if (build.archive_digest) json["archiveSha256"] = build.archive_digest->to_string();
    if (build.library_digest) json["librarySha256"] = build.library_digest->to_string();
    return json;
}

Json parameter_to_json(const Parameter& parameter) {
    Json json = {{"name", parameter.name},
                 {"description", parameter.description},
                 {"required", parameter.required},
                 {"secret", parameter.secret}};
    if (parameter.default_value && !parameter.secret) json["default"] = *parameter.default_value;
    if (!parameter.pattern.empty()) json["pattern"] = parameter.pattern;
    return json;
}

}  // namespace

const char* to_string(Severity severity) {
    switch (severity) {
        case Severity::routine:
            return "routine";
        case Severity::important:
            return "important";
        case Severity::critical:
            return "critical";
    }
    return "routine";
}

const char* to_string(UpgradeForm form) {
    return form == UpgradeForm::executable ? "executable" : "plugin";
}

std::optional<UpgradeForm> upgrade_form_from(std::string_view word) {
    for (const UpgradeForm form : {UpgradeForm::plugin, UpgradeForm::executable}) {
        if (word == to_string(form)) return form;
    }
    return std::nullopt;
}

std::chrono::milliseconds parse_duration(std::string_view text, const std::string& what) {
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (status == std::errc() && number >= 0) {
        for (const auto& [name, factor] : k_duration_units) {
            if (unit == name && number <= k_max_duration_ms / factor) {
                return std::chrono::milliseconds(number * factor);
            }
        }
    }
    throw Error(Failure::preparation,
                what + ": '" + std::string(text) +
                    "' is not a duration such as 90s, 10m or 2h (at most 168h)");
}

std::string format_duration(std::chrono::milliseconds duration) {
    const std::int64_t count = duration.count();
    for (auto unit = k_duration_units.rbegin(); unit != k_duration_units.rend(); ++unit) {
        if (count >= unit->second && count % unit->second == 0) {
            return std::to_string(count / unit->second) + unit->first;
        }
    }
    return std::to_string(count) + "ms";
}

Manifest Manifest::parse(std::string_view text, const std::string& what) {
    const Json document = parse_json(text, what);
    const JsonObject object(document, what);
    if (const std::int64_t schema = object.integer("schema"); schema != 1) {
        object.fail("schema",
                    "is " + std::to_string(schema) + ", this runner reads 1; upgrade the runner");
    }
    Manifest manifest;
    try {
        manifest.version = UpgradeVersion::parse(object.string("version"));
    } catch (const Error& error) {
        throw error.as(Failure::preparation).within(what);
    }
    manifest.repository = object.string_or("repository", "");
    manifest.tag = object.string_or("tag", "");
    manifest.commit = object.string_or("commit", "");
    manifest.after = object.strings_or_empty("after");
    manifest.abi = object.integer_or("abi", 1);
    manifest.services = object.strings_or_empty("services");
    if (const Json* platforms = object.find("platforms"); platforms != nullptr) {
        const JsonObject builds(*platforms, what + ": platforms");
        for (const auto& [name, build] : platforms->items()) {
            manifest.platforms.emplace(name, parse_build(build, what + ": platforms." + name));
        }
    }
    manifest.sdk_version = object.string_or("sdkVersion", "");
    manifest.compiler = object.string_or("compiler", "");
    manifest.description = object.string_or("description", "");
    manifest.changes = object.strings_or_empty("changes");
    manifest.severity = severity_from(object);
    manifest.downtime = object.boolean_or("downtime", false);
    manifest.reversible = object.boolean_or("reversible", false);
    manifest.needed_upgrades = object.strings_or_empty("requires");
    manifest.minimum_runner = object.string_or("minimumRunner", "");
    manifest.minimum_from = object.string_or("minimumFrom", "");
    if (object.has("timeout"))
        manifest.timeout = parse_duration(object.string("timeout"), what + ": timeout");
    if (const Json* parameters = object.find("parameters"); parameters != nullptr) {
        if (!parameters->is_array()) object.fail("parameters", "must be a list");
        for (const Json& parameter : *parameters)
            manifest.parameters.push_back(parse_parameter(parameter, what));
    }
    if (const Json* permissions = object.find("permissions"); permissions != nullptr) {
        manifest.permissions = parse_permissions(*permissions, what);
    }
    manifest.component = object.string_or("component", "");
    try {
        for (const auto* versions : {&manifest.after, &manifest.needed_upgrades}) {
            for (const std::string& version : *versions) UpgradeVersion::parse(version);
        }
        for (const std::string& version : {manifest.minimum_runner, manifest.minimum_from})
            if (!version.empty()) SemanticVersion::parse(version);
    } catch (const Error& error) {
        throw error.as(Failure::preparation).within(what);
    }
    return manifest;
}

Manifest Manifest::undeclared(const UpgradeVersion& version) {
    Manifest manifest;
    manifest.version = version;
    manifest.description = "undeclared: an executable upgrade without a manifest";
    manifest.permissions = {{"."}, {"*"}, true};
    manifest.declared = false;
    return manifest;
}

Json Manifest::to_json() const {
    Json json = {{"schema", 1}, {"version", version.to_string()}};
    json["repository"] = repository;
    json["tag"] = tag;
    json["commit"] = commit;
    json["after"] = after;
    json["abi"] = abi;
    json["services"] = services;
    json["platforms"] = Json::object();
    for (const auto& [name, build] : platforms) json["platforms"][name] = build_to_json(build);
    json["sdkVersion"] = sdk_version;
    json["compiler"] = compiler;
    json["description"] = description;
    json["changes"] = changes;
    json["severity"] = to_string(severity);
    json["downtime"] = downtime;
    json["reversible"] = reversible;
    json["requires"] = needed_upgrades;
    json["minimumRunner"] = minimum_runner;
    json["minimumFrom"] = minimum_from;
    json["timeout"] = format_duration(timeout);
    json["parameters"] = Json::array();
    for (const Parameter& parameter : parameters)
        json["parameters"].push_back(parameter_to_json(parameter));
    json["permissions"] = {{"write", permissions.write},
                           {"commands", permissions.commands},
                           {"network", permissions.network}};
    json["component"] = component;
    return json;
}

}  // namespace runner
