// SPDX-License-Identifier: Apache-2.0
// One seed: a random world, random operations on it, and the model beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace test {

struct SimulationResult {
    std::vector<std::string> faults;  ///< of the engine; empty: none
    std::vector<std::string> events;  ///< everything that was done and told, in order
    std::size_t runs = 0;             ///< of the engine
};

SimulationResult simulate(std::uint64_t seed);

}  // namespace test
