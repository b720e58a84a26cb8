// SPDX-License-Identifier: Apache-2.0
// The program: finds the command, runs it, turns errors into messages and exit codes.
#pragma once

namespace runner {

int main_program(int argc, char** argv);

}  // namespace runner
