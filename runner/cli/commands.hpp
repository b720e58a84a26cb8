// SPDX-License-Identifier: Apache-2.0
// The commands, and the table of them. Each takes the arguments after its own name, parses, calls
// the engine, prints, and returns the exit code.
#pragma once

#include <string_view>
#include <vector>

namespace runner {

struct Command {
    std::string_view name;
    int (*run)(int argc, char** argv);
    const char* summary;
};

/// In the order in which help shows them.
const std::vector<Command>& all_commands();

int check_command(int argc, char** argv);
int completion_command(int argc, char** argv);
int history_command(int argc, char** argv);
int init_command(int argc, char** argv);
int logs_command(int argc, char** argv);
int conformance_command(int argc, char** argv);
int package_command(int argc, char** argv);
int plan_command(int argc, char** argv);
int releases_command(int argc, char** argv);
int rollback_command(int argc, char** argv);
int run_command(int argc, char** argv);
int skip_command(int argc, char** argv);
int state_command(int argc, char** argv);
int unskip_command(int argc, char** argv);
int upgrade_command(int argc, char** argv);
int token_command(int argc, char** argv);
int serve_command(int argc, char** argv);
int verify_command(int argc, char** argv);

}  // namespace runner
