// SPDX-License-Identifier: Apache-2.0
#include "api/keeper.hpp"

#include "model/error.hpp"
#include "support/log.hpp"

namespace runner {
namespace {

constexpr std::chrono::milliseconds k_interval{1000};

}  // namespace

Keeper::Keeper(Clusters& clusters, Jobs& jobs, const Clock& clock)
    : m_clusters(clusters), m_jobs(jobs), m_clock(clock), m_thread([this] { work(); }) {}

Keeper::~Keeper() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_wake.notify_all();
    m_thread.join();
}

void Keeper::work() {
    std::unique_lock lock(m_mutex);
    while (!m_stop) {
        lock.unlock();
        m_jobs.reap();
        for (const auto& [name, cluster] : m_clusters.all()) look_after(name, *cluster);
        lock.lock();
        m_wake.wait_for(lock, k_interval, [this] { return m_stop; });
    }
}

void Keeper::look_after(const std::string& name, Cluster& cluster) {
    try {
        for (const std::string& id : m_jobs.reconcile(cluster))
            log_warning("the run " + id + " of the cluster " + name +
                        " has died: it is interrupted, and goes on when it is started again");
    } catch (const Error& error) {
        log_warning("the cluster " + name + ": " + error.what());
    }
}

}  // namespace runner
