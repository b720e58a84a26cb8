// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "engine/documents.hpp"
#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "support/log.hpp"
#include "support/output.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

void print_log(std::string_view text) {
    for (const std::string_view line : split_lines(text)) print_line(line, {.tabs = Tabs::kept});
}

/// Of the newest run that has built it, or of the given one: a build that failed has no attempt.
void print_build_log(LedgerView& ledger, const ClusterConfig& config, const std::string& version,
                     const std::string& run_id) {
    for (const RunRecord& run : ledger.runs(1000)) {
        if (!run_id.empty() && run.start.id != run_id) continue;
        const auto text =
            read_file_if_there(config.state.parent_path() / build_log_name(run.start.id, version));
        if (!text) continue;
        print_log(*text);
        return;
    }
    throw Error(
        Failure::preparation,
        "no " + std::string(run_id.empty() ? "run" : "run " + run_id) + " has built " + version,
        "only runs with 'releases.source: git' build, and each tag once");
}

std::string took(const RunRecord& run) {
    if (!run.finished_at) return "";
    return std::to_string((*run.finished_at - run.started_at).count()) + " ms";
}

/// A run with its attempts.
void print_run(const RunRecord& run) {
    const std::string outcome = run.outcome.empty() ? to_string(run.state) : run.outcome;
    print_line(format_time(run.started_at) + "  " + run.start.id + "  " + outcome + "  by " +
               run.start.actor + " on " + run.start.host + "  " + run.start.command +
               (run.start.target.empty() ? "" : " to " + run.start.target));
    if (const std::string duration = took(run); !duration.empty())
        print_line("    took " + duration);
    // A mark of its own: no line of a message can be taken for an attempt.
    for (const std::string_view line : split_lines(run.message))
        print_line("    | " + std::string(line));
    for (const AttemptRecord& attempt : run.attempts) {
        print_line("    " + padded(attempt.version, k_version_width) + ' ' +
                   (attempt.outcome.empty() ? "running" : attempt.outcome) +
                   (attempt.late ? " (late)" : ""));
    }
}

void print_change(const HandChange& change) {
    std::string kind = change.kind;
    std::replace(kind.begin(), kind.end(), '_', ' ');
    print_line(format_time(change.at) + "  by hand: " + kind +
               (change.version.empty() ? "" : ' ' + change.version) + "  by " + change.actor);
    if (!change.reason.empty()) print_line("    | " + change.reason);
}

/// Both, newest first, each in the order that it has: the clock decides only between the two.
void print_history(const std::vector<RunRecord>& runs, const std::vector<HandChange>& by_hand,
                   std::size_t limit) {
    auto run = runs.begin();
    auto change = by_hand.begin();
    for (; limit > 0 && (run != runs.end() || change != by_hand.end()); --limit) {
        const bool run_is_next =
            change == by_hand.end() || (run != runs.end() && run->started_at >= change->at);
        if (run_is_next) {
            print_run(*run++);
        } else {
            print_change(*change++);
        }
    }
}

}  // namespace

int history_command(int argc, char** argv) {
    CommonOptions common;
    std::size_t limit = 50;
    CLI::App app(
        "Runs and what became of them, and what was changed by hand, newest first. Changes "
        "nothing.",
        "history");
    add_common_options(app, common);
    app.add_option("--limit", limit, "how many (default 50)")->check(CLI::Range(1, 100000));
    app.footer("Examples:\n  runner history -c cluster.yaml\n  runner history -o json --limit 1");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    const ClusterConfig config = ClusterConfig::load(cluster_file(common.cluster));
    const auto ledger = look_at_ledger(config.state);
    const std::vector<RunRecord> runs = ledger->runs(limit);
    const std::vector<HandChange> by_hand = ledger->changes_by_hand(limit);
    const auto broken = ledger->first_broken_event();
    if (broken)
        log_warning("the history was tampered with: event " + std::to_string(*broken) +
                    " does not follow from the one before");
    if (common.json()) {
        print_json(history_document(runs, by_hand, broken));
        return 0;
    }
    if (runs.empty()) print_line("No runs yet.");
    print_history(runs, by_hand, limit);
    return 0;
}

int logs_command(int argc, char** argv) {
    CommonOptions common;
    std::string version;
    std::string run_id;
    bool build = false;
    CLI::App app("What an upgrade printed in its newest attempt, or in the one of a given run.",
                 "logs");
    add_cluster_option(app, common);
    app.add_option("upgrade", version, "the upgrade's version")->required();
    app.add_option("--run", run_id, "the run's id, from 'runner history'");
    app.add_flag("--build", build, "what its build said, of a source that builds");
    app.footer("Examples:\n  runner logs 0.0.65.loki-persistence -c cluster.yaml");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    version = UpgradeVersion::parse(version).to_string();
    const ClusterConfig config = ClusterConfig::load(cluster_file(common.cluster));
    const auto ledger = look_at_ledger(config.state);
    if (build) {
        print_build_log(*ledger, config, version, run_id);
        return 0;
    }
    for (const RunRecord& run : ledger->runs(1000, version)) {
        if (!run_id.empty() && run.start.id != run_id) continue;
        for (const AttemptRecord& attempt : run.attempts) {
            if (attempt.version != version) continue;
            const auto text = read_file_if_there(config.state.parent_path() / attempt.log);
            print_log(text.value_or(""));
            return 0;
        }
    }
    throw Error(
        Failure::preparation,
        "no " + std::string(run_id.empty() ? "run" : "run " + run_id) + " has attempted " + version,
        "'runner history' shows what was attempted");
}

}  // namespace runner
