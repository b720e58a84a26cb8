// SPDX-License-Identifier: Apache-2.0
// The server about itself: health, metrics, description.
#include <array>
#include <map>

#include "api/documents.hpp"
#include "api/routes.hpp"
#include "engine/lease_holder.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/log.hpp"

namespace runner {
namespace {

/// A label's value, as Prometheus wants it.
std::string label(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\\' || c == '"') escaped += '\\';
        escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    return escaped;
}

/// Families of samples, each with its help and type written once.
class Metrics {
 public:
    void family(const char* name, const char* type, const char* help) {
        m_name = name;
        m_text +=
            std::string("# HELP ") + name + ' ' + help + "\n# TYPE " + name + ' ' + type + '\n';
    }
    void sample(const std::vector<std::pair<const char*, std::string>>& labels, double value,
                const char* suffix = "") {
        m_text += m_name + suffix;
        for (std::size_t i = 0; i < labels.size(); ++i)
            m_text += std::string(i == 0 ? "{" : ",") + labels[i].first + "=\"" +
                      label(labels[i].second) + '"';
        if (!labels.empty()) m_text += '}';
        std::array<char, 32> number{};
        std::snprintf(number.data(), number.size(), " %.15g\n", value);
        m_text += number.data();
    }
    [[nodiscard]] const std::string& text() const { return m_text; }

