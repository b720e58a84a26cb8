// SPDX-License-Identifier: Apache-2.0
#include "cli/main_program.hpp"

int main(int argc, char** argv) {
    return runner::main_program(argc, argv);
}
