// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "engine/kinds/rollback_kind.hpp"

namespace runner {

int rollback_command(int argc, char** argv) {
    CommonOptions common;
    RollbackRequest request;
    ParameterOptions parameters;
    std::string wait;
    std::string events;
    bool non_interactive = false;
    CLI::App app(
        "Undo the newest upgrade, or all down to a version: each one's own rollback, then its "
        "files.",
        "rollback");
    add_common_options(app, common);
    app.add_option("--to", request.target, "the version that the cluster is brought back to");
    app.add_option("--reason", request.reason, "why; kept in the history");
    app.add_flag("-n,--dry-run", request.dry_run,
                 "simulate it: show the commands that it would run and the files that it would put "
                 "back");
    app.add_flag("-y,--yes,--confirm", request.yes, "do not ask");
    app.add_flag("--force", request.force, "overwrite files that were changed by hand since");
    add_parameter_options(app, parameters);
    add_events_option(app, events);
    add_run_id_option(app, request.run_id);
    app.add_option("--wait", wait, "wait so long for a held lease, such as 30s or 5m");
    app.add_flag("--non-interactive", non_interactive, "never ask, as without a terminal");
    app.footer(
        "Examples:\n"
        "  runner rollback -c cluster.yaml --dry-run\n"
        "  runner rollback -c cluster.yaml --reason 'the new image does not start'\n"
        "  runner rollback -c cluster.yaml --to 0.0.62 --yes");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    request.debug = common.debug;
    request.parameters = parameters.read();
    request.wait = parse_duration_option(wait, "--wait");
    TextReporter reporter(common.json());
    Composition composition(common, !non_interactive && !common.json(), request.yes);
    const RunReport report = run_rollback(composition.parts(reporter, events), request);
    if (common.json()) print_json(upgrade_document(report));
    return report.exit_code;
}

}  // namespace runner
