// SPDX-License-Identifier: Apache-2.0
#include "api/keeper.hpp"

#include <algorithm>

#include "api/announcements.hpp"
#include "api/problem.hpp"
#include "engine/gates/gate.hpp"
#include "model/error.hpp"
#include "support/log.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::chrono::milliseconds k_interval{1000};
/// Before the same is started by itself again, whatever became of it.
constexpr std::chrono::milliseconds k_retry_pause{std::chrono::hours(1)};

}  // namespace

ApprovedUpgrades approved_upgrades(const RunReport& plan, const ClusterConfig& config) {
    ApprovedUpgrades approved;
    const std::vector<std::string>& downtime = plan.risks.downtime;
    for (const PlannedUpgrade& upgrade : plan.due) {
        const Manifest& manifest = upgrade.manifest;
        const auto& severities = config.auto_approve;
        std::string reason;
        if (!manifest.declared) {
            reason = "declares nothing of what it does";
        } else if (std::find(severities.begin(), severities.end(), manifest.severity) ==
                   severities.end()) {
            reason = std::string("is ") + to_string(manifest.severity);
        } else if (!config.schedule.downtime &&
                   std::find(downtime.begin(), downtime.end(), upgrade.version) != downtime.end()) {
            reason = "causes downtime";
        } else if (is_major_step(SemanticVersion::parse(plan.cluster_version),
                                 UpgradeVersion::parse(upgrade.version).semver)) {
            reason = "is a step to another major version";
        } else if (!upgrade.news.empty()) {
            reason = "wants what no upgrade of the cluster had before";
        }
        if (!reason.empty()) {
            approved.waiting_for = upgrade.version + " " + reason;
            break;
        }
        approved.versions.push_back(upgrade.version);
    }
    return approved;
}

Keeper::Keeper(Clusters& clusters, Jobs& jobs, Webhooks& webhooks, const Clock& clock)
    : m_clusters(clusters),
      m_jobs(jobs),
      m_webhooks(webhooks),
      m_clock(clock),
      m_thread([this] { repeat(&Keeper::look_after); }),
      m_discoverer([this] { repeat(&Keeper::discover); }) {}

Keeper::~Keeper() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_wake.notify_all();
    m_thread.join();
    m_discoverer.join();
}

void Keeper::repeat(void (Keeper::*look)(const std::string& name, Cluster& cluster)) {
    std::map<std::string, std::string> said;  // what is wrong with what is said once
    std::unique_lock lock(m_mutex);
    const auto guarded = [&](const std::string& what, const std::function<void()>& work) {
        std::string trouble;
        try {
            work();
        } catch (const std::exception& error) {  // it is no reason to end the server
            trouble = error.what();
        }
        if (std::exchange(said[what], trouble) != trouble && !trouble.empty())
            log_warning(what + ": " + trouble);
    };
    while (!m_stop) {
        lock.unlock();
        guarded("the clusters", [&] {
            for (const auto& entry : m_clusters.all())
                guarded("the cluster " + entry.first,
                        [&] { (this->*look)(entry.first, *entry.second); });
        });
        lock.lock();
        m_wake.wait_for(lock, k_interval, [this] { return m_stop; });
    }
}

void Keeper::look_after(const std::string& name, Cluster& cluster) {
    const auto config = cluster.config();
    reconcile(name, cluster);
    const auto view = cluster.view();
    if (!view->config) return;
    if (!config->webhooks.empty()) announce_news(*view, m_webhooks);
    if (!config->auto_approve.empty()) run_by_itself(name, *view, cluster);
}

void Keeper::reconcile(const std::string& name, Cluster& cluster) {
    try {
        for (const std::string& id : m_jobs.reconcile(cluster))
            log_warning("the run " + id + " of the cluster " + name +
                        " has died: it is interrupted, and goes on when it is started again");
    } catch (const Error& error) {
        if (error.failure() != Failure::lease_held) throw;  // something of it still ends
    }
}

void Keeper::discover(const std::string&, Cluster& cluster) {
    const auto last = cluster.last_discovery();
    if (!last || m_clock.steady() - *last >= cluster.config()->schedule.discover)
        cluster.discover();
}

void Keeper::run_by_itself(const std::string& name, const ClusterView& view, Cluster& cluster) {
    const ClusterConfig& config = *view.config;
    if (!view.report || view.report->due.empty() || !config.schedule.window ||
        !config.schedule.window->contains(m_clock.wall()))
        return;
    const ApprovedUpgrades approved = approved_upgrades(*view.report, config);
    const auto say = [&](const std::string& why) {
        if (std::exchange(m_said[name], why) != why)
            log_info("nothing of the cluster " + name + " runs by itself: " + why);
    };
    if (approved.versions.empty()) return say(approved.waiting_for);
    // What has failed, or was rolled back, is a person's from then on.
    if (view.newest && is_end(view.newest->state) && view.newest->state != RunState::succeeded)
        return say("the newest run, " + view.newest->start.id + ", has " +
                   to_string(view.newest->state));
    const std::vector<JobRecord> records = m_jobs.records(config);
    if (!records.empty() && records.front().actor == k_schedule_actor &&
        records.front().only == approved.versions &&
        m_clock.wall() - records.front().created_at < k_retry_pause)
        return;
    JobRequest request;
    request.actor = k_schedule_actor;
    request.selection.only = approved.versions;
    request.confirm_downtime = config.schedule.downtime;
    request.reason =
        "automatic: " + counted(approved.versions.size(), "upgrade") + " approved by the config";
    try {
        const std::lock_guard lock(cluster.start_mutex);
        const Jobs::Started started = m_jobs.start(cluster, request);
        log_info("the cluster " + name + ": started " + started.id +
                 " by itself: " + join(approved.versions, ", "));
        m_said.erase(name);
    } catch (const Problem& problem) {
        if (problem.trouble != Trouble::job_active)
            log_warning("the cluster " + name + ": nothing could be started: " + problem.cause);
    }
}

}  // namespace runner
