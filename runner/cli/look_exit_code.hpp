// SPDX-License-Identifier: Apache-2.0
// Exit codes of the commands that only look: `plan`, and `check` of one or several clusters.
#pragma once

#include <vector>

namespace runner {

/// Of one cluster that could be looked at: 7 when anything is due and that is to fail, else 0.
int exit_code_of_changes(bool any_due, bool fail_on_changes);

/// Of several clusters, one code each: the worst, which is 6, 5, 3, 2, 7, 0 in this order. A code
/// that looking does not know is worse than any of these: it is never hidden. None: 0.
int worst_exit_code(const std::vector<int>& codes);

}  // namespace runner
