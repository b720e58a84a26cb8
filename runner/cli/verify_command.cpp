// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "engine/kinds/verify_kind.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr int k_not_as_left = 9;

void print_summary(const VerifyReport& report) {
    std::size_t bad = 0;
    for (const VerifiedUpgrade& upgrade : report.upgrades)
        bad += upgrade.health == Health::unhealthy || upgrade.health == Health::unknown ? 1 : 0;
    for (const DriftedFile& file : report.files)
        print_line(file.path + " is " + file.found + " since " + file.version +
                   (file.detail.empty() ? "" : ": " + file.detail));
    if (report.good()) {
        print_line("Everything that is done still holds: " +
                   counted(report.upgrades.size(), "upgrade") + '.');
    } else {
        print_line(counted(bad, "upgrade") + " not healthy, " +
                   counted(report.files.size(), "file") + " not as left.");
    }
}

}  // namespace

int verify_command(int argc, char** argv) {
    CommonOptions common;
    VerifyRequest request;
    ParameterOptions parameters;
    bool no_files = false;
    CLI::App app(
        "Whether what is done still holds: the check of each upgrade once more, and the files that "
        "upgrades have changed. Changes nothing.",
        "verify");
    add_common_options(app, common);
    app.add_option("upgrades", request.only, "only these (default: all that are done)");
    app.add_flag("--no-files", no_files, "do not look at files: people may change them, too");
    add_parameter_options(app, parameters);
    app.footer(
        "Exits with 9 when a check fails, cannot be made, or a file is not as it was left.\n"
        "Examples:\n"
        "  runner verify -c cluster.yaml\n"
        "  runner verify -c cluster.yaml --no-files -o json   from a timer, for monitoring");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    request.files = !no_files;
    request.debug = common.debug;
    request.parameters = parameters.read();
    for (std::string& version : request.only) version = parse_upgrade_argument(version);
    TextReporter reporter(common.json());
    Composition composition(common, false);
    const VerifyReport report = run_verify(composition.parts(reporter), request);
    if (common.json()) {
        print_json(verify_document(report));
    } else {
        print_summary(report);
    }
    return report.good() ? 0 : k_not_as_left;
}

}  // namespace runner
