// SPDX-License-Identifier: Apache-2.0
#include "api/jobs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "api/job_process.hpp"
#include "api/problem.hpp"
#include "engine/lease_holder.hpp"
#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_kept_jobs = 100;
constexpr std::size_t k_read_bytes = 256U << 10U;
constexpr std::size_t k_max_line = 64U << 20U;

std::string digest_of(const JobRequest& request) {
    const Json json = {request.command,        request.selection.target, request.selection.only,
                       request.selection.skip, request.confirm_downtime, request.confirm_major,
                       request.parameters};
    return sha256(dump_json(json)).to_string();
}

}  // namespace

Jobs::Jobs(Clusters& clusters, const Clock& clock, fs::path program)
    : m_clusters(clusters), m_clock(clock), m_program(std::move(program)) {}

bool Jobs::is_alive(const fs::path& job_folder) const {
    const UniqueFd lock(::open((job_folder / "lock").c_str(), O_RDONLY | O_CLOEXEC));
    return lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::vector<JobRecord> Jobs::records(const ClusterConfig& config) {
    std::vector<std::string> ids;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(jobs_beside(config.state), none))
        ids.push_back(entry.path().filename().string());
    std::sort(ids.rbegin(), ids.rend());  // they begin with their time
    std::vector<JobRecord> records;
    for (const std::string& id : ids) {
        if (auto record = read_record(jobs_beside(config.state) / id))
            records.push_back(std::move(*record));
    }
    return records;
}

bool Jobs::has_key(Cluster& cluster, const std::string& key) {
    const std::vector<JobRecord> all = records(*cluster.config());
    return std::any_of(all.begin(), all.end(),
                       [&](const JobRecord& record) { return record.key == key; });
}

std::string Jobs::active(Cluster& cluster) {
    const auto config = cluster.config();
    for (const JobRecord& record : records(*config)) {
        if (is_alive(jobs_beside(config->state) / record.id)) return record.id;
    }
    const auto lease = look_at_ledger(config->state)->lease();
    return lease && is_live(*lease, m_clock) ? lease->owner : std::string();
}

Jobs::Started Jobs::start(Cluster& cluster, const JobRequest& request) {
    const auto config = cluster.config();
    const std::string digest = digest_of(request);
    if (!request.key.empty()) {
        for (const JobRecord& record : records(*config)) {
            if (record.key != request.key) continue;
            const JobView view = view_of(record, config, jobs_beside(config->state) / record.id);
            if (view.over && !view.good()) continue;
            if (record.request_digest != digest)
                throw Problem{Trouble::key_reused, {}, {{"job", record.id}}};
            return {record.id, false};
        }
    }
    if (const std::string id = active(cluster); !id.empty())
        throw Problem{Trouble::job_active, {}, {{"job", id}}};
    JobRecord record;
    record.id = make_run_id(m_clock);
    record.cluster = config->name;
    record.command = request.command;
    record.target = request.selection.target;
    record.only = request.selection.only;
    record.actor = request.actor;
    record.reason = request.reason;
    record.key = request.key;
    record.request_digest = digest;
    record.created_at = m_clock.wall();
    const fs::path folder = jobs_beside(config->state) / record.id;
    try {
        make_folders(folder);
        ::chmod(folder.c_str(), S_IRWXU);
        write_record(folder, record);
        spawn(*config, request, record, folder);
    } catch (const Error& error) {
        std::error_code ignored;
        fs::remove_all(folder, ignored);
        throw Problem{Trouble::unavailable, error.what()};
    }
    try {
        write_record(folder, record);
        remove_old(*config);
    } catch (const Error&) {  // it runs; its process is found by the lease, too
    }
    return {record.id, true};
}

void Jobs::spawn(const ClusterConfig& config, const JobRequest& request, JobRecord& record,
                 const fs::path& folder) {
    JobProcess process(m_program, config, request, record.id, folder);
    const std::lock_guard guard(m_mutex);  // reaped by nobody before it is known
    const pid_t pid = process.start();
    m_children.push_back(pid);
    record.pid = pid;
}

void Jobs::remove_old(const ClusterConfig& config) {
    const std::vector<JobRecord> all = records(config);
    for (std::size_t i = k_kept_jobs; i < all.size(); ++i) {
        const fs::path folder = jobs_beside(config.state) / all[i].id;
        if (is_alive(folder)) continue;
        std::error_code ignored;
        fs::remove_all(folder, ignored);
        const std::lock_guard lock(m_mutex);
        m_followers.erase(all[i].id);
    }
}

