// SPDX-License-Identifier: Apache-2.0
// The request layer of the API: any bytes from a stranger, and any body from an admin.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>

#include "api/api.hpp"
#include "support/file.hpp"

namespace {

/// A connection in memory.
class Memory final : public httplib::Stream {
 public:
    explicit Memory(std::string said) : m_said(std::move(said)) {}
    bool is_readable() const override { return true; }
    bool is_writable() const override { return true; }
    ssize_t read(char* bytes, size_t size) override {
        const std::size_t count = std::min(size, m_said.size() - m_at);
        std::memcpy(bytes, m_said.data() + m_at, count);
        m_at += count;
        return static_cast<ssize_t>(count);
    }
    ssize_t write(const char* bytes, size_t size) override {
        m_heard.append(bytes, size);
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string& address, int& port) const override {
        address = "127.0.0.1";
        port = 1;
    }
    void get_local_ip_and_port(std::string& address, int& port) const override {
        address = "127.0.0.1";
        port = 1;
    }
    socket_t socket() const override { return 0; }
    [[nodiscard]] const std::string& heard() const { return m_heard; }

 private:
    std::string m_said;
    std::size_t m_at = 0;
    std::string m_heard;
};

/// A cluster without releases, an admin, and no program that a job could be.
struct World {
    runner::TemporaryFolder folder{"fuzz-request"};
    runner::SystemClock clock;
    runner::Clusters clusters;
    runner::TokenBook tokens;
    runner::HttpServer server;
    runner::Jobs jobs;
    runner::Api api;
    std::string token;

    World()
        : clusters({written_config(folder.path())}, clock, [] { return false; }),
          tokens(folder.path() / "tokens.json", clock),
          server(unbound(), nullptr, clock),
          jobs(clusters, clock, folder.path() / "no-such-program"),
          api(server, clusters, jobs, tokens, clock),
          token(runner::create_token(folder.path() / "tokens.json", "fuzz", runner::Role::admin,
                                     clock.wall(), std::nullopt)) {
        api.install();
    }

    static runner::HttpServerOptions unbound() {
        runner::HttpServerOptions options;
        options.port = -1;
        return options;
    }
    static std::filesystem::path written_config(const std::filesystem::path& folder) {
        std::filesystem::create_directories(folder / "releases");
        runner::create_file(folder / "cluster.yaml",
                            "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: test}\n"
                            "originalVersion: 0.1.0\n"
                            "releases: {source: directory, directory: releases}\n"
                            "trust: {verification: disabled}\n");
        return folder / "cluster.yaml";
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static World world;
    if (size == 0) return 0;
    std::string said(reinterpret_cast<const char*>(data + 1), size - 1);
    if (data[0] % 2 == 1) {  // the first line is method and address, the rest the body
        const std::size_t end = std::min(said.find('\n'), said.size());
        const std::string body = end < said.size() ? said.substr(end + 1) : "";
        said =
            said.substr(0, end) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + world.token +
            "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\n\r\n" + body;
    }
    Memory stream(said);
    bool closed = false;
    world.server.handle(stream, "127.0.0.1", false, closed);
    const std::string& heard = stream.heard();
    if (heard.find(world.folder.path().string()) != std::string::npos) std::abort();
    if (heard.find(world.token) != std::string::npos) std::abort();
    return 0;
}
