// SPDX-License-Identifier: Apache-2.0
// A real git repository with upgrades in it, whose tags are to be built, and ways to serve it.
#pragma once

#include <httplib.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

#include "support/sandbox.hpp"

namespace test {

class GitForge {
 public:
    /// Makes the repository below the sandbox, and lets the sandbox's builds find the SDK. `quick`:
    /// instead of cmake a script that copies a plugin which is built already.
    explicit GitForge(Sandbox& sandbox, bool quick = true);
    [[nodiscard]] std::filesystem::path path() const { return m_path; }
    /// Runs git in it; fails when git does.
    std::string git(const std::string& arguments) const;
    /// An upgrade's folder with this source, committed.
    void add(const std::string& version, const std::string& source = {}) const;
    /// A signed tag of what is there now; `key`: a file of make_key, empty: not signed.
    void tag(const std::string& version, const std::string& key = {}) const;
    /// A key pair for signing tags; returns the public key.
    std::string make_key(const std::string& file) const;
    /// The cluster's config for this address.
    void config(const std::string& url, const std::string& trust = "{verification: disabled}",
                const std::string& more = {}) const;
    /// What the script that stands for cmake does: build (copies), fail, hang.
    void let_build(const std::string& how) const;
    [[nodiscard]] int builds() const;

 private:
    Sandbox& m_sandbox;
    std::filesystem::path m_path;
};

/// git's own daemon, on loopback.
class GitDaemon {
 public:
    explicit GitDaemon(const std::filesystem::path& repositories);
    ~GitDaemon();
    GitDaemon(const GitDaemon&) = delete;
    GitDaemon& operator=(const GitDaemon&) = delete;
    [[nodiscard]] std::string url(const std::string& repository) const {
        return "git://127.0.0.1:" + std::to_string(m_port) + "/" + repository;
    }

 private:
    int m_port = 0;
    pid_t m_pid = -1;
};

/// git's own HTTP backend, on loopback, with a password.
class GitHttp {
 public:
    explicit GitHttp(std::filesystem::path repositories, std::string authority = {});
    ~GitHttp();
    GitHttp(const GitHttp&) = delete;
    GitHttp& operator=(const GitHttp&) = delete;
    /// `user:password@` before the host.
    [[nodiscard]] std::string url(const std::string& repository,
                                  const std::string& authority = {}) const;
    [[nodiscard]] std::uint64_t bytes_sent() const { return m_bytes; }
    [[nodiscard]] int requests() const { return m_requests; }
    /// From now on every request is sent to this address.
    void redirect_to(const std::string& address) { m_redirect = address; }

 private:
    void answer(const httplib::Request& request, httplib::Response& response);

    std::filesystem::path m_repositories;
    std::string m_authority;
    std::string m_redirect;
    httplib::Server m_server;
    int m_port;
    std::atomic<std::uint64_t> m_bytes{0};
    std::atomic<int> m_requests{0};
    std::thread m_thread;
};

}  // namespace test
