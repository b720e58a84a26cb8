// SPDX-License-Identifier: Apache-2.0
#include "api/documents.hpp"

#include "api/path_mask.hpp"
#include "engine/documents.hpp"

namespace runner {
namespace {

Json optional_text(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

/// Why there is no plan, in words that give nothing away.
Json reason_entry(const ClusterView& view) {
    if (view.unknown == nullptr) return nullptr;
    const std::string_view word = view.unknown;
    const char* text = word == "config_broken"          ? "the cluster's config is not valid"
                       : word == "ledger_unavailable"   ? "the ledger cannot be read"
                       : word == "releases_unavailable" ? "the releases could not be listed"
                       : word == "refused"
                           ? "the config does not fit the ledger, the target is below the cluster "
                             "version, or a rollback is half done"
                           : "what is due cannot be told: a due release is not fit";
    return {{"code", view.unknown}, {"text", text}};
}

const char* status_of(Reason reason) {
    return reason == Reason::malformed_release || reason == Reason::no_build_for_platform
               ? "unknown"
               : "up-to-date";
}

Json common_fields(const std::string& name, const ClusterView& view) {
    Json json = {{"schemaVersion", 1},
                 {"cluster", name},
                 {"status", status_of(view)},
                 {"reason", reason_entry(view)},
                 {"originalVersion", nullptr},
                 {"clusterVersion", nullptr},
                 {"target", nullptr},
                 {"severity", nullptr},
                 {"discoveredAt", optional_time(view.discovered_at)},
                 {"discoveryFailed", view.discovery_problem != nullptr}};
    if (view.report) {
        json["originalVersion"] = optional_text(view.report->original_version);
        json["clusterVersion"] = optional_text(view.report->cluster_version);
        json["target"] = optional_text(view.report->target);
        if (!view.report->due.empty()) json["severity"] = to_string(highest_severity(*view.report));
    }
    return json;
}

}  // namespace

const char* status_of(const ClusterView& view) {
    return !view.report ? "unknown" : view.report->due.empty() ? "up-to-date" : "upgrade-available";
}

Json cluster_document(const std::string& name, const ClusterView& view, const std::string& active) {
    Json json = common_fields(name, view);
    json["due"] = view.report ? Json(view.report->due.size()) : Json();
    json["activeRun"] = optional_text(active);
    json["lastRun"] = nullptr;
    if (view.newest)
        json["lastRun"] = {{"id", view.newest->start.id},
                           {"command", view.newest->start.command},
                           {"state", to_string(view.newest->state)},
                           {"actor", view.newest->start.actor},
                           {"startedAt", format_time(view.newest->started_at)}};
    return json;
}

Json check_document(const std::string& name, const ClusterView& view) {
    Json json = common_fields(name, view);
    json["upgrades"] = Json::array();
    json["warnings"] = Json::array();
    if (!view.report) return json;
    const PathMask mask(*view.config);
    const Json plan = plan_document(*view.report);
    for (const Json& due : plan["due"]) {
        Json entry = due;
        entry["status"] = "upgrade-available";
        entry["reason"] = nullptr;
        json["upgrades"].push_back(std::move(entry));
    }
    for (const OtherEntry& other : view.report->other)
        json["upgrades"].push_back({{"version", other.version},
                                    {"status", status_of(other.reason)},
                                    {"reason", to_string(other.reason)},
                                    {"detail", mask.mask(other.detail)}});
    for (const std::string& warning : view.report->warnings)
        json["warnings"].push_back(mask.mask(warning));
    return json;
}

}  // namespace runner
