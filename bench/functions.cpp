// SPDX-License-Identifier: Apache-2.0
// Functions, and the floor under them: what a commit, a load, a hash cost on this machine.
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <openssl/evp.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include "plan/plan.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace {

using namespace runner;

void plan_releases(benchmark::State& state) {
    std::vector<Release> releases;
    for (int i = 0; i < state.range(0); ++i) {
        Release release;
        release.version = UpgradeVersion::parse("0." + std::to_string(i / 100) + "." +
                                                std::to_string(i % 100 + 1));
        release.tag = release.version->to_string();
        release.has_build = true;
        releases.push_back(release);
    }
    ClusterFacts facts;
    facts.original_version = SemanticVersion::parse("0.0.0");
    for (std::size_t i = 0; i < releases.size() / 2; ++i)
        facts.done.push_back({releases[i].tag, "Linux_amd64", std::nullopt});
    PlanOptions options;
    options.platform = "Linux_amd64";
    for (auto _ : state) benchmark::DoNotOptimize(make_plan(releases, facts, options));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(plan_releases)->Arg(100)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

void parse_version(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(UpgradeVersion::parse("0.0.65.loki-persistence"));
}
BENCHMARK(parse_version);

void sha256_ours(benchmark::State& state) {
    const std::string bytes(1U << 20U, 'x');
    for (auto _ : state) benchmark::DoNotOptimize(sha256(bytes));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(sha256_ours);

void sha256_openssl(benchmark::State& state) {
    const std::string bytes(1U << 20U, 'x');
    unsigned char digest[32];
    for (auto _ : state)
        EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr);
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(sha256_openssl);

void floor_commit(benchmark::State& state) {
    const TemporaryFolder folder("bench");
    SQLite::Database database((folder.path() / "db").string(),
                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec("PRAGMA journal_mode=WAL");
    database.exec("PRAGMA synchronous=FULL");
    database.exec("CREATE TABLE t (a)");
    for (auto _ : state) database.exec("INSERT INTO t VALUES (1)");
}
BENCHMARK(floor_commit)->Unit(benchmark::kMicrosecond);

void floor_load_plugin(benchmark::State& state) {
    for (auto _ : state) ::dlclose(::dlopen(BENCH_PLUGIN, RTLD_NOW | RTLD_LOCAL));
}
BENCHMARK(floor_load_plugin)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
