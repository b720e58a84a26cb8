// SPDX-License-Identifier: Apache-2.0
// Jobs: runs of `runner` in processes and sessions of their own. What is known of one is on disk
// (its request, its events, a lock that dies with it, its run in the ledger), so that a server that
// starts anew goes on where the last one ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/clusters.hpp"
#include "api/job_view.hpp"
#include "engine/planning.hpp"
#include "model/secret.hpp"

namespace runner {

/// What a client may choose.
struct JobRequest {
    std::string command = "upgrade";  ///< or rollback
    Selection selection;
    bool confirm_downtime = false;
    bool confirm_major = false;
    std::string reason;
    std::string key;  ///< for starting only once; empty: none
    std::string actor;
    std::map<std::string, std::string> parameters;
    std::map<std::string, Secret> secrets;
};

class Jobs {
 public:
    /// `program`: runner.
    Jobs(Clusters& clusters, const Clock& clock, std::filesystem::path program);

    struct Started {
        std::string id;
        bool created = true;  ///< false: the key belongs to this job already
    };
    /// Throws Problem{job_active}, {key_reused}, {unavailable}. Call with the cluster's
    /// start_mutex.
    Started start(Cluster& cluster, const JobRequest& request);
    /// Any run of any cluster.
    std::optional<JobView> find(const std::string& id);
    /// The run that is under way, if one is.
    std::string active(Cluster& cluster);
    /// The jobs of a cluster that were started here, newest first.
    std::vector<JobRecord> records(const ClusterConfig& config);
    /// Whether a job of the cluster was started with this key.
    bool has_key(Cluster& cluster, const std::string& key);
    [[nodiscard]] const std::filesystem::path& program() const { return m_program; }
    /// Asks it to stop: at once before its first change, else after the current upgrade. Throws
    /// Problem{job_over}, {not_started_here}.
    void cancel(const JobView& job);
    /// Collects the ends of processes that this server has started, and marks runs of the cluster
    /// interrupted that have died. Returns their ids.
    std::vector<std::string> reconcile(Cluster& cluster);
    [[nodiscard]] bool is_alive(const std::filesystem::path& job_folder) const;

 private:
    void reap();
    struct Follower {
        std::mutex mutex;
        std::uint64_t offset = 0;
        JobProgress progress;
    };
    JobView view_of(const JobRecord& record, const std::shared_ptr<const ClusterConfig>& config,
                    const std::filesystem::path& folder);
    void follow(const std::string& id, const std::filesystem::path& folder, JobProgress& progress);
    void spawn(const ClusterConfig& config, const JobRequest& request, JobRecord& record,
               const std::filesystem::path& folder);
    void remove_old(const ClusterConfig& config);

    Clusters& m_clusters;
    const Clock& m_clock;
    std::filesystem::path m_program;
    std::mutex m_mutex;
    std::map<std::string, std::shared_ptr<Follower>> m_followers;
    std::vector<pid_t> m_children;
};

}  // namespace runner
