// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/look_exit_code.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "engine/saved_plan.hpp"
#include "support/file.hpp"
#include "support/log.hpp"
#include "support/output.hpp"

namespace runner {

namespace {

/// Everything that an upgrade does up to the question, shown as there, and what it came to in a new
/// file. Throws Error and Interrupted.
RunReport save_plan(Composition& composition, Reporter& reporter, const Selection& selection,
                    GivenParameters parameters, const std::string& file) {
    UpgradeRequest request;
    request.selection = selection;
    request.dry_run = true;
    request.report_other = true;
    request.pin_work = true;
    request.parameters = std::move(parameters);
    PlanReport plan = plan_upgrade(composition.parts(reporter), request);
    const Json document = saved_plan_document(
        plan.report, plan.facts, identity_of(composition.config), request.parameters.values);
    create_file(file, dump_json(document, 2) + '\n');
    return std::move(plan.report);
}

/// What is left to be shown of a plan that was saved: what is due was shown on the way.
void print_plan(const RunReport& report, const std::string& saved_in) {
    const bool told = !saved_in.empty() && !report.due.empty();  // while it was simulated
    if (!told) {
        for (const std::string& line : plan_lines(report)) print_line(line);
    }
    for (const std::string& line : other_lines(report)) print_line(line);
    if (!saved_in.empty())
        print_line("Saved in " + saved_in + ": 'runner upgrade --plan " + saved_in +
                   "' runs just this, or nothing.");
}

}  // namespace

int plan_command(int argc, char** argv) {
    CommonOptions common;
    Selection selection;
    ParameterOptions parameters;
    bool fail_on_changes = false;
    std::string out;
    CLI::App app(
        "What would run, in which order, and for every other upgrade why not. Changes nothing.",
        "plan");
    add_common_options(app, common);
    add_selection_options(app, selection);
    add_parameter_options(app, parameters);
    app.add_option("--out", out,
                   "simulate it, show what it does, and save it to this new file for 'upgrade "
                   "--plan': releases, values and what was shown are pinned");
    app.add_flag("--fail-on-changes", fail_on_changes, "exit with 7 when anything is due");
    app.footer(
        "Examples:\n"
        "  runner plan -c cluster.yaml\n"
        "  runner plan -c cluster.yaml --to 0.0.65 -o json\n"
        "  runner plan -c cluster.yaml --out plan.json");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (out.empty() && !(parameters.values.empty() && parameters.secrets.empty()))
        throw Error(Failure::usage,
                    "--env and --secret are for what is simulated, and 'plan' simulates only what "
                    "it saves; nothing was looked at",
                    "add --out FILE, or look with 'runner upgrade --dry-run'");
    GivenParameters given = parameters.read();  // before stop signals are handled: it may wait
    TextReporter reporter(common.json());
    Composition composition(common, false);
    const RunReport report =
        out.empty() ? make_plan_report(composition.parts(reporter), selection)
                    : save_plan(composition, reporter, selection, std::move(given), out);
    if (out.empty()) {
        for (const std::string& warning : report.warnings) log_warning(warning);
    }
    if (common.json()) {
        print_json(plan_document(report));
    } else {
        print_plan(report, out);
    }
    return exit_code_of_changes(!report.due.empty(), fail_on_changes);
}

}  // namespace runner
