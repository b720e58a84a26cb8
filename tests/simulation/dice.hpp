// SPDX-License-Identifier: Apache-2.0
// Chance that comes out the same for the same seed, on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace test {

class Dice {
 public:
    explicit Dice(std::uint64_t seed) : m_engine(seed) {}
    /// 0 to `sides` - 1.
    std::size_t roll(std::size_t sides) { return static_cast<std::size_t>(m_engine() % sides); }
    bool chance(std::size_t percent) { return roll(100) < percent; }
    template <typename Value>
    const Value& one_of(const std::vector<Value>& values) {
        return values[roll(values.size())];
    }

 private:
    std::mt19937_64 m_engine;
};

}  // namespace test
