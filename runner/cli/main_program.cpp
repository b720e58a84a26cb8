// SPDX-License-Identifier: Apache-2.0
#include "cli/main_program.hpp"

#include <linux/close_range.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <string_view>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "engine/documents.hpp"
#include "engine/lease_holder.hpp"
#include "host/zygote.hpp"
#include "model/error.hpp"
#include "support/log.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

namespace runner {

const std::vector<Command>& all_commands() {
    static const std::vector<Command> commands{
        {"init", init_command, "write a commented cluster config, and start the ledger"},
        {"check", check_command, "is anything due? one row for each cluster"},
        {"plan", plan_command, "what would run, what not, and why"},
        {"upgrade", upgrade_command, "bring the cluster to its target version: the main job"},
        {"rollback", rollback_command, "undo the newest upgrade, or down to a version"},
        {"verify", verify_command, "does what is done still hold? checks and files"},
        {"history", history_command, "runs, what became of them, and what was done by hand"},
        {"logs", logs_command, "what an upgrade printed"},
        {"run", run_command, "one upgrade by itself; a dry run unless told otherwise"},
        {"skip", skip_command, "leave an upgrade out knowingly; recorded"},
        {"unskip", unskip_command, "take a skip back"},
        {"state", state_command,
         "the ledger by hand: show, export, import, forget, record, correct-version, lock, unlock, "
         "repair"},
        {"releases", releases_command, "the source by hand: list, verify, mirror, serve"},
        {"conformance", conformance_command, "prove that a built upgrade keeps the rules"},
        {"package", package_command, "make the release artefacts of a built upgrade"},
        {"serve", serve_command, "the HTTP API: check, start, watch and undo upgrades"},
        {"token", token_command, "who may use the HTTP API: create, list, revoke"},
        {"completion", completion_command,
         "a script that completes commands and options in a shell"},
    };
    return commands;
}

namespace {

std::string help() {
    std::string text =
        "runner " RUNNER_VERSION
        " - brings clusters from version to version, exactly once, in order, safely\n\n"
        "Usage: runner COMMAND [OPTIONS]\n\nCommands:\n";
    for (const Command& command : all_commands())
        text += "  " + padded(std::string(command.name), 12) + ' ' + command.summary + '\n';
    return text +
           "\nOptions:\n"
           "  -h, --help     this text; 'runner COMMAND --help' tells about one command\n"
           "  --version      the version of this program\n\n"
           "Examples:\n"
           "  runner init --name demo --original-version 0.0.50   write cluster.yaml\n"
           "  runner check -c cluster.yaml                        is anything due?\n"
           "  runner upgrade -c cluster.yaml                      simulate, ask, apply\n\n"
           "Exit codes:\n"
           "  0            done, or nothing to do\n"
           "  1            an upgrade failed after changes had begun; the message names the files "
           "changed\n"
           "               and commands run\n"
           "  2            wrong usage or config; nothing was changed\n"
           "  3            the preparation failed; nothing was changed\n"
           "  4            declined by the user; nothing was changed\n"
           "  5            another run holds the lease; nothing was changed\n"
           "  6            refused: a downgrade, an upgrade that is not above the original "
           "version,\n"
           "               another cluster's ledger, a newer ledger format, a saved plan that no "
           "longer\n"
           "               fits, a rollback that is half done\n"
           "  7            changes are due (check and plan with --fail-on-changes)\n"
           "  8            an upgrade failed and was rolled back; the message names what stays\n"
           "  9            verify: a check fails, or a file is not as it was left\n"
           "  130 143 129  interrupted; the message names the files changed and commands run\n\n"
           "The cluster config is -c FILE, else $RUNNER_CLUSTER, else cluster.yaml in the working "
           "directory.\n";
}

/// What this program was given besides the standard three is for it alone, not for hooks and
/// commands: secrets, the lock of a job.
void keep_descriptors_to_itself() {
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);  // an old kernel: as they were
}

int dispatch(int argc, char** argv) {
    const std::string_view name = argc > 1 ? argv[1] : "";
    if (name == "--help" || name == "-h" || name == "help") {
        print_document(help());
        return 0;
    }
    if (name == "--version") {
        print_line("runner " RUNNER_VERSION);
        return 0;
    }
    for (const Command& command : all_commands()) {
        if (command.name == name) return command.run(argc - 1, argv + 1);
    }
    if (!name.empty())
        throw Error(Failure::usage, "there is no command '" + std::string(name) + "'",
                    "'runner --help' lists them");
    const std::string usage = help();
    for (const std::string_view line : split_lines(usage)) print_error_line(line);
    return exit_code(Failure::usage);
}

/// Whether the arguments ask for JSON. They are read here, too, since what cannot be parsed is told
/// in the form that was asked for.
bool wants_json(int argc, char** argv) {
    bool json = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
        if (argument == "-o" || argument == "--output") {
            json = next == "json";
        } else if (argument.starts_with("-o") || argument.starts_with("--output=")) {
            json = argument == "-ojson" || argument == "--output=json";
        }
    }
    return json;
}

/// The one place where what a command throws is told: on standard error, and where JSON was asked
/// for as the one document on standard output.
void tell(const Error& error, const char* code, bool json) {
    print_error(error);
    if (json) print_json(error_document(RunError{code, error.what(), error.next()}));
}

}  // namespace

int main_program(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == k_zygote_command) return run_zygote();
    keep_descriptors_to_itself();
    const bool json = wants_json(argc, argv);
    try {
        return dispatch(argc, argv);
    } catch (const Error& error) {
        tell(error, to_string(error.failure()), json);
        return exit_code(error.failure());
    } catch (const Interrupted& interrupted) {
        tell(Error(Failure::preparation, "interrupted; nothing was changed"), "interrupted", json);
        return exit_code_of_signal(interrupted.signal);
    } catch (const std::exception& error) {
        const Error bug(Failure::preparation,
                        std::string("unexpected: ") + error.what() + "; this is a bug in runner");
        tell(bug, to_string(bug.failure()), json);
        return exit_code(bug.failure());
    }
}

}  // namespace runner
