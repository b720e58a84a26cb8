// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "engine/kinds/single_kind.hpp"

namespace runner {

int run_command(int argc, char** argv) {
    CommonOptions common;
    SingleRunRequest request;
    request.dry_run = true;
    bool confirm = false;
    ParameterOptions parameters;
    std::string events;
    CLI::App app("One upgrade by itself. A dry run unless --dry-run=false.", "run");
    add_common_options(app, common);
    app.add_option("upgrade", request.upgrade,
                   "a built plugin or program, or the version of a release")
        ->required();
    app.add_option("--dry-run", request.dry_run,
                   "true (default): show what would be done, change nothing");
    app.add_flag("--confirm", confirm, "do not ask");
    app.add_flag("--record", request.record, "record it as done when it succeeds for real");
    app.add_flag("--confirm-downtime", request.confirm_downtime,
                 "an upgrade that causes downtime is meant, too");
    app.add_option("--accept-changed", request.accept_changed,
                   "take an upgrade whose release was changed since it was first attempted")
        ->delimiter(',');
    app.add_flag("!--no-auto-rollback", request.roll_back,
                 "when it fails it keeps its finished steps, also where it could be undone");
    app.add_option("--reason", request.reason, "why; kept in the history");
    add_parameter_options(app, parameters);
    add_events_option(app, events);
    app.footer(
        "Examples:\n"
        "  runner run build/upgrades/upgrade_0.0.61.so -c cluster.yaml\n"
        "  runner run 0.0.61 -c cluster.yaml --dry-run=false --confirm --record");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    request.yes = confirm;
    request.debug = common.debug;
    request.parameters = parameters.read();
    TextReporter reporter(common.json());
    Composition composition(common, !common.json(), request.yes);
    const RunReport report = run_single(composition.parts(reporter, events), request);
    if (common.json()) print_json(upgrade_document(report));
    return report.exit_code;
}

}  // namespace runner
