// SPDX-License-Identifier: Apache-2.0
// What is known of clusters: looking, and looking for releases.
#include "api/routes.hpp"

#include <algorithm>

#include "api/documents.hpp"
#include "api/path_mask.hpp"
#include "engine/documents.hpp"
#include "engine/escape_hatch.hpp"
#include "engine/lease_holder.hpp"
#include "engine/standing.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "support/log.hpp"

namespace runner {
namespace {

constexpr std::size_t k_default_history = 50;
constexpr std::size_t k_max_history = 200;

/// The run that is under way, as far as can be seen without asking the kernel for each job.
std::string active_run(const ClusterView& view, const Clock& clock) {
    if (!view.newest || is_end(view.newest->state)) return {};
    return view.lease && is_live(*view.lease, clock) ? view.newest->start.id : std::string();
}

Json broken_list(Clusters& clusters) {
    Json list = Json::array();
    for (const BrokenConfig& broken : clusters.broken())
        list.push_back({{"config", broken.file.filename().string()},
                        {"reason", "not valid; the server's log says why"}});
    return list;
}

std::size_t history_limit(const Call& call) {
    const std::string text = call.query("limit");
    if (text.empty() && !call.request.has_param("limit")) return k_default_history;
    const bool digits =
        !text.empty() && text.size() <= 3 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    const std::size_t limit = digits ? std::stoul(text) : 0;
    if (limit < 1 || limit > k_max_history)
        throw Problem{Trouble::malformed_request, "limit is not from 1 to 200"};
    return limit;
}

}  // namespace

void list_clusters(Api& api, Call& call) {
    Json json = {{"schemaVersion", 1}, {"clusters", Json::array()}};
    for (const auto& [name, cluster] : api.clusters().all()) {
        const auto view = cluster->view();
        json["clusters"].push_back(cluster_document(name, *view, active_run(*view, api.clock())));
    }
    json["broken"] = broken_list(api.clusters());
    call.reply(200, json);
}

void show_cluster(Api& api, Call& call) {
    const auto cluster = api.cluster(call);
    call.reply(200, cluster_document(call.path.at("cluster"), *cluster->view(),
                                     api.jobs().active(*cluster)));
}

void check_cluster(Api& api, Call& call) {
    const auto view = api.cluster(call)->view();
    if (!view->cause.empty()) log_warning("request " + call.id + ": " + view->cause);
    call.reply(200, check_document(call.path.at("cluster"), *view));
}

void check_all(Api& api, Call& call) {
    Json json = {{"schemaVersion", 1}, {"clusters", Json::array()}};
    for (const auto& [name, cluster] : api.clusters().all()) {
        const auto view = cluster->view();
        if (!view->cause.empty()) log_warning("request " + call.id + ": " + view->cause);
        json["clusters"].push_back(check_document(name, *view));
    }
    json["broken"] = broken_list(api.clusters());
    call.reply(200, json);
}

void discover(Api& api, Call& call) {
    const auto cluster = api.cluster(call);
    if (const auto wait = cluster->discovery_wait_s(); wait > 0) {
        Problem problem{Trouble::discovered_just_now};
        problem.retry_after_s = static_cast<int>(wait);
        throw problem;
    }
    cluster->discover();  // an Error: 503, with the cause in the log
    call.reply(200, check_document(call.path.at("cluster"), *cluster->view()));
}

void show_history(Api& api, Call& call) {
    const std::size_t limit = history_limit(call);
    const auto config = api.cluster(call)->config();
    const auto ledger = look_at_ledger(config->state);
    const PathMask mask(*config);
    std::vector<RunRecord> runs = ledger->runs(limit);
    for (RunRecord& run : runs) {
        run.message = mask.mask(run.message);
        for (AttemptRecord& attempt : run.attempts) attempt.message = mask.mask(attempt.message);
    }
    std::vector<HandChange> by_hand = ledger->changes_by_hand(limit);
    for (HandChange& change : by_hand) change.reason = mask.mask(change.reason);
    call.reply(200, history_document(runs, by_hand, ledger->first_broken_event()));
}

void show_escape_hatch(Api& api, Call& call) {
    const auto config = api.cluster(call)->config();
    const auto ledger = look_at_ledger(config->state);
    const LedgerFacts facts = facts_as_of_now(*ledger, api.clock());
    const auto stopped = std::find_if(
        facts.unsettled.begin(), facts.unsettled.end(),
        [](const auto& upgrade) { return standing_of(upgrade) != Standing::applying; });
    if (stopped == facts.unsettled.end()) throw Problem{Trouble::nothing_failed};
    // To be typed in the folder of the config: nothing of where that is.
    ClusterConfig relative = *config;
    relative.file = config->file.filename();
    const auto home = std::filesystem::absolute(config->file).parent_path();
    relative.repository_directory = config->repository_directory.lexically_relative(home);
    const std::string originals = config->state.parent_path().string();
    const std::string originals_there =
        config->state.parent_path().lexically_relative(home).string();
    Json commands = Json::array();
    for (std::string line : escape_hatch(*ledger, facts, relative, stopped->version)) {
        for (std::size_t at = 0; (at = line.find(originals, at)) != std::string::npos;
             at += originals_there.size())
            line.replace(at, originals.size(), originals_there);
        commands.push_back(line);
    }
    call.reply(200, {{"schemaVersion", 1},
                     {"cluster", call.path.at("cluster")},
                     {"run", stopped->run},
                     {"upgrade", stopped->version},
                     {"where", "on the server, in the folder of the cluster's config"},
                     {"commands", commands}});
}

}  // namespace runner
