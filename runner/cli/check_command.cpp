// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/look_exit_code.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "support/log.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

struct CheckRow {
    std::string file;
    RunReport report;
    std::optional<Error> error;
    [[nodiscard]] const char* status() const {
        return error ? "unknown" : report.due.empty() ? "up-to-date" : "upgrade-available";
    }
    [[nodiscard]] int exit_code(bool fail_on_changes) const {
        return error ? runner::exit_code(error->failure())
                     : exit_code_of_changes(!report.due.empty(), fail_on_changes);
    }
};

CheckRow check_one(const CommonOptions& common, const std::string& file) {
    CheckRow row;
    row.file = file;
    try {
        CommonOptions options = common;
        options.cluster = file;
        TextReporter reporter(true);
        Composition composition(options, false);
        row.report.cluster = composition.config.name;
        row.report = make_plan_report(composition.parts(reporter), {});
    } catch (const Error& error) {
        row.error.emplace(error);
    }
    return row;
}

Json check_document(const std::vector<CheckRow>& rows) {
    Json json = {{"schemaVersion", 1}, {"clusters", Json::array()}};
    for (const CheckRow& row : rows) {
        Json entry = {{"config", row.file}, {"status", row.status()}};
        if (row.error) {
            entry["reason"] = row.error->what();
        } else {
            entry.update(plan_document(row.report));
            entry.erase("schemaVersion");
            entry["severity"] =
                row.report.due.empty() ? Json() : Json(to_string(highest_severity(row.report)));
        }
        json["clusters"].push_back(std::move(entry));
    }
    return json;
}

}  // namespace

int check_command(int argc, char** argv) {
    CommonOptions common;
    std::vector<std::string> files;
    bool fail_on_changes = false;
    CLI::App app("Is anything due? One row for each cluster. Changes nothing.", "check");
    app.add_option("-c,--cluster,cluster", files,
                   "cluster configs (default: $RUNNER_CLUSTER, else cluster.yaml)");
    app.add_option("-o,--output", common.output, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    app.add_flag("--debug", common.debug, "more output");
    app.add_flag("--fail-on-changes", fail_on_changes, "exit with 7 when anything is due");
    app.footer(
        "Examples:\n"
        "  runner check -c cluster.yaml\n"
        "  runner check clusters/*.yaml --fail-on-changes   for CI and cron\n\n"
        "Of several clusters the worst exit code: 6, 5, 3 or 2, in this order, when one cannot be\n"
        "looked at; else 7 when anything is due and --fail-on-changes was given; else 0.");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (files.empty()) files.push_back(cluster_file(""));
    std::vector<CheckRow> rows;
    for (const std::string& file : files) rows.push_back(check_one(common, file));

    std::vector<std::vector<std::string>> table{
        {"CLUSTER", "STATUS", "VERSION", "TARGET", "DUE", "SEVERITY"}};
    std::vector<int> codes;
    for (const CheckRow& row : rows) {
        codes.push_back(row.exit_code(fail_on_changes));
        for (const std::string& warning : row.report.warnings)
            log_warning(row.report.cluster + ": " + warning);
        if (row.error) {
            print_error(row.report.cluster.empty() ? *row.error
                                                   : row.error->within(row.report.cluster));
            table.push_back({row.report.cluster.empty() ? row.file : row.report.cluster,
                             row.status(), "?", "?", "?", ""});
            continue;
        }
        table.push_back({row.report.cluster, row.status(), row.report.cluster_version,
                         row.report.target, std::to_string(row.report.due.size()),
                         row.report.due.empty() ? "" : to_string(highest_severity(row.report))});
    }
    if (common.json()) {
        print_json(check_document(rows));
    } else {
        print_table(table);
    }
    return worst_exit_code(codes);
}

}  // namespace runner
