// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "model/manifest.hpp"
#include "support/file.hpp"

namespace runner {
namespace {

std::string read_plan(const std::string& file) {
    try {
        return read_file(file);
    } catch (const Error& error) {
        throw error.as(Failure::usage).within("--plan");
    }
}

}  // namespace

int upgrade_command(int argc, char** argv) {
    CommonOptions common;
    UpgradeRequest request;
    ParameterOptions parameters;
    std::string wait;
    std::string plan;
    std::string soak;
    std::string events;
    std::string verification;
    bool non_interactive = false;
    CLI::App app(
        "Bring the cluster to its target version: find, verify, simulate, ask, apply, verify, "
        "record.",
        "upgrade");
    add_common_options(app, common);
    add_selection_options(app, request.selection);
    app.add_option("--plan", plan,
                   "what 'plan --out' saved: just this, or nothing when it no longer fits")
        ->excludes("--to")
        ->excludes("--only")
        ->excludes("--skip");
    app.add_flag("-n,--dry-run", request.dry_run,
                 "everything up to the question; changes and records nothing");
    app.add_flag("-y,--yes,--confirm", request.yes, "do not ask");
    add_parameter_options(app, parameters);
    app.add_option("--accept-changed", request.accept_changed,
                   "take an upgrade whose release was changed since it was first attempted")
        ->delimiter(',');
    app.add_option("--verification", verification,
                   "of signatures, instead of the config's trust.verification")
        ->check(CLI::IsMember({"enabled", "warn", "disabled"}));
    app.add_flag("--confirm-downtime", request.confirm_downtime,
                 "upgrades that cause downtime are meant, too");
    app.add_flag("--confirm-major", request.confirm_major,
                 "a step to another major version is meant, too");
    app.add_flag("!--no-auto-rollback", request.roll_back,
                 "an upgrade that fails keeps its finished steps, also where it could be undone");
    app.add_flag("--keep-going", request.keep_going,
                 "go on without what is blocked, and without what requires it");
    app.add_flag("--force", request.selection.force,
                 "with a target below the cluster version: late hotfixes up to it are run; the "
                 "cluster version stays");
    app.add_option("--soak", soak,
                   "repeat the checks for so long before the run counts as a success, such as 5m");
    app.add_option("--reason", request.reason, "why; kept in the history");
    add_events_option(app, events);
    add_run_id_option(app, request.run_id);
    app.add_option("--wait", wait, "wait so long for a held lease, such as 30s or 5m");
    app.add_flag("--non-interactive", non_interactive, "never ask, as without a terminal");
    app.footer(
        "Examples:\n"
        "  runner upgrade -c cluster.yaml                  simulate, show, ask, apply\n"
        "  runner upgrade -c cluster.yaml --dry-run        only look\n"
        "  runner upgrade -c cluster.yaml --yes -o json    for scripts\n"
        "  runner upgrade --yes --confirm-downtime         in the maintenance window\n"
        "  runner upgrade --to 0.0.65 --skip 0.0.64.argocd\n"
        "  runner upgrade --plan plan.json                 what was reviewed, or nothing");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    request.debug = common.debug;
    request.report_other = common.json();
    request.parameters = parameters.read();
    if (!plan.empty()) request.saved_plan = SavedPlan::parse(read_plan(plan), plan);
    request.wait = parse_duration_option(wait, "--wait");
    request.soak = parse_duration_option(soak, "--soak");
    TextReporter reporter(common.json());
    Composition composition(common, !non_interactive && !common.json());
    if (!verification.empty()) composition.config.verification = parse_verification(verification);
    const RunReport report = run_upgrade(composition.parts(reporter, events), request);
    if (common.json()) print_json(upgrade_document(report));
    return report.exit_code;
}

}  // namespace runner
