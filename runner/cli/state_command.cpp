// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "engine/repair.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "support/file.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_import = 64U << 20U;

/// What the subcommands work on.
struct StateTools {
    ClusterConfig config;
    SystemClock clock;
};

void show(const StateTools& tools, bool json) {
    const auto ledger = look_at_ledger(tools.config.state);
    const LedgerFacts facts = ledger->facts();
    const auto done = ledger->done();
    const auto lease = ledger->lease();
    if (json) {
        print_json(state_document(facts, done, lease));
        return;
    }
    if (!facts.identity) {
        std::printf("There is no ledger at %s yet.\n", tools.config.state.c_str());
        return;
    }
    const auto text = [](const std::optional<SemanticVersion>& version) {
        return version ? version->to_string() : "unknown";
    };
    std::printf("cluster           %s\n", facts.identity->name.c_str());
    std::printf("original version  %s\n", text(facts.cluster.original_version).c_str());
    std::printf("cluster version   %s\n", text(facts.cluster.cluster_version).c_str());
    if (lease) {
        std::printf("lease             %s, %s on %s since %s%s%s\n",
                    lease->manual() ? "locked by hand" : lease->owner.c_str(), lease->actor.c_str(),
                    lease->host.c_str(), format_time(lease->acquired_at).c_str(),
                    lease->reason.empty() ? "" : ": ", lease->reason.c_str());
    }
    if (facts.has_unfinished_run)
        std::puts("unfinished run    yes: the next 'runner upgrade' goes on from it");
    std::printf("done              %s\n", counted(done.size(), "upgrade").c_str());
    for (const DoneRecord& record : done) {
        std::printf("  %-32s %s  %s\n", record.version.c_str(),
                    format_time(record.recorded_at).c_str(), record.how.c_str());
    }
}

/// Looks, explains, asks, and puts right. Returns the exit code.
int repair(const CommonOptions& common, bool yes, bool dry_run) {
    TextReporter reporter(common.json());
    Composition composition(common, !common.json());
    const Diagnosis diagnosis = diagnose_ledger(composition.config);
    if (common.json()) print_json(diagnosis_document(diagnosis));
    if (!common.json()) {
        if (diagnosis.findings.empty()) std::puts("Nothing is wrong with the ledger.");
        for (const Finding& finding : diagnosis.findings)
            std::printf("%s\n    %s%s\n", finding.what.c_str(),
                        finding.repairable ? "repair: " : "", finding.remedy.c_str());
    }
    if (diagnosis.findings.empty()) return 0;
    if (!diagnosis.can_repair()) return exit_code(Failure::preparation);
    if (dry_run) return 0;
    if (!yes) {
        if (!composition.terminal.interactive())
            throw Error(Failure::usage,
                        "there is no terminal to ask on, and --yes was not given; nothing was "
                        "changed",
                        "add --yes to repair it, or --dry-run to look");
        if (!means_yes(composition.terminal.ask("Repair it? [y/N] ")))
            throw Error(Failure::declined, "declined; nothing was changed");
    }
    const std::vector<std::string> done = repair_ledger(composition.config, diagnosis, reporter,
                                                        composition.signals, composition.clock);
    for (const std::string& line : done) {
        if (!common.json()) std::puts(line.c_str());
    }
    return 0;
}

}  // namespace

