// SPDX-License-Identifier: Apache-2.0
// The real server over a sandbox's cluster, and a client.
#pragma once

#include <httplib.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/json.hpp"
#include "support/sandbox.hpp"

namespace test {

struct ApiReply {
    int status = 0;
    httplib::Headers headers;
    std::string body;
    [[nodiscard]] runner::Json json() const { return runner::Json::parse(body); }
    [[nodiscard]] std::string header(const std::string& name) const {
        const auto found = headers.find(name);
        return found == headers.end() ? "" : found->second;
    }
    /// Of a problem document.
    [[nodiscard]] std::string code() const {
        return header("Content-Type") == "application/problem+json" ? json().value("code", "") : "";
    }
};

/// Where the sandbox's cluster is served.
inline const std::string k_cluster = "/api/v1/clusters/test";
/// The least that starts an upgrade.
inline const std::string k_yes = R"({"confirmDowntime": false})";

class ApiServer {
 public:
    /// Makes two tokens, and starts it.
    explicit ApiServer(Sandbox& sandbox, std::vector<std::string> more = {});
    void start();
    /// As a crash would.
    void kill();
    /// Its exit status.
    int stop();

    [[nodiscard]] int port() const { return m_port; }
    [[nodiscard]] pid_t pid() const { return m_program->pid(); }
    /// The status of an open address; 0 without an answer.
    [[nodiscard]] int send_quietly(const std::string& path) const;
    [[nodiscard]] const std::string& admin() const { return m_admin; }
    [[nodiscard]] const std::string& reader() const { return m_reader; }
    [[nodiscard]] std::string address() const {
        return "http://127.0.0.1:" + std::to_string(m_port);
    }
    [[nodiscard]] ApiReply get(const std::string& path) const {
        return send("GET", path, m_reader);
    }
    [[nodiscard]] ApiReply get_as_admin(const std::string& path) const {
        return send("GET", path, m_admin);
    }
    [[nodiscard]] ApiReply post(const std::string& path, const std::string& body = {}) const {
        return send("POST", path, m_admin, body);
    }
    /// `token` empty: none. Checks that nothing of the server's paths is in the reply.
    [[nodiscard]] ApiReply send(const std::string& method, const std::string& path,
                                const std::string& token, const std::string& body = {},
                                httplib::Headers headers = {}) const;
    /// Starts an upgrade; its id.
    [[nodiscard]] std::string start_upgrade(const std::string& body = k_yes) const;
    /// The job when `done` holds of it; fails after 30 s.
    runner::Json wait_for(const std::string& id,
                          const std::function<bool(const runner::Json&)>& done) const;
    runner::Json wait_for_state(const std::string& id, const std::string& state) const;
    runner::Json wait_for_end(const std::string& id) const;
    /// All events of a job after `last_id`, to the end of the stream.
    [[nodiscard]] std::string events(const std::string& id, const std::string& last_id = {}) const;
    /// What it has logged so far.
    [[nodiscard]] std::string log() const;

 private:
    Sandbox& m_sandbox;
    std::vector<std::string> m_more;
    std::string m_admin;
    std::string m_reader;
    std::unique_ptr<Program> m_program;
    int m_port = 0;
};

/// What in `value` is not as `schema` says, with its place; empty when all is. `all` is the
/// document that `$ref`s are looked up in.
std::string schema_problem(const runner::Json& value, const runner::Json& schema,
                           const runner::Json& all, const std::string& place = {});

/// An upgrade (of the older form) that, for real, waits for somebody who opens `gate` in the
/// repository for writing. `open_gate` lets one pass.
void release_gated(Sandbox& sandbox, const std::string& version);
void open_gate(const Sandbox& sandbox);

}  // namespace test
