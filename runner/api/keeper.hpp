// SPDX-License-Identifier: Apache-2.0
// What the server does unasked: collects the ends of jobs, tells what has died, looks for releases.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "api/clusters.hpp"
#include "api/jobs.hpp"
#include "support/clock.hpp"

namespace runner {

class Keeper {
 public:
    /// Begins at once, in a thread of its own; everything must outlive it.
    Keeper(Clusters& clusters, Jobs& jobs, const Clock& clock);
    ~Keeper();
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

 private:
    void work();
    void look_after(const std::string& name, Cluster& cluster);

    Clusters& m_clusters;
    Jobs& m_jobs;
    const Clock& m_clock;
    std::mutex m_mutex;
    std::condition_variable m_wake;
    bool m_stop = false;  // guarded by m_mutex
    std::thread m_thread;
};

}  // namespace runner
