// SPDX-License-Identifier: Apache-2.0
// Programs with a small stack: whatever in them calls itself for each level or byte of its input
// ends them with a signal.
#pragma once

#include <sys/resource.h>

#include <stdexcept>

namespace test {

/// While this lives, programs that are started get a stack of 512 KiB.
class SmallStackOfPrograms {
 public:
    SmallStackOfPrograms() {
        constexpr rlim_t k_small = 512U << 10U;
        if (::getrlimit(RLIMIT_STACK, &m_own) != 0) throw std::runtime_error("getrlimit");
        const rlimit small{k_small, m_own.rlim_max};
        if (::setrlimit(RLIMIT_STACK, &small) != 0) throw std::runtime_error("setrlimit");
    }
    ~SmallStackOfPrograms() { ::setrlimit(RLIMIT_STACK, &m_own); }
    SmallStackOfPrograms(const SmallStackOfPrograms&) = delete;
    SmallStackOfPrograms& operator=(const SmallStackOfPrograms&) = delete;

 private:
    rlimit m_own{};
};

}  // namespace test
