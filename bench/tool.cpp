// SPDX-License-Identifier: Apache-2.0
// What the benchmark script cannot do in shell: releases and ledgers by the thousand, peak memory,
// parallel downloads.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "model/release.hpp"
#include "releases/curl_client.hpp"
#include "support/file.hpp"
#include "support/release_maker.hpp"
#include "support/sha256.hpp"

namespace {

std::string version_of(int i) {
    return "0.1." + std::to_string(10000 + i);
}

/// `releases FOLDER COUNT plugin|stub`
int make_releases(const std::string& folder, int count, bool stub) {
    test::ReleaseMaker maker(folder, TEST_PLUGINS);
    for (int i = 0; i < count; ++i) {
        if (stub) {
            maker.file(version_of(i), "upgrade_" + version_of(i), "", std::nullopt);
        } else {
            maker.plugin("noop", version_of(i));
        }
    }
    return 0;
}

/// `dump COUNT`: a ledger with the first COUNT done, for `runner state import`.
int print_dump(int count) {
    runner::Json dump = {
        {"schemaVersion", 1}, {"kind", "RunnerLedger"}, {"cluster", {{"name", "bench"}}}};
    dump["originalVersion"] = "0.1.0";
    dump["clusterVersion"] = version_of(count - 1);
    dump["upgrades"] = runner::Json::array();
    for (int i = 0; i < count; ++i) dump["upgrades"].push_back({{"version", version_of(i)}});
    std::puts(runner::dump_json(dump).c_str());
    return 0;
}

/// `memory COMMAND...`: peak resident memory in KiB.
int print_memory(char** argv) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        std::freopen("/dev/null", "w", stdout);
        ::execvp(argv[0], argv);
        ::_exit(127);
    }
    int status = 0;
    rusage usage{};
    ::wait4(pid, &status, 0, &usage);
    std::printf("%ld\n", usage.ru_maxrss);
    return status == 0 ? 0 : 1;
}

/// `fetch LIST FOLDER`: LIST has a line "URL SHA256" for each file.
int fetch(const std::string& list, const std::string& folder) {
    std::vector<runner::HttpRequest> requests;
    std::ifstream stream(list);
    for (std::string url, digest; stream >> url >> digest;) {
        runner::HttpRequest request;
        request.url = url;
        request.file = folder + "/" + digest;
        request.digest = runner::Digest::parse(digest);
        requests.push_back(request);
    }
    for (const auto& reply : runner::make_http_client({})->get(requests, {})) {
        if (!reply.problem.empty()) {
            std::fprintf(stderr, "%s\n", reply.problem.c_str());
            return 1;
        }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "releases" && argc == 5)
        return make_releases(argv[2], std::atoi(argv[3]), std::string(argv[4]) == "stub");
    if (command == "dump" && argc == 3) return print_dump(std::atoi(argv[2]));
    if (command == "memory" && argc > 2) return print_memory(argv + 2);
    if (command == "fetch" && argc == 4) return fetch(argv[2], argv[3]);
    std::fputs("usage: bench_tool releases|dump|memory|fetch ...\n", stderr);
    return 2;
}
