// SPDX-License-Identifier: Apache-2.0
// What the server does unasked: collects the ends of jobs, marks what has died, looks for releases,
// starts what the config approves, and tells who wants to know.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/clusters.hpp"
#include "api/jobs.hpp"
#include "api/webhooks.hpp"
#include "support/clock.hpp"

namespace runner {

/// As whom automatic upgrades are recorded.
inline constexpr const char* k_schedule_actor = "schedule";

/// The upgrades that may run by themselves, in their order, and why it ends there: what comes after
/// one that needs a person waits for it, too.
struct ApprovedUpgrades {
    std::vector<std::string> versions;
    std::string waiting_for;  ///< empty: all that is due is approved
};
ApprovedUpgrades approved_upgrades(const RunReport& plan, const ClusterConfig& config);

class Keeper {
 public:
    /// Begins at once, in threads of its own; everything must outlive it.
    Keeper(Clusters& clusters, Jobs& jobs, Webhooks& webhooks, const Clock& clock);
    ~Keeper();
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

 private:
    /// Calls `look` for each cluster, again and again, until this ends.
    void repeat(void (Keeper::*look)(const std::string& name, Cluster& cluster));
    void look_after(const std::string& name, Cluster& cluster);
    void reconcile(const std::string& name, Cluster& cluster);
    void discover(const std::string& name, Cluster& cluster);
    void run_by_itself(const std::string& name, const ClusterView& view, Cluster& cluster);

    Clusters& m_clusters;
    Jobs& m_jobs;
    Webhooks& m_webhooks;
    const Clock& m_clock;
    std::map<std::string, std::string> m_said;  // by cluster: why nothing runs by itself
    std::mutex m_mutex;
    std::condition_variable m_wake;
    bool m_stop = false;  // guarded by m_mutex
    std::thread m_thread;
    std::thread m_discoverer;  // a source that does not answer keeps nothing else waiting
};

}  // namespace runner