void Jobs::follow(const std::string& id, const fs::path& folder, JobProgress& progress) {
    std::shared_ptr<Follower> follower;
    {
        const std::lock_guard lock(m_mutex);
        auto& known = m_followers[id];
        if (!known) known = std::make_shared<Follower>();
        follower = known;
    }
    const std::lock_guard lock(follower->mutex);
    const UniqueFd file(::open(events_of(folder).c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    while (file && text.size() < k_max_line) {
        std::string piece(k_read_bytes, '\0');
        const ssize_t count = ::pread(file.get(), piece.data(), piece.size(),
                                      static_cast<off_t>(follower->offset + text.size()));
        if (count <= 0) break;
        text.append(piece, 0, static_cast<std::size_t>(count));
        const std::size_t end = text.rfind('\n');
        if (end == std::string::npos) continue;
        for (const std::string_view line : split_lines(std::string_view(text).substr(0, end))) {
            try {
                take_event(id, parse_json(line, "event"), follower->progress);
            } catch (const Error&) {  // torn by a full disk, say
            }
        }
        follower->offset += end + 1;
        text.erase(0, end + 1);
    }
    progress = follower->progress;
}

JobView Jobs::view_of(const JobRecord& record, const std::shared_ptr<const ClusterConfig>& config,
                      const fs::path& folder) {
    JobView view;
    view.record = record;
    view.started_here = true;
    view.folder = folder;
    view.config = config;
    view.alive = is_alive(folder);  // before its records: what it wrote last is seen
    follow(record.id, folder, view.events);
    view.run = look_at_ledger(config->state)->run(record.id);
    if (view.run) {
        view.state = view.run->state;
    } else if (view.events.exit_code) {
        view.state = *view.events.exit_code == 0 ? RunState::succeeded : RunState::failed_pre;
        if (view.events.error_code == "interrupted") view.state = RunState::cancelled;
    } else if (view.events.state) {
        view.state = *view.events.state;
    }
    if (!is_end(view.state) && !view.alive)
        view.state = view.run || view.events.state ? RunState::interrupted : RunState::failed_pre;
    view.over = is_end(view.state) && !view.alive;
    view.progress = percent(view.state, view.events);
    return view;
}

std::optional<JobView> Jobs::find(const std::string& id) {
    if (!is_run_id(id)) return std::nullopt;
    for (const auto& [name, cluster] : m_clusters.all()) {
        const auto config = cluster->config();
        const fs::path folder = jobs_beside(config->state) / id;
        if (const auto record = read_record(folder)) return view_of(*record, config, folder);
    }
    for (const auto& [name, cluster] : m_clusters.all()) {
        const auto config = cluster->config();
        const auto ledger = look_at_ledger(config->state);
        auto run = ledger->run(id);
        if (!run) continue;
        JobView view;
        view.record.id = id;
        view.record.cluster = name;
        view.record.command = run->start.command;
        view.record.target = run->start.target;
        view.record.actor = run->start.actor;
        view.record.created_at = run->started_at;
        view.config = config;
        const auto lease = ledger->lease();
        view.alive = lease && lease->owner == id && is_live(*lease, m_clock);
        view.state = is_end(run->state) || view.alive ? run->state : RunState::interrupted;
        view.over = is_end(view.state);
        view.run = std::move(run);
        view.progress = percent(view.state, view.events);
        return view;
    }
    return std::nullopt;
}

void Jobs::cancel(const JobView& job) {
    if (!job.started_here) throw Problem{Trouble::not_started_here};
    if (job.over) throw Problem{Trouble::job_over};
    // A second signal would cut off the upgrade that is under way.
    if (job.record.cancelled) return;
    std::int64_t pid = job.record.pid;
    if (pid == 0) {
        const auto lease = look_at_ledger(job.config->state)->lease();
        if (lease && lease->owner == job.record.id) pid = lease->pid;
    }
    if (pid <= 0) throw Problem{Trouble::unavailable, "the job's process is not known yet"};
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
    // Once it is open, the number cannot become another process's; before, it may have.
    const auto command = read_file_if_there("/proc/" + std::to_string(pid) + "/cmdline");
    if (!process || !command || command->find(job.record.id) == std::string::npos)
        throw Problem{Trouble::job_over};
    JobRecord record = job.record;
    record.pid = pid;
    record.cancelled = true;
    try {
        write_record(job.folder, record);
    } catch (const Error& error) {
        throw Problem{Trouble::unavailable, error.what()};
    }
    if (::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0) != 0)
        throw Problem{Trouble::job_over};
}

void Jobs::reap() {
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_children, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

std::vector<std::string> Jobs::reconcile(Cluster& cluster) {
    reap();
    const auto config = cluster.config();
    const auto view = look_at_ledger(config->state);
    const std::vector<RunRecord> newest = view->runs(1);
    if (newest.empty() || is_end(newest.front().state)) return {};
    const auto lease = view->lease();
    if (lease && is_live(*lease, m_clock)) return {};
    if (is_alive(jobs_beside(config->state) / newest.front().start.id)) return {};
    std::vector<std::string> ids;
    const auto ledger = open_ledger(config->state, m_clock);
    LeaseInfo owner = make_lease_owner("serve-" + make_run_id(m_clock));
    ledger->acquire_lease(owner);  // refused while anything of it is left
    const LeaseHolder holder(*ledger);
    for (const InterruptedRun& run : ledger->mark_interrupted()) ids.push_back(run.id);
    return ids;
}

}  // namespace runner
