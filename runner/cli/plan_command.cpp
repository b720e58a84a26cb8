// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "support/file.hpp"
#include "support/log.hpp"

namespace runner {

int plan_command(int argc, char** argv) {
    CommonOptions common;
    Selection selection;
    bool fail_on_changes = false;
    std::string out;
    CLI::App app(
        "What would run, in which order, and for every other upgrade why not. Changes nothing.",
        "plan");
    add_common_options(app, common);
    add_selection_options(app, selection);
    app.add_option("--out", out, "save it to this new file, digests pinned, for 'upgrade --plan'");
    app.add_flag("--fail-on-changes", fail_on_changes, "exit with 7 when anything is due");
    app.footer(
        "Examples:\n"
        "  runner plan -c cluster.yaml\n"
        "  runner plan -c cluster.yaml --to 0.0.65 -o json\n"
        "  runner plan -c cluster.yaml --out plan.json");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    TextReporter reporter(common.json());
    Composition composition(common, false);
    RunReport report;
    try {
        PlanReport made = make_plan_report(composition.parts(reporter), selection);
        report = std::move(made.report);
        if (!out.empty()) {
            check_pinnable(report);
            const ClusterConfig& config = composition.config;
            const Json document = saved_plan_document(
                report, made.facts, {config.name, config.region, config.account_id});
            create_file(out, dump_json(document, 2) + '\n');
        }
    } catch (const Error& error) {
        if (!common.json()) throw;
        report.cluster = composition.config.name;
        report.error = RunError{to_string(error.failure()), error.what(), error.next(), "no"};
        print_error(error);
        print_json(plan_document(report));
        return exit_code(error.failure());
    }
    for (const std::string& warning : report.warnings) log_warning(warning);
    if (common.json()) {
        print_json(plan_document(report));
    } else {
        std::fputs(plan_text(report, true).c_str(), stdout);
    }
    return fail_on_changes && !report.due.empty() ? 7 : 0;
}

}  // namespace runner
