// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "cli/text_reporter.hpp"
#include "engine/documents.hpp"
#include "engine/repair.hpp"
#include "engine/standing.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "support/file.hpp"
#include "support/output.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_import = 64U << 20U;

/// What was asked for.
struct StateRequest {
    CommonOptions common;
    std::string version;
    std::string reason;
    std::string file;
    bool yes = false;
    bool dry_run = false;
};

/// What the subcommands work on.
struct StateTools {
    explicit StateTools(const StateRequest& request)
        : config(ClusterConfig::load(cluster_file(request.common.cluster))) {}
    ClusterConfig config;
    SystemClock clock;
};

std::string text_of(const std::optional<SemanticVersion>& version) {
    return version ? version->to_string() : "unknown";
}

int show(const StateRequest& request) {
    const StateTools tools(request);
    const auto ledger = look_at_ledger(tools.config.state);
    const LedgerFacts facts = facts_as_of_now(*ledger, tools.clock);
    const auto done = ledger->done();
    const auto lease = ledger->lease();
    if (request.common.json()) {
        print_json(state_document(facts, done, lease));
        return 0;
    }
    if (!facts.identity) {
        print_line("There is no ledger at " + tools.config.state.string() + " yet.");
        return 0;
    }
    print_line("cluster           " + facts.identity->name);
    print_line("original version  " + text_of(facts.cluster.original_version));
    print_line("cluster version   " + text_of(facts.cluster.cluster_version));
    if (lease) {
        print_line("lease             " + (lease->manual() ? "locked by hand" : lease->owner) +
                   ", " + lease->actor + " on " + lease->host + " since " +
                   format_time(lease->acquired_at) +
                   (lease->reason.empty() ? "" : ": " + lease->reason));
    }
    if (facts.has_unfinished_run)
        print_line("unfinished run    yes: the next run begins with what it has left");
    for (const UnsettledUpgrade& upgrade : facts.unsettled)
        print_line("not settled       " + standing_words(upgrade));
    print_line("done              " + counted(done.size(), "upgrade"));
    for (const DoneRecord& record : done) {
        print_line("  " + padded(record.version, k_version_width) + ' ' +
                   format_time(record.recorded_at) + "  " + record.how);
    }
    return 0;
}

int export_state(const StateRequest& request) {
    const StateTools tools(request);
    const auto ledger = look_at_ledger(tools.config.state);
    if (!ledger->facts().identity)
        throw Error(Failure::preparation, "there is no ledger at " + tools.config.state.string());
    const std::string text = dump_json(export_document(ledger->dump()), 2) + '\n';
    if (request.file.empty()) {
        print_document(text);
    } else {
        create_file(request.file, text);
    }
    return 0;
}

int import_state(const StateRequest& request) {
    const StateTools tools(request);
    const LedgerDump dump = parse_export(read_given_file(request.file, k_max_import), request.file);
    const ClusterIdentity own = identity_of(tools.config);
    if (dump.identity != own) {
        throw Error(Failure::refused, request.file + " is of the cluster '" + dump.identity.name +
                                          "', the config is of '" + own.name + "'");
    }
    write_ledger(tools.config, tools.clock,
                 [&](Ledger& ledger, const std::string& actor) { ledger.import(dump, actor); });
    print_line("Imported " + counted(dump.done.size(), "upgrade") + '.');
    return 0;
}

int forget(const StateRequest& request) {
    const StateTools tools(request);
    const std::string version = parse_upgrade_argument(request.version);
    write_ledger(tools.config, tools.clock, [&](Ledger& ledger, const std::string& actor) {
        if (!ledger.forget(version, actor, request.reason)) {
            throw Error(Failure::preparation,
                        version + " is neither done nor begun, so it cannot be forgotten");
        }
    });
    print_line(version + " is due again.");
    return 0;
}

/// To record it once more would take away what the ledger knows of how to undo it.
void refuse_if_done(const LedgerFacts& facts, const std::string& version) {
    if (is_done(facts, version) && unsettled_in(facts, version) == nullptr)
        throw Error(Failure::refused, version + " is recorded as done already",
                    "'runner history' shows since when");
}

int record(const StateRequest& request) {
    const StateTools tools(request);
    const std::string version = parse_upgrade_argument(request.version);
    write_ledger(tools.config, tools.clock, [&](Ledger& ledger, const std::string& actor) {
        start_if_new(ledger, tools.config);
        refuse_if_done(ledger.facts(), version);
        DoneRecord done;
        done.version = version;
        done.how = "record";
        ledger.record_done(done, actor, request.reason);
    });
    print_line(version + " is recorded as done.");
    return 0;
}

int correct_version(const StateRequest& request) {
    const SemanticVersion version = SemanticVersion::parse(request.version);
    const StateTools tools(request);
    std::optional<SemanticVersion> before;
    write_ledger(tools.config, tools.clock, [&](Ledger& ledger, const std::string& actor) {
        start_if_new(ledger, tools.config);
        before = ledger.facts().cluster.cluster_version;
        ledger.correct_version(version, actor, request.reason);
    });
    print_line("The cluster version was " + text_of(before) + " and is now " + version.to_string() +
               '.');
    return 0;
}

