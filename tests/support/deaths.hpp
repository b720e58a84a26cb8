// SPDX-License-Identifier: Apache-2.0
// Runs that die at every point in turn.
#pragma once

#include <cstddef>

#include "support/catch.hpp"
#include "support/engine_world.hpp"

namespace test {

/// `make` prepares a world, and `work` is a run in it that dies at its first point, at its second,
/// and so on until one lives; after each death `check` says what must hold.
template <typename Make, typename Work, typename Check>
void die_everywhere(const Make& make, const Work& work, const Check& check) {
    constexpr std::size_t k_enough = 1000;  // no run of a test has so many points
    std::size_t at = 0;
    for (; at < k_enough; ++at) {
        World world;
        make(world);
        world.process.dies_at = at;
        if (work(world)) break;
        INFO("died at " << at);
        check(world);
    }
    CHECK(at > 50);
    REQUIRE(at < k_enough);
}

}  // namespace test
