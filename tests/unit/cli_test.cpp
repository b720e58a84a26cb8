// SPDX-License-Identifier: Apache-2.0
#include "cli/look_exit_code.hpp"

#include "support/catch.hpp"

using runner::exit_code_of_changes;
using runner::worst_exit_code;

TEST_CASE("of the exit codes of several clusters the worst is taken, in any order of them") {
    struct Row {
        std::vector<int> codes;
        int worst;
    };
    const std::vector<Row> rows{
        {{}, 0},
        {{0}, 0},
        {{0, 0}, 0},
        {{7}, 7},
        {{0, 7}, 7},
        {{0, 2}, 2},
        {{7, 2}, 2},
        {{2, 2}, 2},
        {{2, 3}, 3},
        {{7, 3, 0}, 3},
        {{3, 5}, 5},
        {{5, 6}, 6},
        {{0, 2, 3, 5, 7}, 5},
        {{0, 2, 3, 5, 6, 7}, 6},
        {{6, 1}, 1},  // none that looking knows
    };
    for (const Row& row : rows) {
        CAPTURE(row.codes);
        CHECK(worst_exit_code(row.codes) == row.worst);
        const std::vector<int> reversed(row.codes.rbegin(), row.codes.rend());
        CHECK(worst_exit_code(reversed) == row.worst);
    }
}

TEST_CASE("what is due fails a look only when that was asked for") {
    CHECK(exit_code_of_changes(true, true) == 7);
    CHECK(exit_code_of_changes(true, false) == 0);
    CHECK(exit_code_of_changes(false, true) == 0);
}
