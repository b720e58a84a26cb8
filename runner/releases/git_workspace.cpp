// SPDX-License-Identifier: Apache-2.0
#include "releases/git_workspace.hpp"

#include <algorithm>
#include <cstdlib>

#include "model/error.hpp"
#include "model/harmless.hpp"
#include "services/command.hpp"
#include "services/program.hpp"
#include "services/service_error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_output = 16U << 20U;
constexpr std::size_t k_max_log = 4U << 20U;
constexpr std::uintmax_t k_max_workspace = 1U << 30U;

/// `%40` and the like.
std::string percent_decoded(const std::string& text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool code = text[i] == '%' && i + 2 < text.size() &&
                          std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
                          std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0;
        if (code) {
            decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

std::uintmax_t size_of(const fs::path& folder) {
    std::uintmax_t size = 0;
    std::error_code none;
    for (fs::recursive_directory_iterator it(folder, none), end; !none && it != end;
         it.increment(none)) {
        std::error_code ignored;
        if (it->is_regular_file(ignored) && !it->is_symlink(ignored))
            size += it->file_size(ignored);
    }
    return size;
}

}  // namespace

GitRemote GitRemote::parse(const std::string& address) {
    GitRemote remote;
    remote.url = address;
    const std::size_t scheme = address.find("://");
    if (scheme == std::string::npos) {
        const std::size_t colon = address.find(':');
        const bool scp = colon != std::string::npos && colon < address.find('/');
        remote.scheme = scp ? "ssh" : "file";
        if (!scp) return remote;
        const std::string place = address.substr(0, colon);
        remote.host = place.substr(place.find('@') + 1);
        return remote;
    }
    remote.scheme = address.substr(0, scheme);
    if (remote.scheme == "file") return remote;
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(address.find('/', begin), address.size());
    std::string place = address.substr(begin, end - begin);
    const std::size_t at = place.rfind('@');
    if (at != std::string::npos) {
        // For ssh it is a name to log in with, and no secret.
        if (remote.scheme != "ssh") {
            remote.authority = Secret(percent_decoded(place.substr(0, at)));
            remote.url = address.substr(0, begin) + place.substr(at + 1) + address.substr(end);
        }
        place = place.substr(at + 1);
    }
    if (!place.empty() && place.front() == '[') {
        remote.host = place.substr(1, place.find(']') - 1);
    } else {
        remote.host = place.substr(0, place.find(':'));
    }
    return remote;
}

GitWorkspace::GitWorkspace(fs::path folder, GitRemote remote, const Secret& token,
                           std::function<bool()> stopped)
    : m_folder(std::move(folder)), m_remote(std::move(remote)), m_stopped(std::move(stopped)) {
    if (m_remote.authority.empty() && !token.empty())
        m_remote.authority = Secret("x-access-token:" + token.reveal());
    if (m_remote.authority.empty()) return;
    const std::string encoded = base64(m_remote.authority.reveal());
    m_authorization = Secret("Authorization: Basic " + encoded);
    for (const std::string& secret : {m_remote.password(), encoded})
        m_redactor.add_if_long_enough(secret);
}

std::vector<std::string> GitWorkspace::environment() const {
    std::vector<std::string> environment{"LC_ALL=C", "HOME=" + m_folder.string()};
    for (const char* name :
         {"PATH", "TMPDIR", "SSH_AUTH_SOCK", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
          "SSL_CERT_FILE", "CMAKE_PREFIX_PATH", "CMAKE_GENERATOR", "CC", "CXX", "CCACHE_DISABLE"}) {
        if (const char* value = std::getenv(name); value != nullptr)
            environment.push_back(std::string(name) + '=' + value);
    }
    // Left alone, CMake looks for make, also where there is only ninja.
    if (std::getenv("CMAKE_GENERATOR") == nullptr &&
        upgrade::services::find_program("make").empty() &&
        !upgrade::services::find_program("ninja").empty())
        environment.emplace_back("CMAKE_GENERATOR=Ninja");
    return environment;
}

std::string GitWorkspace::git(const std::vector<std::string>& arguments,
                              std::chrono::milliseconds time, const std::string& what) {
    std::vector<std::string> command{"git"};
    for (const char* setting :
         {"core.hooksPath=/dev/null", "core.fsmonitor=false",
          "core.askPass=", "credential.helper=", "http.followRedirects=false",
          "transfer.fsckObjects=true", "submodule.recurse=false", "protocol.allow=never",
          "protocol.https.allow=always", "protocol.http.allow=always", "protocol.ssh.allow=always",
          "protocol.git.allow=always", "protocol.file.allow=always", "protocol.ext.allow=never",
          "gpg.format=ssh", "advice.detachedHead=false", "safe.directory=*"}) {
        command.emplace_back("-c");
        command.emplace_back(setting);
    }
    command.insert(command.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environment = this->environment();
    for (const char* setting :
         {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
          "GIT_OPTIONAL_LOCKS=0", "GIT_SSH_COMMAND=ssh -oBatchMode=yes"})
        environment.emplace_back(setting);
    if (!m_authorization.empty()) {  // in the environment: arguments are seen by everybody
        environment.emplace_back("GIT_CONFIG_COUNT=1");
        environment.push_back("GIT_CONFIG_KEY_0=http." + m_remote.url + ".extraHeader");
        environment.push_back("GIT_CONFIG_VALUE_0=" + m_authorization.reveal());
    }
    return start(command, environment, time, what, true);
}

void GitWorkspace::run(const std::vector<std::string>& arguments, std::chrono::milliseconds time,
                       const std::string& what) {
    start(arguments, environment(), time, what, false);
}

std::string GitWorkspace::start(const std::vector<std::string>& arguments,
                                const std::vector<std::string>& environment,
                                std::chrono::milliseconds time, const std::string& what,
                                bool keep_output) {
    upgrade::services::CommandSpec spec;
    spec.arguments = arguments;
    spec.environment = environment;
    spec.folder = m_folder.string();
    spec.own_session = true;
    spec.timeout = time;
    std::string output;
    std::string last;
    LineBuffer lines;
    const auto take = [&](std::string_view line) {
        const std::string shown = harmless(m_redactor.mask(line), Tabs::kept);
        if (!shown.empty()) last = shown;
        if (m_log.size() < k_max_log) m_log += shown + '\n';
    };
    bool too_much = false;
    bool too_big = false;
    spec.on_output = [&](std::string_view piece) {
        if (!keep_output) return lines.push(piece, take);
        too_much = too_much || output.size() + piece.size() > k_max_output;
        if (!too_much) output += piece;
    };
    spec.on_error = [&](std::string_view piece) { lines.push(piece, take); };
    spec.cancelled = [&] {
        too_big = too_big || size_of(m_folder) > k_max_workspace;
        return too_much || too_big || (m_stopped && m_stopped());
    };
    std::string problem;
    try {
        const int status = upgrade::services::run_command(spec);
        lines.flush(take);
        if (status == 0 && !too_much) return output;
        problem = last.empty() ? "it exited with " + std::to_string(status) : last;
    } catch (const upgrade::services::Refusal& refusal) {
        lines.flush(take);
        problem = m_redactor.mask(refusal.what());
    }
    if (too_much) problem = "it says more than " + std::to_string(k_max_output >> 20U) + " MiB";
    if (too_big) problem = "it takes more than " + std::to_string(k_max_workspace >> 30U) + " GiB";
    throw Error(Failure::preparation, what + ": " + problem);
}

}  // namespace runner
