// SPDX-License-Identifier: Apache-2.0
#include "api/announcements.hpp"

#include <algorithm>
#include <set>

#include "api/path_mask.hpp"
#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/log.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_runs = 50;  // since the last look; older ones are in the history
constexpr const char* k_told_file = "told.state";

/// What was told last.
struct Told {
    std::string begun;  ///< newest run whose beginning was told
    std::string open;   ///< the run whose end is still to be told; empty: none
    std::set<std::string> due;
    std::string next;  ///< names the next news of due upgrades
    bool operator==(const Told&) const = default;
};

/// Nothing when nothing was ever told.
std::optional<Told> read_told(const std::filesystem::path& file) {
    const auto text = read_file_if_there(file);
    if (!text) return std::nullopt;
    try {
        const Json document = parse_json(*text, file.string());
        const JsonObject object(document, file.string());
        Told told{object.string_or("begun", ""),
                  object.string_or("open", ""),
                  {},
                  object.string_or("next", "")};
        for (const std::string& version : object.strings_or_empty("due")) told.due.insert(version);
        return told;
    } catch (const Error& error) {  // somebody has edited it
        log_warning(std::string(error.what()) + "; what is news is told from now on");
        return std::nullopt;
    }
}

void write_told(const std::filesystem::path& file, const Told& told) {
    make_folders(file.parent_path());
    replace_file(
        file,
        dump_json(
            {{"begun", told.begun}, {"open", told.open}, {"due", told.due}, {"next", told.next}}) +
            '\n');
}

Json run_data(const ClusterView& view, const RunRecord& run, const PathMask& mask) {
    Json upgrades = Json::array();
    for (const AttemptRecord& attempt : run.attempts)
        upgrades.push_back({{"version", attempt.version},
                            {"outcome", attempt.outcome.empty() ? Json() : Json(attempt.outcome)}});
    return {{"cluster", view.config->name},
            {"run", run.start.id},
            {"command", run.start.command},
            {"actor", run.start.actor},
            {"target", run.start.target},
            {"state", to_string(run.state)},
            {"message", mask.mask(run.message)},
            {"startedAt", format_time(run.started_at)},
            {"finishedAt", optional_time(run.finished_at)},
            {"upgrades", upgrades}};
}

void announce_end(const ClusterView& view, const RunRecord& run, const PathMask& mask,
                  Webhooks& webhooks) {
    webhooks.announce(*view.config,
                      has_succeeded(run.state, run.start.command) ? "succeeded" : "failed",
                      run.start.id, run_data(view, run, mask));
}

void announce_runs(const ClusterView& view, const PathMask& mask, Told& told, Webhooks& webhooks) {
    const std::string newest = view.newest ? view.newest->start.id : "";
    if (told.begun == newest && told.open.empty()) return;
    const auto ledger = look_at_ledger(view.config->state);
    if (!told.open.empty()) {
        const auto run = ledger->run(told.open);
        if (run && !is_end(run->state)) return;  // and so nothing after it
        if (run) announce_end(view, *run, mask, webhooks);
        told.open.clear();
    }
    std::vector<RunRecord> news = ledger->runs(k_max_runs);
    const auto known = std::find_if(
        news.begin(), news.end(), [&](const RunRecord& run) { return run.start.id == told.begun; });
    news.erase(known, news.end());
    std::reverse(news.begin(), news.end());  // as they have happened
    for (const RunRecord& run : news) {
        webhooks.announce(*view.config, "started", run.start.id, run_data(view, run, mask));
        told.begun = run.start.id;
        if (is_end(run.state)) {
            announce_end(view, run, mask, webhooks);
        } else {
            told.open = run.start.id;
        }
    }
}

void announce_due(const ClusterView& view, Told& told, Webhooks& webhooks) {
    if (!view.report) return;
    std::set<std::string> due;
    Json list = Json::array();
    for (const PlannedUpgrade& upgrade : view.report->due) {
        due.insert(upgrade.version);
        list.push_back({{"version", upgrade.version},
                        {"severity", to_string(upgrade.manifest.severity)},
                        {"downtime", upgrade.manifest.downtime},
                        {"description", upgrade.manifest.description}});
    }
    if (!std::includes(told.due.begin(), told.due.end(), due.begin(), due.end())) {
        std::string subject = told.next;
        for (const std::string& version : due) subject += ' ' + version;
        webhooks.announce(*view.config, "due", subject,
                          {{"cluster", view.config->name},
                           {"clusterVersion", view.report->cluster_version},
                           {"target", view.report->target},
                           {"upgrades", list}});
        told.next = random_hex(8);
    }
    told.due = std::move(due);
}

}  // namespace

void announce_news(const ClusterView& view, Webhooks& webhooks) {
    const std::filesystem::path file = webhooks_beside(view.config->state) / k_told_file;
    std::optional<Told> before = read_told(file);
    Told told = before.value_or(Told{});
    if (!before && view.newest) {  // what was before the first look is no news
        told.begun = view.newest->start.id;
        if (!is_end(view.newest->state)) told.open = told.begun;
    }
    if (told.next.empty()) {  // on disk before it names anything
        told.next = random_hex(8);
        write_told(file, told);
        before = told;
    }
    announce_runs(view, PathMask(*view.config), told, webhooks);
    announce_due(view, told, webhooks);
    if (before != told) write_told(file, told);
}

}  // namespace runner
