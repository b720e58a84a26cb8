// SPDX-License-Identifier: Apache-2.0
// Unified diffs, as `diff -u` and `git apply` understand them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace upgrade::services {

/// One side of a diff.
struct DiffSide {
    std::optional<std::string_view> text;  ///< absent: there is no such file
    std::optional<unsigned> mode{};        ///< the bits that chmod sets; absent: not known
};

/// The unified diff, three lines of context, from `before` to `after`. Empty when both are the
/// same. A mode that is new, another one or gone is shown as git shows it. Bytes that are no text
/// are reported in one line, as git does. Method: E. Myers, "An O(ND) Difference Algorithm and Its
/// Variations", 1986, with a bound on D; past it the differing middle is shown as replaced whole,
/// which is correct, only longer.
std::string unified_diff(std::string_view path, const DiffSide& before, const DiffSide& after);

}  // namespace upgrade::services
