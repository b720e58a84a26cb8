// SPDX-License-Identifier: Apache-2.0
// Work on a small stack: whatever calls itself for each level or byte of its input ends the test
// program there.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <stdexcept>

namespace test {

constexpr std::size_t k_small_stack = 512U << 10U;
/// Levels of nesting, or bytes: each would need five bytes of that stack.
constexpr std::size_t k_deep = 100'000;

/// Runs `work` to its end; what it throws is thrown on.
inline void on_small_stack(const std::function<void()>& work) {
    struct Task {
        const std::function<void()>& work;
        std::exception_ptr problem;
    } task{work, nullptr};
    const auto run = [](void* argument) -> void* {
        auto* own = static_cast<Task*>(argument);
        try {
            own->work();
        } catch (...) {
            own->problem = std::current_exception();
        }
        return nullptr;
    };
    pthread_attr_t attributes;
    pthread_t thread{};
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, k_small_stack);
    const int error = ::pthread_create(&thread, &attributes, run, &task);
    ::pthread_attr_destroy(&attributes);
    if (error != 0) throw std::runtime_error("pthread_create");
    ::pthread_join(thread, nullptr);
    if (task.problem) std::rethrow_exception(task.problem);
}

}  // namespace test
