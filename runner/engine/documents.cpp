// SPDX-License-Identifier: Apache-2.0
#include "engine/documents.hpp"

#include <functional>

#include "engine/standing.hpp"
#include "model/error.hpp"
#include "support/clock.hpp"

namespace runner {
namespace {

constexpr int k_schema_version = 1;

Json optional_version(const std::optional<SemanticVersion>& version) {
    return version ? Json(version->to_string()) : Json();
}

Json parameters_of(const Manifest& manifest) {
    Json list = Json::array();
    for (const Parameter& parameter : manifest.parameters) {
        Json entry = {{"name", parameter.name},
                      {"description", parameter.description},
                      {"required", parameter.required},
                      {"secret", parameter.secret}};
        if (parameter.default_value && !parameter.secret)
            entry["default"] = *parameter.default_value;
        list.push_back(std::move(entry));
    }
    return list;
}

Json due_entry(const PlannedUpgrade& upgrade) {
    const Manifest& manifest = upgrade.manifest;
    Json entry = {{"version", upgrade.version},
                  {"tag", upgrade.tag},
                  {"digest", upgrade.digest},
                  {"description", manifest.description},
                  {"component", manifest.component},
                  {"severity", to_string(manifest.severity)},
                  {"downtime", manifest.downtime},
                  {"reversible", manifest.reversible},
                  {"late", upgrade.late},
                  {"declared", manifest.declared},
                  {"parameters", parameters_of(manifest)},
                  {"permissions",
                   {{"write", manifest.permissions.write},
                    {"commands", manifest.permissions.commands},
                    {"network", manifest.permissions.network}}},
                  {"changes", manifest.changes},
                  {"notes", upgrade.notes}};
    Json news = Json::array();
    for (const Declaration& declaration : upgrade.news)
        news.push_back({{"kind", declaration.kind}, {"name", declaration.name}});
    entry["new"] = std::move(news);
    entry["signer"] = upgrade.signer
                          ? Json({{"key", upgrade.signer->key}, {"time", upgrade.signer->time}})
                          : Json();
    return entry;
}

Json other_entry(const OtherEntry& other) {
    return {
        {"version", other.version}, {"reason", to_string(other.reason)}, {"detail", other.detail}};
}

Json lease_entry(const std::optional<LeaseInfo>& lease) {
    if (!lease) return nullptr;
    return {{"owner", lease->owner},
            {"actor", lease->actor},
            {"host", lease->host},
            {"pid", lease->pid},
            {"reason", lease->reason},
            {"acquiredAt", format_time(lease->acquired_at)},
            {"heartbeatAt", format_time(lease->heartbeat_at)}};
}

Json identity_entry(const std::optional<ClusterIdentity>& identity) {
    if (!identity) return nullptr;
    return {{"name", identity->name},
            {"region", identity->region},
            {"accountID", identity->account_id}};
}

Json done_entry(const DoneRecord& done) {
    return {{"version", done.version},
            {"tag", done.tag},
            {"platform", done.platform},
            {"digest", done.digest},
            {"recordedAt", format_time(done.recorded_at)},
            {"run", done.run},
            {"how", done.how}};
}

Json error_entry(const RunError& error) {
    return {{"code", error.code},
            {"message", error.message},
            {"next", error.next},
            {"changed", error.changed},
            {"changedFiles", error.changes.files},
            {"commandsRun", error.changes.commands},
            {"escapeHatch", error.commands}};
}

Json plan_fields(const RunReport& report) {
    Json json = {{"schemaVersion", k_schema_version},
                 {"cluster", report.cluster},
                 {"target", report.target},
                 {"clusterVersion", report.cluster_version},
                 {"originalVersion", report.original_version},
                 {"due", Json::array()},
                 {"other", Json::array()},
                 {"warnings", report.warnings}};
    return json;
}

}  // namespace

Json plan_document(const RunReport& report) {
    Json json = plan_fields(report);
    json["finalVersion"] = report.final_version;
    for (const PlannedUpgrade& upgrade : report.due) json["due"].push_back(due_entry(upgrade));
    for (const OtherEntry& other : report.other) json["other"].push_back(other_entry(other));
    if (report.error) json["error"] = error_entry(*report.error);
    return json;
}

Json upgrade_document(const RunReport& report) {
    Json json = plan_document(report);
    json.erase("finalVersion");
    json.erase("error");
    for (std::size_t i = 0; i < report.due.size(); ++i) {
        json["due"][i]["outcome"] =
            report.due[i].outcome ? Json(to_string(*report.due[i].outcome)) : Json();
        json["due"][i]["message"] = report.due[i].message;
    }
    json["run"] = report.run;
    json["ledgerCopy"] = report.ledger_copy.empty() ? Json() : Json(report.ledger_copy);
    json["dryRun"] = report.dry_run;
    json["outcome"] = report.outcome ? Json(to_string(*report.outcome)) : Json();
    json["error"] = report.error ? error_entry(*report.error) : Json();
    return json;
}

Json error_document(const RunError& error) {
    return {{"schemaVersion", k_schema_version}, {"error", error_entry(error)}};
}

Json verify_document(const VerifyReport& report) {
    Json json = {{"schemaVersion", k_schema_version},
                 {"cluster", report.cluster},
                 {"clusterVersion", report.cluster_version},
                 {"healthy", report.good()},
                 {"upgrades", Json::array()},
                 {"files", Json::array()},
                 {"warnings", report.warnings}};
    for (const VerifiedUpgrade& upgrade : report.upgrades)
        json["upgrades"].push_back({{"version", upgrade.version},
                                    {"health", to_string(upgrade.health)},
                                    {"message", upgrade.message}});
    for (const DriftedFile& file : report.files) {
        json["files"].push_back(
            {{"path", file.path}, {"version", file.version}, {"found", file.found}});
        if (!file.detail.empty()) json["files"].back()["detail"] = file.detail;
    }
    return json;
}

Json diagnosis_document(const Diagnosis& diagnosis) {
    Json json = {{"schemaVersion", k_schema_version},
                 {"damaged", diagnosis.damaged},
                 {"copy", diagnosis.copy.empty() ? Json() : Json(diagnosis.copy)},
                 {"findings", Json::array()}};
    for (const Finding& finding : diagnosis.findings)
        json["findings"].push_back({{"what", finding.what},
                                    {"remedy", finding.remedy},
                                    {"repairable", finding.repairable}});
    return json;
}

Json history_document(const std::vector<RunRecord>& runs, const std::vector<HandChange>& by_hand,
                      const std::optional<std::int64_t>& first_broken_event) {
    Json json = {
        {"schemaVersion", k_schema_version}, {"runs", Json::array()}, {"byHand", Json::array()}};
    for (const HandChange& change : by_hand)
        json["byHand"].push_back({{"kind", change.kind},
                                  {"version", change.version},
                                  {"actor", change.actor},
                                  {"reason", change.reason},
                                  {"at", format_time(change.at)}});
    for (const RunRecord& run : runs) {
        Json entry = {{"id", run.start.id},
                      {"command", run.start.command},
                      {"actor", run.start.actor},
                      {"host", run.start.host},
                      {"runnerVersion", run.start.runner_version},
                      {"target", run.start.target},
                      {"state", to_string(run.state)},
                      {"outcome", run.outcome.empty() ? Json() : Json(run.outcome)},
                      {"message", run.message},
                      {"startedAt", format_time(run.started_at)},
                      {"finishedAt", optional_time(run.finished_at)},
                      {"upgrades", Json::array()}};
        for (const AttemptRecord& attempt : run.attempts) {
            entry["upgrades"].push_back(
                {{"version", attempt.version},
                 {"outcome", attempt.outcome.empty() ? Json() : Json(attempt.outcome)},
                 {"message", attempt.message},
                 {"digest", attempt.digest},
                 {"signer", attempt.signer.empty() ? Json() : Json(attempt.signer)},
                 {"late", attempt.late},
                 {"startedAt", format_time(attempt.started_at)},
                 {"finishedAt", optional_time(attempt.finished_at)},
                 {"applyMs", attempt.apply_time.count()},
                 {"verifyMs", attempt.verify_time.count()}});
        }
        json["runs"].push_back(std::move(entry));
    }
    json["chain"] = first_broken_event
                        ? Json({{"intact", false}, {"firstBrokenEvent", *first_broken_event}})
                        : Json({{"intact", true}});
    return json;
}

Json state_document(const LedgerFacts& facts, const std::vector<DoneRecord>& done,
                    const std::optional<LeaseInfo>& lease) {
    Json json = {{"schemaVersion", k_schema_version},
                 {"cluster", identity_entry(facts.identity)},
                 {"originalVersion", optional_version(facts.cluster.original_version)},
                 {"clusterVersion", optional_version(facts.cluster.cluster_version)},
                 {"lease", lease_entry(lease)},
                 {"unfinishedRun", facts.has_unfinished_run},
                 {"unsettled", Json::array()},
                 {"upgrades", Json::array()}};
    for (const UnsettledUpgrade& upgrade : facts.unsettled)
        json["unsettled"].push_back({{"version", upgrade.version},
                                     {"standing", to_string(standing_of(upgrade))},
                                     {"run", upgrade.run},
                                     {"message", upgrade.message},
                                     {"finishedSteps", upgrade.finished_steps}});
    for (const DoneRecord& record : done) json["upgrades"].push_back(done_entry(record));
    return json;
}

Json export_document(const LedgerDump& dump) {
    Json json = {{"schemaVersion", k_schema_version},
                 {"kind", "RunnerLedger"},
                 {"cluster", identity_entry(dump.identity)},
                 {"originalVersion", optional_version(dump.original_version)},
                 {"clusterVersion", optional_version(dump.cluster_version)},
                 {"parameters", dump.parameters}};
    for (const char* list : {"upgrades", "skipped", "pins", "steps", "values", "declared"})
        json[list] = Json::array();
    for (const DoneRecord& record : dump.done) json["upgrades"].push_back(done_entry(record));
    for (const SkippedUpgrade& skip : dump.skipped)
        json["skipped"].push_back(
            {{"version", skip.version}, {"reason", skip.reason}, {"actor", skip.actor}});
    for (const LedgerDump::Pin& pin : dump.pins)
        json["pins"].push_back(
            {{"version", pin.version}, {"platform", pin.platform}, {"digest", pin.digest}});
    for (const LedgerDump::Step& step : dump.steps)
        json["steps"].push_back({{"version", step.version}, {"id", step.id}});
    for (const auto& [key, value] : dump.values)
        json["values"].push_back({{"scope", key.first}, {"key", key.second}, {"value", value}});
    for (const Declaration& declaration : dump.declared)
        json["declared"].push_back({{"kind", declaration.kind}, {"name", declaration.name}});
    return json;
}

namespace {

/// Calls `take` for each object of a list; none when there is no such list.
void for_each(const JsonObject& object, const char* key, const std::string& what,
              const std::function<void(const JsonObject&)>& take) {
    const Json* list = object.find(key);
    if (list == nullptr) return;
    if (!list->is_array()) object.fail(key, "must be a list");
    for (const Json& item : *list) take(JsonObject(item, what + ": " + key));
}

void parse_rest_of_export(const JsonObject& object, const std::string& what, LedgerDump& dump) {
    const auto version = [](const JsonObject& entry) {
        return UpgradeVersion::parse(entry.string("version")).to_string();
    };
    for_each(object, "skipped", what, [&](const JsonObject& entry) {
        dump.skipped.push_back(
            {version(entry), entry.string("reason"), entry.string_or("actor", "")});
    });
    for_each(object, "pins", what, [&](const JsonObject& entry) {
        dump.pins.push_back({version(entry), entry.string("platform"), entry.string("digest")});
        if (!Digest::parse(dump.pins.back().digest))
            entry.fail("digest", "must be 64 hexadecimal digits");
    });
    for_each(object, "steps", what, [&](const JsonObject& entry) {
        dump.steps.push_back({version(entry), entry.string("id")});
    });
    for_each(object, "values", what, [&](const JsonObject& entry) {
        dump.values[{entry.string("scope"), entry.string("key")}] = entry.string("value");
    });
    for_each(object, "declared", what, [&](const JsonObject& entry) {
        const std::string kind = entry.string("kind");
        if (kind != "write" && kind != "command" && kind != "network" && kind != "parameter")
            entry.fail("kind", "must be write, command, network or parameter");
        dump.declared.insert({kind, entry.string_or("name", "")});
    });
    if (const Json* parameters = object.find("parameters"); parameters != nullptr) {
        const JsonObject values(*parameters, what + ": parameters");
        for (const auto& [name, value] : parameters->items())
            dump.parameters[name] = values.string(name.c_str());
    }
}

}  // namespace

LedgerDump parse_export(const std::string& text, const std::string& what) {
    try {
        const Json document = parse_json(text, what);
        const JsonObject object(document, what);
        if (object.string("kind") != "RunnerLedger" ||
            object.integer("schemaVersion") != k_schema_version) {
            object.fail(
                "kind",
                "must be RunnerLedger with schemaVersion 1, as 'runner state export' writes it");
        }
        LedgerDump dump;
        const JsonObject cluster(object.at("cluster"), what + ": cluster");
        dump.identity = {cluster.string("name"), cluster.string_or("region", ""),
                         cluster.string_or("accountID", "")};
        if (object.has("originalVersion"))
            dump.original_version = SemanticVersion::parse(object.string("originalVersion"));
        if (object.has("clusterVersion"))
            dump.cluster_version = SemanticVersion::parse(object.string("clusterVersion"));
        const Json& upgrades = object.at("upgrades");
        if (!upgrades.is_array()) object.fail("upgrades", "must be a list");
        for (const Json& item : upgrades) {
            const JsonObject entry(item, what + ": an upgrade");
            DoneRecord done;
            done.version = UpgradeVersion::parse(entry.string("version")).to_string();
            done.tag = entry.string_or("tag", "");
            done.platform = entry.string_or("platform", "");
            done.digest = entry.string_or("digest", "");
            done.run = entry.string_or("run", "");
            if (!done.digest.empty() && !Digest::parse(done.digest))
                entry.fail("digest", "must be 64 hexadecimal digits");
            if (entry.has("recordedAt")) done.recorded_at = parse_time(entry.string("recordedAt"));
            dump.done.push_back(std::move(done));
        }
        parse_rest_of_export(object, what, dump);
        return dump;
    } catch (const Error& error) {
        throw error.as(Failure::usage);
    }
}

}  // namespace runner
