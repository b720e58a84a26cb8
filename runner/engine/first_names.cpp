// SPDX-License-Identifier: Apache-2.0
#include "engine/first_names.hpp"

#include <algorithm>

#include "support/text.hpp"

namespace runner {

std::string first_names(const std::vector<std::string>& names, std::size_t limit) {
    const std::size_t count = std::min(names.size(), std::max<std::size_t>(limit, 1));
    const std::vector<std::string> first(names.begin(),
                                         names.begin() + static_cast<std::ptrdiff_t>(count));
    const std::size_t left = names.size() - count;
    return join(first, ", ") + (left == 0 ? "" : " and " + std::to_string(left) + " more");
}

}  // namespace runner
