// SPDX-License-Identifier: Apache-2.0
#include "cli/look_exit_code.hpp"

#include <algorithm>
#include <array>

namespace runner {
namespace {

constexpr int k_changes_due = 7;

// Refused, lease held, preparation, usage: a cluster that cannot be looked at comes before one
// where something is due.
constexpr std::array<int, 6> k_worst_first{6, 5, 3, 2, k_changes_due, 0};

/// The place among the known ones, 1 being the worst; 0 for any other.
auto rank(int code) {
    const auto found = std::find(k_worst_first.begin(), k_worst_first.end(), code);
    return found == k_worst_first.end() ? 0 : found - k_worst_first.begin() + 1;
}

}  // namespace

int exit_code_of_changes(bool any_due, bool fail_on_changes) {
    return any_due && fail_on_changes ? k_changes_due : 0;
}

int worst_exit_code(const std::vector<int>& codes) {
    const auto worst = std::min_element(codes.begin(), codes.end(),
                                        [](int a, int b) { return rank(a) < rank(b); });
    return worst == codes.end() ? 0 : *worst;
}

}  // namespace runner
