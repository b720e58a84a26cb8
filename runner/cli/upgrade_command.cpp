// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "model/manifest.hpp"
#include "support/read.hpp"

namespace runner {
namespace {

std::string read_plan(const std::string& file) {
    try {
        return read_given_file(file);
    } catch (const Error& error) {
        throw error.as(Failure::usage).within("--plan");
    }
}

struct UpgradeOptions {
    CommonOptions common;
    UpgradeRequest request;
    ParameterOptions parameters;
    std::string wait;
    std::string plan;
    std::string soak;
    std::string events;
    std::string verification;
    bool non_interactive = false;
};

/// What to run, on which cluster.
void add_work_options(CLI::App& app, UpgradeOptions& options) {
    add_common_options(app, options.common);
    add_selection_options(app, options.request.selection);
    app.add_option("--plan", options.plan,
                   "what 'plan --out' saved: just this, or nothing when it no longer fits")
        ->excludes("--to")
        ->excludes("--only")
        ->excludes("--skip");
    app.add_flag("-n,--dry-run", options.request.dry_run,
                 "everything up to the question; changes and records nothing");
    app.add_flag("-y,--yes,--confirm", options.request.yes, "do not ask");
    add_parameter_options(app, options.parameters);
}

/// What goes beyond the usual run, and must be meant.
void add_consent_options(CLI::App& app, UpgradeOptions& options) {
    UpgradeRequest& request = options.request;
    app.add_option("--accept-changed", request.accept_changed,
                   "take an upgrade whose release was changed since it was first attempted")
        ->delimiter(',');
    app.add_option("--verification", options.verification,
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
}

/// How long it may take, and who hears of it.
void add_run_options(CLI::App& app, UpgradeOptions& options) {
    app.add_option("--soak", options.soak,
                   "repeat the checks for so long before the run counts as a success, such as 5m");
    app.add_option("--reason", options.request.reason, "why; kept in the history");
    add_events_option(app, options.events);
    add_run_id_option(app, options.request.run_id);
    app.add_option("--wait", options.wait, "wait so long for a held lease, such as 30s or 5m");
    app.add_flag("--non-interactive", options.non_interactive, "never ask, as without a terminal");
}

}  // namespace

int upgrade_command(int argc, char** argv) {
    UpgradeOptions options;
    CLI::App app(
        "Bring the cluster to its target version: find, verify, simulate, ask, apply, verify, "
        "record.",
        "upgrade");
    add_work_options(app, options);
    add_consent_options(app, options);
    add_run_options(app, options);
    app.footer(
        "Examples:\n"
        "  runner upgrade -c cluster.yaml                  simulate, show, ask, apply\n"
        "  runner upgrade -c cluster.yaml --dry-run        only look\n"
        "  runner upgrade -c cluster.yaml --yes -o json    for scripts\n"
        "  runner upgrade --yes --confirm-downtime         in the maintenance window\n"
        "  runner upgrade --to 0.0.65 --skip 0.0.64.argocd\n"
        "  runner upgrade --plan plan.json                 what was reviewed, or nothing");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    UpgradeRequest& request = options.request;
    const bool json = options.common.json();
    request.debug = options.common.debug;
    request.report_other = json;
    request.parameters = options.parameters.read();
    if (!options.plan.empty())
        request.saved_plan = SavedPlan::parse(read_plan(options.plan), options.plan);
    request.wait = parse_duration_option(options.wait, "--wait");
    request.soak = parse_duration_option(options.soak, "--soak");
    TextReporter reporter(json);
    Composition composition(options.common, !options.non_interactive && !json, request.yes);
    if (!options.verification.empty())
        composition.config.verification = parse_verification(options.verification);
    const RunReport report = run_upgrade(composition.parts(reporter, options.events), request);
    if (json) print_json(upgrade_document(report));
    return report.exit_code;
}

}  // namespace runner
