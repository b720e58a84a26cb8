// SPDX-License-Identifier: Apache-2.0
#include "support/spawn.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "model/error.hpp"
#include "support/unique_fd.hpp"

namespace runner {
namespace {

/// As posix_spawn wants them.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

/// Which descriptors the process gets.
class FileActions {
 public:
    explicit FileActions(const std::vector<SpawnRequest::Descriptor>& descriptors) {
        ::posix_spawn_file_actions_init(&m_actions);
        int highest = STDERR_FILENO;
        for (const auto& descriptor : descriptors) highest = std::max(highest, descriptor.as);
        for (const auto& descriptor : descriptors) {
            // Out of the way, so that placing one does not overwrite another.
            const UniqueFd& copy =
                m_copies.emplace_back(::fcntl(descriptor.own, F_DUPFD_CLOEXEC, highest + 1));
            m_error = copy ? m_error : errno;
            ::posix_spawn_file_actions_adddup2(&m_actions, copy.get(), descriptor.as);
        }
        ::posix_spawn_file_actions_addclosefrom_np(&m_actions, highest + 1);
    }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&m_actions); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &m_actions; }
    /// Why a descriptor could not be copied; 0: all could.
    [[nodiscard]] int error() const { return m_error; }

 private:
    posix_spawn_file_actions_t m_actions{};
    std::vector<UniqueFd> m_copies;
    int m_error = 0;
};

/// Signals as a program expects them, and what it leaves.
class SpawnAttributes {
 public:
    explicit SpawnAttributes(SpawnRequest::Apart apart) {
        ::posix_spawnattr_init(&m_attributes);
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&m_attributes, &none);
        ::posix_spawnattr_setsigdefault(&m_attributes, &all);
        ::posix_spawnattr_setpgroup(&m_attributes, 0);
        const int leaves =
            apart == SpawnRequest::Apart::session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
        ::posix_spawnattr_setflags(
            &m_attributes,
            static_cast<short>(leaves | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    }
    ~SpawnAttributes() { ::posix_spawnattr_destroy(&m_attributes); }
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;
    [[nodiscard]] const posix_spawnattr_t* get() const { return &m_attributes; }

 private:
    posix_spawnattr_t m_attributes{};
};

}  // namespace

pid_t spawn(const SpawnRequest& request, const std::string& what) {
    const FileActions actions(request.descriptors);
    const SpawnAttributes attributes(request.apart);
    const std::vector<char*> argv = pointers_to(request.arguments);
    const std::vector<char*> envp = pointers_to(request.environment);
    pid_t pid = -1;
    int error = actions.error();
    if (error == 0)
        error = ::posix_spawn(&pid, request.program.c_str(), actions.get(), attributes.get(),
                              argv.data(), envp.data());
    if (error != 0) throw system_error("cannot start " + what, error);
    return pid;
}

}  // namespace runner
