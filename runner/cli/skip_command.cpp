// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "engine/planning.hpp"
#include "support/output.hpp"

namespace runner {

int skip_command(int argc, char** argv) {
    CommonOptions common;
    std::string version;
    std::string reason;
    CLI::App app("Leave an upgrade out knowingly: it counts as settled until 'unskip'.", "skip");
    add_cluster_option(app, common);
    app.add_option("upgrade", version, "the upgrade's version")->required();
    app.add_option("--reason", reason, "why; shown in every later plan, kept in the history")
        ->required();
    app.footer("Example:\n  runner skip 0.0.64.argocd --reason 'this cluster has no Argo CD'");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    version = parse_upgrade_argument(version);
    const ClusterConfig config = ClusterConfig::load(cluster_file(common.cluster));
    const SystemClock clock;
    write_ledger(config, clock, [&](Ledger& ledger, const std::string& actor) {
        start_if_new(ledger, config);
        ledger.record_skip({version, reason, actor});
    });
    print_line(version + " is left out from now on.");
    return 0;
}

int unskip_command(int argc, char** argv) {
    CommonOptions common;
    std::string version;
    CLI::App app("Take a 'skip' back: the upgrade is due again.", "unskip");
    add_cluster_option(app, common);
    app.add_option("upgrade", version, "the upgrade's version")->required();
    app.footer("Example:\n  runner unskip 0.0.64.argocd");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    version = parse_upgrade_argument(version);
    const ClusterConfig config = ClusterConfig::load(cluster_file(common.cluster));
    const SystemClock clock;
    bool was_skipped = false;
    write_ledger(config, clock, [&](Ledger& ledger, const std::string& actor) {
        was_skipped = ledger.remove_skip(version, actor);
    });
    if (!was_skipped) {
        throw Error(Failure::usage, version + " was not skipped; nothing was changed",
                    "'runner plan' shows what is left out, and why");
    }
    print_line(version + " is due again.");
    return 0;
}

}  // namespace runner