int state_command(int argc, char** argv) {
    CommonOptions common;
    std::string version;
    std::string reason;
    std::string file;
    bool yes = false;
    bool dry_run = false;
    CLI::App app("The ledger by hand.", "state");
    app.require_subcommand(1);
    app.fallthrough();
    add_common_options(app, common);
    CLI::App* show_app =
        app.add_subcommand("show", "versions, lease, and what is done; changes nothing");
    CLI::App* export_app =
        app.add_subcommand("export", "the ledger's content as JSON; changes nothing");
    export_app->add_option("file", file, "where to write it (default: standard output)");
    CLI::App* import_app = app.add_subcommand("import", "start a ledger from what 'export' wrote");
    import_app->add_option("file", file, "what 'export' wrote")->required();
    CLI::App* forget_app = app.add_subcommand("forget", "make a done upgrade due again");
    CLI::App* record_app =
        app.add_subcommand("record", "mark an upgrade as done without running it");
    CLI::App* lock_app = app.add_subcommand("lock", "keep all runs out until unlock");
    CLI::App* unlock_app = app.add_subcommand("unlock", "release a lock by hand");
    CLI::App* repair_app = app.add_subcommand(
        "repair", "look for what should not be there, explain it, ask, and put it right");
    repair_app->add_flag("-y,--yes", yes, "do not ask");
    repair_app->add_flag("-n,--dry-run", dry_run, "only look and explain");
    for (CLI::App* sub : {forget_app, record_app})
        sub->add_option("upgrade", version, "the upgrade's version")->required();
    for (CLI::App* sub : {forget_app, record_app, lock_app}) {
        sub->add_option("--reason", reason, "why; kept in the history")->required();
    }
    app.footer(
        "Examples:\n"
        "  runner state show -c cluster.yaml\n"
        "  runner state record 0.0.61 --reason 'done by hand on Monday'\n"
        "  runner state lock --reason 'freeze until the fair is over'");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (repair_app->parsed()) return repair(common, yes, dry_run);
    StateTools tools{ClusterConfig::load(cluster_file(common.cluster)), {}};
    if (!version.empty()) version = parse_upgrade_argument(version);

    if (show_app->parsed()) {
        show(tools, common.json());
    } else if (export_app->parsed()) {
        const auto ledger = look_at_ledger(tools.config.state);
        if (!ledger->facts().identity)
            throw Error(Failure::preparation,
                        "there is no ledger at " + tools.config.state.string());
        const std::string text = dump_json(export_document(ledger->dump()), 2) + '\n';
        if (file.empty()) {
            std::fputs(text.c_str(), stdout);
        } else {
            create_file(file, text);
        }
    } else if (import_app->parsed()) {
        const LedgerDump dump = parse_export(read_file(file, k_max_import), file);
        const ClusterIdentity own{tools.config.name, tools.config.region, tools.config.account_id};
        if (dump.identity != own) {
            throw Error(Failure::refused, file + " is of the cluster '" + dump.identity.name +
                                              "', the config is of '" + own.name + "'");
        }
        write_ledger(tools.config, tools.clock,
                     [&](Ledger& ledger, const std::string& actor) { ledger.import(dump, actor); });
        std::printf("Imported %s.\n", counted(dump.done.size(), "upgrade").c_str());
    } else if (forget_app->parsed()) {
        write_ledger(tools.config, tools.clock, [&](Ledger& ledger, const std::string& actor) {
            if (!ledger.forget(version, actor, reason)) {
                throw Error(Failure::preparation,
                            version + " is neither done nor begun, so it cannot be forgotten");
            }
        });
        std::printf("%s is due again.\n", version.c_str());
    } else if (record_app->parsed()) {
        write_ledger(tools.config, tools.clock, [&](Ledger& ledger, const std::string& actor) {
            start_if_new(ledger, tools.config);
            DoneRecord done;
            done.version = version;
            done.how = "record";
            ledger.record_done(done, actor, reason);
        });
        std::printf("%s is recorded as done.\n", version.c_str());
    } else if (lock_app->parsed()) {
        const auto ledger = open_ledger(tools.config.state, tools.clock);
        LeaseInfo owner = make_lease_owner("manual");
        owner.reason = reason;
        ledger->lock_by_hand(owner);
        std::puts("Locked. 'runner state unlock' releases it.");
    } else if (unlock_app->parsed()) {
        const bool was_locked = open_ledger(tools.config.state, tools.clock)
                                    ->unlock_by_hand(make_lease_owner("").actor);
        std::puts(was_locked ? "Unlocked." : "It was not locked by hand.");
    }
    return 0;
}

}  // namespace runner