int lock(const StateRequest& request) {
    const StateTools tools(request);
    LeaseInfo owner = make_lease_owner("manual");
    owner.reason = request.reason;
    open_ledger(tools.config.state, tools.clock)->lock_by_hand(owner);
    print_line("Locked. 'runner state unlock' releases it.");
    return 0;
}

int unlock(const StateRequest& request) {
    const StateTools tools(request);
    const bool was_locked =
        open_ledger(tools.config.state, tools.clock)->unlock_by_hand(make_lease_owner("").actor);
    print_line(was_locked ? "Unlocked." : "It was not locked by hand.");
    return 0;
}

/// Looks, explains, asks, and puts right.
int repair(const StateRequest& request) {
    const CommonOptions& common = request.common;
    TextReporter reporter(common.json());
    Composition composition(common, !common.json(), request.yes);
    const Diagnosis diagnosis = diagnose_ledger(composition.config);
    const bool repairs = diagnosis.can_repair() && !request.dry_run;
    if (repairs && !request.yes && !composition.terminal.interactive())
        throw Error(Failure::usage,
                    "there is no terminal to ask on, and --yes was not given; nothing was "
                    "changed",
                    "add --yes to repair it, or --dry-run to look");
    if (!common.json()) {
        if (diagnosis.findings.empty()) print_line("Nothing is wrong with the ledger.");
        for (const Finding& finding : diagnosis.findings) {
            print_line(finding.what);
            print_line("    " +
                       (finding.repairable ? "repair: " + finding.remedy : finding.remedy));
        }
    }
    if (repairs) {
        if (!request.yes && !means_yes(composition.terminal.ask("Repair it? [y/N] ")))
            throw Error(Failure::declined, "declined; nothing was changed");
        const std::vector<std::string> done = repair_ledger(composition.config, diagnosis, reporter,
                                                            composition.signals, composition.clock);
        for (const std::string& line : done) {
            if (!common.json()) print_line(line);
        }
    }
    // Last, so that it is the only document also when the repair fails.
    if (common.json()) print_json(diagnosis_document(diagnosis));
    const bool hopeless = !diagnosis.findings.empty() && !diagnosis.can_repair();
    return hopeless ? exit_code(Failure::preparation) : 0;
}

void no_options(CLI::App& /*sub*/, StateRequest& /*request*/) {}

void export_options(CLI::App& sub, StateRequest& request) {
    sub.add_option("file", request.file, "where to write it (default: standard output)");
}

void import_options(CLI::App& sub, StateRequest& request) {
    sub.add_option("file", request.file, "what 'export' wrote")->required();
}

void reason_option(CLI::App& sub, StateRequest& request) {
    sub.add_option("--reason", request.reason, "why; kept in the history")->required();
}

void upgrade_options(CLI::App& sub, StateRequest& request) {
    sub.add_option("upgrade", request.version, "the upgrade's version")->required();
    reason_option(sub, request);
}

void version_options(CLI::App& sub, StateRequest& request) {
    sub.add_option("version", request.version, "the cluster's version from now on")->required();
    reason_option(sub, request);
}

void repair_options(CLI::App& sub, StateRequest& request) {
    sub.add_flag("-y,--yes", request.yes, "do not ask");
    sub.add_flag("-n,--dry-run", request.dry_run, "only look and explain");
}

/// What each subcommand takes, and what carries it out and returns the exit code.
struct Subcommand {
    const char* name;
    const char* summary;
    int (*work)(const StateRequest& request);
    void (*add_options)(CLI::App& sub, StateRequest& request);
};

constexpr Subcommand k_subcommands[] = {
    {"show", "versions, lease, and what is done; changes nothing", show, no_options},
    {"export", "the ledger's content as JSON; changes nothing", export_state, export_options},
    {"import", "start a ledger from what 'export' wrote", import_state, import_options},
    {"forget", "make a done upgrade due again", forget, upgrade_options},
    {"record", "mark an upgrade as done without running it", record, upgrade_options},
    {"correct-version", "set the cluster version by hand, up or down", correct_version,
     version_options},
    {"lock", "keep all runs out until unlock", lock, reason_option},
    {"unlock", "release a lock by hand", unlock, no_options},
    {"repair", "look for what should not be there, explain it, ask, and put it right", repair,
     repair_options},
};

}  // namespace

int state_command(int argc, char** argv) {
    StateRequest request;
    CLI::App app("The ledger by hand.", "state");
    app.require_subcommand(1);
    app.fallthrough();
    add_common_options(app, request.common);
    std::vector<std::pair<CLI::App*, const Subcommand*>> subcommands;
    for (const Subcommand& subcommand : k_subcommands) {
        CLI::App* sub = app.add_subcommand(subcommand.name, subcommand.summary);
        subcommand.add_options(*sub, request);
        subcommands.emplace_back(sub, &subcommand);
    }
    app.footer(
        "Examples:\n"
        "  runner state show -c cluster.yaml\n"
        "  runner state record 0.0.61 --reason 'done by hand on Monday'\n"
        "  runner state correct-version 0.0.61 --reason 'restored from a backup'\n"
        "  runner state lock --reason 'freeze until the fair is over'");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    for (const auto& [sub, subcommand] : subcommands) {
        if (sub->parsed()) return subcommand->work(request);
    }
    return 0;
}

}  // namespace runner
