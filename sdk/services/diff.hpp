// SPDX-License-Identifier: Apache-2.0
// Unified diffs, as `diff -u` and `git apply` understand them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace upgrade::services {

/// The unified diff, three lines of context, from `before` to `after`; absent means that there is
/// no such file. Empty when both are the same. Bytes that are no text are reported in one line, as
/// git does. Method: E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, with a
/// bound on D; past it the differing middle is shown as replaced whole, which is correct, only
/// longer.
std::string unified_diff(std::string_view path, std::optional<std::string_view> before,
                         std::optional<std::string_view> after);

}  // namespace upgrade::services
