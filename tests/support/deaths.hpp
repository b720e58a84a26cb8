// SPDX-License-Identifier: Apache-2.0
// Runs that die at one point, or at every point in turn.
#pragma once

#include <cstddef>
#include <string>

#include "support/catch.hpp"
#include "support/engine_world.hpp"

namespace test {

/// `work` is a run in this world that dies at its nth point of this name. What comes after it
/// lives.
template <typename Work>
void die_at(World& world, const std::string& point, int nth, const Work& work) {
    world.at(point, nth, [&] { world.process.dies_at = world.process.points; });
    REQUIRE_FALSE(work());
    world.process.at_point = nullptr;
}

/// The same of `upgrade --yes`.
inline void die_at(World& world, const std::string& point, int nth = 1) {
    die_at(world, point, nth, [&] { return world.upgrade(); });
}

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
