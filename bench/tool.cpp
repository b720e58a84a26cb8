// SPDX-License-Identifier: Apache-2.0
// What the benchmark script cannot do in shell: releases and ledgers by the thousand, peak memory,
// parallel downloads.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "model/release.hpp"
#include "releases/curl_client.hpp"
#include "support/clock.hpp"
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
    for (const auto& reply : runner::make_http_client({})->send(requests, {})) {
        if (!reply.problem.empty()) {
            std::fprintf(stderr, "%s\n", reply.problem.c_str());
            return 1;
        }
    }
    return 0;
}

int connected(int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        std::perror("connect");
        std::exit(1);
    }
    return socket;
}

/// `idle PORT COUNT`: so many connections, until standard input ends.
int hold_connections(int port, int count) {
    for (int i = 0; i < count; ++i) connected(port);
    std::puts("connected");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return 0;
}

/// `latency PORT TOKEN JOB`: from the time in each event that comes live to its arrival.
int print_latency(int port, const std::string& token, const std::string& job) {
    const int socket = connected(port);
    const std::string request = "GET /api/v1/jobs/" + job +
                                "/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token +
                                "\r\nConnection: close\r\n\r\n";
    if (::write(socket, request.data(), request.size()) < 0) return 1;
    const runner::SystemClock clock;
    const auto begun = clock.wall();
    std::vector<std::int64_t> latencies;
    std::string text;
    char bytes[65536];
    for (ssize_t count = 0; (count = ::read(socket, bytes, sizeof(bytes))) > 0;) {
        const auto now = clock.wall();
        text.append(bytes, static_cast<std::size_t>(count));
        const std::string mark = "\"at\":\"";
        std::size_t at = 0;
        while ((at = text.find(mark)) != std::string::npos && text.size() > at + 31) {
            const auto made = runner::parse_time(text.substr(at + mark.size(), 24));
            if (made > begun) latencies.push_back((now - made).count());
            text.erase(0, at + 31);
        }
    }
    std::sort(latencies.begin(), latencies.end());
    if (latencies.empty()) return 1;
    std::printf("%zu %lld %lld\n", latencies.size(),
                static_cast<long long>(latencies[latencies.size() / 2]),
                static_cast<long long>(latencies[latencies.size() * 99 / 100]));
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
    if (command == "idle" && argc == 4)
        return hold_connections(std::atoi(argv[2]), std::atoi(argv[3]));
    if (command == "latency" && argc == 5)
        return print_latency(std::atoi(argv[2]), argv[3], argv[4]);
    std::fputs("usage: bench_tool releases|dump|memory|fetch|idle|latency ...\n", stderr);
    return 2;
}