 private:
    std::string m_name;
    std::string m_text;
};

struct Sampled {
    std::string name;
    std::shared_ptr<Cluster> cluster;
    std::shared_ptr<const ClusterView> view;
    std::vector<RunTally> tallies;
};

double seconds(std::chrono::milliseconds time) {
    return static_cast<double>(time.count()) / 1000;
}

void add_plans(Metrics& metrics, const std::vector<Sampled>& all) {
    metrics.family("runner_upgrades_due", "gauge", "Upgrades that are due, by severity.");
    for (const Sampled& one : all) {
        if (!one.view->report) continue;
        std::map<std::string, int> due{{"routine", 0}, {"important", 0}, {"critical", 0}};
        for (const PlannedUpgrade& upgrade : one.view->report->due)
            ++due[to_string(upgrade.manifest.severity)];
        for (const auto& [severity, count] : due)
            metrics.sample({{"cluster", one.name}, {"severity", severity}}, count);
    }
    metrics.family("runner_cluster_known", "gauge",
                   "1 where it can be told what is due, 0 where not (status unknown).");
    for (const Sampled& one : all)
        metrics.sample({{"cluster", one.name}}, one.view->report ? 1 : 0);
    metrics.family("runner_cluster_info", "gauge", "The cluster's version and target; always 1.");
    for (const Sampled& one : all) {
        if (one.view->report)
            metrics.sample({{"cluster", one.name},
                            {"version", one.view->report->cluster_version},
                            {"target", one.view->report->target}},
                           1);
    }
}

void add_runs(Metrics& metrics, const std::vector<Sampled>& all, const Clock& clock) {
    metrics.family("runner_runs_total", "counter", "Runs in the ledger that are over.");
    for (const Sampled& one : all) {
        for (const RunTally& tally : one.tallies)
            metrics.sample(
                {{"cluster", one.name}, {"command", tally.command}, {"outcome", tally.outcome}},
                static_cast<double>(tally.count));
    }
    metrics.family("runner_run_duration_seconds", "summary", "How long runs took.");
    for (const Sampled& one : all) {
        std::map<std::string, std::pair<double, double>> times;
        for (const RunTally& tally : one.tallies) {
            times[tally.command].first += seconds(tally.time);
            times[tally.command].second += static_cast<double>(tally.count);
        }
        for (const auto& [command, time] : times) {
            metrics.sample({{"cluster", one.name}, {"command", command}}, time.first, "_sum");
            metrics.sample({{"cluster", one.name}, {"command", command}}, time.second, "_count");
        }
    }
    metrics.family("runner_last_run_success", "gauge", "Whether the newest run has succeeded.");
    for (const Sampled& one : all) {
        const auto& newest = one.view->newest;
        if (newest && is_end(newest->state))
            metrics.sample({{"cluster", one.name}},
                           has_succeeded(newest->state, newest->start.command) ? 1 : 0);
    }
    metrics.family("runner_lease_held", "gauge", "Whether somebody works on the cluster now.");
    for (const Sampled& one : all)
        metrics.sample({{"cluster", one.name}},
                       one.view->lease && is_live(*one.view->lease, clock) ? 1 : 0);
    metrics.family(
        "runner_lease_heartbeat_timestamp_seconds", "gauge",
        "When the run that has the lease last said that it lives; none of a lock by hand.");
    for (const Sampled& one : all) {
        if (one.view->lease && !one.view->lease->manual())
            metrics.sample({{"cluster", one.name}}, seconds(one.view->lease->heartbeat_at));
    }
}

void add_discoveries(Metrics& metrics, const std::vector<Sampled>& all) {
    metrics.family("runner_discoveries_total", "counter", "How often releases were looked for.");
    for (const Sampled& one : all)
        metrics.sample({{"cluster", one.name}}, static_cast<double>(one.cluster->discoveries()));
    metrics.family("runner_discovery_failures_total", "counter", "How often that failed.");
    for (const Sampled& one : all)
        metrics.sample({{"cluster", one.name}},
                       static_cast<double>(one.cluster->failed_discoveries()));
    metrics.family("runner_discovery_timestamp_seconds", "gauge",
                   "When releases were last looked for with success.");
    for (const Sampled& one : all) {
        if (one.view->discovered_at)
            metrics.sample({{"cluster", one.name}}, seconds(*one.view->discovered_at));
    }
}

void add_server(Metrics& metrics, Api& api) {
    metrics.family("runner_http_requests_total", "counter", "Requests that were answered.");
    for (const auto& [key, count] : api.request_counts())
        metrics.sample({{"operation", key.first.empty() ? "none" : key.first},
                        {"status", std::to_string(key.second)}},
                       static_cast<double>(count));
    metrics.family("runner_http_connections", "gauge", "Open connections.");
    metrics.sample({}, static_cast<double>(api.server().connections()));
    metrics.family("runner_http_long_replies", "gauge", "Event streams, followed logs and waits.");
    metrics.sample({}, static_cast<double>(api.server().long_replies()));
    metrics.family("runner_http_turned_away_total", "counter",
                   "Connections and requests for which there was no room.");
    metrics.sample({}, static_cast<double>(api.server().turned_away()));
}

}  // namespace

void show_health(Api&, Call& call) {
    call.reply(200, {{"status", "ok"}});
}

void show_readiness(Api& api, Call& call) {
    Json checks = Json::object();
    bool ready = true;
    const auto check = [&](const char* name, const std::string& problem) {
        checks[name] = problem.empty();
        if (problem.empty()) return;
        ready = false;
        log_warning("request " + call.id + ": not ready: " + problem);
    };
    check("clusters",
          api.clusters().all().empty() ? "there is no cluster with a valid config" : "");
    std::string unreadable;
    for (const auto& [name, cluster] : api.clusters().all()) {
        try {
            look_at_ledger(cluster->config()->state)->lease();
        } catch (const Error& error) {
            unreadable = error.what();
        }
    }
    check("ledgers", unreadable);
    call.reply(ready ? 200 : 503, {{"status", ready ? "ready" : "not ready"}, {"checks", checks}});
}

void show_metrics(Api& api, Call& call) {
    std::vector<Sampled> all;
    for (const auto& [name, cluster] : api.clusters().all()) {
        Sampled one{name, cluster, cluster->view(), {}};
        try {
            if (one.view->config) one.tallies = look_at_ledger(one.view->config->state)->tallies();
        } catch (const Error& error) {  // runner_cluster_known says it
            log_warning("request " + call.id + ": " + error.what());
        }
        all.push_back(std::move(one));
    }
    Metrics metrics;
    metrics.family("runner_build_info", "gauge", "The version of this server; always 1.");
    metrics.sample({{"version", RUNNER_VERSION}}, 1);
    metrics.family("runner_broken_configs", "gauge", "Configs that cannot be served.");
    metrics.sample({}, static_cast<double>(api.clusters().broken().size()));
    add_plans(metrics, all);
    add_runs(metrics, all, api.clock());
    add_discoveries(metrics, all);
    add_server(metrics, api);
    call.response.status = 200;
    call.response.set_content(metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
}

void show_openapi(Api&, Call& call) {
    call.reply(200, openapi_document());
}

}  // namespace runner
