// SPDX-License-Identifier: Apache-2.0
#include "api/job_process.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "api/job_view.hpp"
#include "api/jobs.hpp"
#include "model/error.hpp"
#include "support/memory_file.hpp"
#include "support/spawn.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr int k_lock_descriptor = 3;
constexpr int k_first_secret = 4;

UniqueFd opened(const fs::path& file, int flags) {
    UniqueFd descriptor(::open(file.c_str(), flags | O_CLOEXEC, 0600));
    if (!descriptor) throw system_error("cannot open " + file.string(), errno);
    return descriptor;
}

UniqueFd locked(const fs::path& file) {
    UniqueFd lock = opened(file, O_RDWR | O_CREAT);
    // Whoever looks whether it lives holds it for a moment, too.
    while (::flock(lock.get(), LOCK_EX) != 0) {
        if (errno != EINTR) throw system_error("cannot lock a job", errno);
    }
    return lock;
}

/// A file in memory with `text`, to be read from its start.
UniqueFd secret_file(const Secret& secret) {
    UniqueFd file = make_sealed_file("a secret", secret.reveal());
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

/// The server's own, but for what speaks of another run or cluster.
std::vector<std::string> environment_for(const std::string& actor) {
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (text.rfind("RUNNER_ACTOR=", 0) != 0 && text.rfind("RUNNER_CLUSTER=", 0) != 0)
            environment.emplace_back(text);
    }
    environment.push_back("RUNNER_ACTOR=" + actor);
    return environment;
}

}  // namespace

JobProcess::JobProcess(fs::path program, const ClusterConfig& config, const JobRequest& request,
                       const std::string& id, const fs::path& folder)
    : m_program(std::move(program)),
      m_environment(environment_for(request.actor)),
      m_lock(locked(folder / "lock")),
      m_nothing(opened("/dev/null", O_RDWR)),
      m_errors(opened(folder / "errors.log", O_WRONLY | O_CREAT | O_APPEND)) {
    add_arguments(config, request, id, folder);
    for (const auto& [name, value] : request.secrets) {
        const int descriptor = k_first_secret + static_cast<int>(m_secrets.size());
        add_option("--secret", name + "=fd:" + std::to_string(descriptor));
        m_secrets.push_back(secret_file(value));
    }
}

void JobProcess::add_option(const char* option, const std::string& value) {
    // One word: a value that begins with a dash is no option.
    m_arguments.push_back(std::string(option) + '=' + value);
}

void JobProcess::add_arguments(const ClusterConfig& config, const JobRequest& request,
                               const std::string& id, const fs::path& folder) {
    m_arguments = {m_program.string(),
                   request.command,
                   "--run-id",
                   id,
                   "--cluster",
                   fs::absolute(config.file).string(),
                   "--events",
                   events_of(folder).string(),
                   "--yes",
                   "--non-interactive",
                   "--output",
                   "json"};
    if (!request.selection.target.empty()) add_option("--to", request.selection.target);
    for (const std::string& version : request.selection.only) add_option("--only", version);
    for (const std::string& version : request.selection.skip) add_option("--skip", version);
    if (!request.reason.empty()) add_option("--reason", request.reason);
    if (request.confirm_downtime) m_arguments.emplace_back("--confirm-downtime");
    if (request.confirm_major) m_arguments.emplace_back("--confirm-major");
    for (const auto& [name, value] : request.parameters) add_option("--env", name + '=' + value);
}

pid_t JobProcess::start() {
    SpawnRequest request{m_program, m_arguments, m_environment, {}, SpawnRequest::Apart::session};
    request.descriptors = {{m_nothing.get(), STDIN_FILENO},
                           {m_nothing.get(), STDOUT_FILENO},
                           {m_errors.get(), STDERR_FILENO},
                           {m_lock.get(), k_lock_descriptor}};
    for (const UniqueFd& secret : m_secrets)
        request.descriptors.push_back(
            {secret.get(), k_first_secret + static_cast<int>(&secret - m_secrets.data())});
    return spawn(request, m_program.string());
}

}  // namespace runner
