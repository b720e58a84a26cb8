// SPDX-License-Identifier: Apache-2.0
// Lists that may be long, in a sentence.
#pragma once

#include <string>
#include <vector>

namespace runner {

/// "a, b and 3 more": at most `limit` of them by name, at least one.
std::string first_names(const std::vector<std::string>& names, std::size_t limit);

}  // namespace runner
