// SPDX-License-Identifier: Apache-2.0
// git and a build, run with as little as they need: no config but ours, no hooks, no submodules, no
// questions, bounded in time and size; credentials in the environment of git alone.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/secret.hpp"
#include "support/redaction.hpp"

namespace runner {

/// `https://user:password@host/path` taken apart.
struct GitRemote {
    std::string url;     ///< without user and password
    std::string host;    ///< empty for a path
    std::string scheme;  ///< https, http, ssh, git, file
    Secret authority;    ///< `user:password`; empty: none
    /// Of the authority; empty: none.
    [[nodiscard]] std::string password() const {
        return authority.reveal().substr(authority.reveal().find(':') + 1);
    }
    static GitRemote parse(const std::string& address);
};

class GitWorkspace {
 public:
    /// `folder` is there and empty; `stopped` is asked now and then.
    GitWorkspace(std::filesystem::path folder, GitRemote remote, const Secret& token,
                 std::function<bool()> stopped);

    /// Runs git; its standard output. Throws Error{preparation} with the last line that it said.
    std::string git(const std::vector<std::string>& arguments, std::chrono::milliseconds time,
                    const std::string& what);
    /// Runs another program, without credentials, its output appended to the log.
    void run(const std::vector<std::string>& arguments, std::chrono::milliseconds time,
             const std::string& what);

    [[nodiscard]] const std::filesystem::path& folder() const { return m_folder; }
    [[nodiscard]] const GitRemote& remote() const { return m_remote; }
    /// Everything that was said, without credentials.
    [[nodiscard]] const std::string& log() const { return m_log; }
    [[nodiscard]] bool holds_credentials(const std::string& text) const {
        return m_redactor.finds_in(text);
    }

 private:
    std::string start(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment, std::chrono::milliseconds time,
                      const std::string& what, bool keep_output);
    [[nodiscard]] std::vector<std::string> environment() const;

    std::filesystem::path m_folder;
    GitRemote m_remote;
    Secret m_authorization;  ///< a header; empty: none
    std::function<bool()> m_stopped;
    Redactor m_redactor;
    std::string m_log;
};

}  // namespace runner
