// SPDX-License-Identifier: Apache-2.0
#include "api/job_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "api/job_view.hpp"
#include "api/jobs.hpp"
#include "model/error.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr int k_lock_descriptor = 3;
constexpr int k_first_secret = 4;
constexpr int k_high_descriptor = 100;  // above all that a child is given

/// A descriptor out of the way of those that a child is given.
UniqueFd moved_up(UniqueFd descriptor) {
    UniqueFd high(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, k_high_descriptor));
    if (!high) throw system_error("cannot copy a descriptor", errno);
    return high;
}

UniqueFd opened(const fs::path& file, int flags) {
    UniqueFd descriptor(::open(file.c_str(), flags | O_CLOEXEC, 0600));
    if (!descriptor) throw system_error("cannot open " + file.string(), errno);
    return moved_up(std::move(descriptor));
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
UniqueFd secret_file(const std::string& text) {
    UniqueFd file(::memfd_create("secret", MFD_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw system_error("cannot hand over a secret", errno);
    ::lseek(file.get(), 0, SEEK_SET);
    return moved_up(std::move(file));
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

/// As posix_spawn wants them.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// Which descriptors a child gets.
class FileActions {
 public:
    FileActions() { ::posix_spawn_file_actions_init(&m_actions); }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&m_actions); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    void give(const UniqueFd& descriptor, int as) {
        ::posix_spawn_file_actions_adddup2(&m_actions, descriptor.get(), as);
    }
    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &m_actions; }

 private:
    posix_spawn_file_actions_t m_actions{};
};

/// A session of its own, and signals as a program expects them.
class SpawnAttributes {
 public:
    SpawnAttributes() {
        ::posix_spawnattr_init(&m_attributes);
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&m_attributes, &none);
        ::posix_spawnattr_setsigdefault(&m_attributes, &all);
        ::posix_spawnattr_setflags(&m_attributes,
                                   static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF));
    }
    ~SpawnAttributes() { ::posix_spawnattr_destroy(&m_attributes); }
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;
    [[nodiscard]] const posix_spawnattr_t* get() const { return &m_attributes; }

 private:
    posix_spawnattr_t m_attributes{};
};

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
    FileActions actions;
    actions.give(m_nothing, STDIN_FILENO);
    actions.give(m_nothing, STDOUT_FILENO);
    actions.give(m_errors, STDERR_FILENO);
    actions.give(m_lock, k_lock_descriptor);
    for (std::size_t i = 0; i < m_secrets.size(); ++i)
        actions.give(m_secrets[i], k_first_secret + static_cast<int>(i));
    const SpawnAttributes attributes;
    const std::vector<char*> argv = pointers_to(m_arguments);
    const std::vector<char*> envp = pointers_to(m_environment);
    pid_t pid = -1;
    const int result = ::posix_spawn(&pid, m_program.c_str(), actions.get(), attributes.get(),
                                     argv.data(), envp.data());
    if (result != 0) throw system_error("cannot start " + m_program.string(), result);
    return pid;
}

}  // namespace runner
