// SPDX-License-Identifier: Apache-2.0
// test_simulation [SEEDS] [FIRST]: so many random worlds, in parallel over the cores. A failing
// seed prints one line that repeats it; one seed alone prints everything that happens.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "simulation/simulation.hpp"

namespace {

constexpr std::uint64_t k_seeds = 1000;
constexpr std::uint64_t k_twice = 50;  // each so-manieth seed is run a second time
constexpr int k_most_failures = 5;     // of one process

/// Whether it went well.
bool run_seed(std::uint64_t seed, std::size_t& runs) {
    const test::SimulationResult result = test::simulate(seed);
    runs += result.runs;
    std::vector<std::string> faults = result.faults;
    if (seed % k_twice == 0 && test::simulate(seed).events != result.events)
        faults.emplace_back("the same seed says something else the second time");
    if (faults.empty()) return true;
    std::printf("./dev simulate 1 %llu  # %s\n", static_cast<unsigned long long>(seed),
                faults.front().c_str());
    std::fflush(stdout);
    return false;
}

int show_seed(std::uint64_t seed) {
    const test::SimulationResult result = test::simulate(seed);
    for (const std::string& event : result.events) std::printf("%s\n", event.c_str());
    for (const std::string& fault : result.faults) std::printf("FAULT %s\n", fault.c_str());
    return result.faults.empty() ? 0 : 1;
}

/// One process's share: every `step`th seed.
int run_share(std::uint64_t first, std::uint64_t end, std::uint64_t step, std::size_t& runs) {
    int failures = 0;
    for (std::uint64_t seed = first; seed < end && failures < k_most_failures; seed += step)
        failures += run_seed(seed, runs) ? 0 : 1;
    return failures;
}

std::uint64_t number(int count, char** arguments, int index, std::uint64_t otherwise) {
    return count > index ? std::strtoull(arguments[index], nullptr, 10) : otherwise;
}

}  // namespace

int main(int count, char** arguments) {
    const std::uint64_t seeds = number(count, arguments, 1, k_seeds);
    const std::uint64_t first = number(count, arguments, 2, 1);
    if (seeds == 1) return show_seed(first);
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const auto begun = std::chrono::steady_clock::now();
    std::vector<pid_t> workers;
    for (unsigned i = 0; i < cores; ++i) {
        const pid_t worker = ::fork();
        if (worker != 0) {
            workers.push_back(worker);
            continue;
        }
        std::size_t runs = 0;
        const int failures = run_share(first + i, first + seeds, cores, runs);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begun;
        std::printf("process %u: %zu runs in %.1f s\n", i + 1, runs, time.count());
        std::fflush(stdout);
        ::_exit(failures == 0 ? 0 : 1);
    }
    bool good = true;
    for (const pid_t worker : workers) {
        int status = 0;
        good = ::waitpid(worker, &status, 0) == worker && status == 0 && good;
    }
    std::printf(good ? "%llu seeds from %llu are good\n" : "of %llu seeds from %llu some fail\n",
                static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(first));
    return good ? 0 : 1;
}
