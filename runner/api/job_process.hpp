// SPDX-License-Identifier: Apache-2.0
// The process of a job: `runner` in a session of its own, with the job's lock, its secrets and
// nothing else that the server has open.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "support/unique_fd.hpp"

namespace runner {

struct JobRequest;

class JobProcess {
 public:
    /// Makes ready what the process is given, and takes the lock in `folder`, the job's own.
    /// `program`: runner. Throws Error{preparation}.
    JobProcess(std::filesystem::path program, const ClusterConfig& config,
               const JobRequest& request, const std::string& id,
               const std::filesystem::path& folder);

    /// Starts it, once; the lock is held from then on as long as it lives. Throws
    /// Error{preparation}.
    pid_t start();

 private:
    void add_arguments(const ClusterConfig& config, const JobRequest& request,
                       const std::string& id, const std::filesystem::path& folder);
    void add_option(const char* option, const std::string& value);

    std::filesystem::path m_program;
    std::vector<std::string> m_arguments;
    std::vector<std::string> m_environment;
    UniqueFd m_lock;
    UniqueFd m_nothing;
    UniqueFd m_errors;
    std::vector<UniqueFd> m_secrets;
};

}  // namespace runner
