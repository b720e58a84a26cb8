// SPDX-License-Identifier: Apache-2.0
// Catch2 2 or 3, with the string matchers under one name.
#pragma once

#include <testing/catch.hpp>

#if __has_include(<catch2/catch_all.hpp>)
namespace Catch {

inline auto Contains(const std::string& text) {
    return Matchers::ContainsSubstring(text);
}
using Matchers::EndsWith;

}  // namespace Catch
#endif
