// SPDX-License-Identifier: Apache-2.0
// What is known of a job: its record on disk, its events, its run in the ledger; and how that is
// told.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/cluster_config.hpp"
#include "ledger/records.hpp"
#include "model/json.hpp"
#include "model/run_state.hpp"

namespace runner {

/// As it was asked for.
struct JobRecord {
    std::string id;
    std::string cluster;
    std::string command;
    std::string target;
    std::vector<std::string> only;
    std::string actor;
    std::string reason;
    std::string key;
    std::string request_digest;  ///< of what the key stands for
    std::chrono::milliseconds created_at{};
    std::int64_t pid = 0;
    bool cancelled = false;
};

/// What its events have told so far.
struct JobProgress {
    std::vector<std::string> due;
    std::string current;  ///< upgrade
    std::string phase;
    std::size_t position = 0;
    std::size_t count = 0;
    std::string detail;
    std::optional<RunState> state;
    std::optional<int> exit_code;
    std::string error_code;
    std::string error_message;
    std::string changed = "no";
    std::uint64_t last_event = 0;  ///< its number
};

struct JobView {
    JobRecord record;
    bool started_here = false;
    bool alive = false;
    RunState state = RunState::queued;
    bool over = false;
    int progress = 0;  ///< 0 to 100
    JobProgress events;
    std::optional<RunRecord> run;
    std::filesystem::path folder;  ///< with its events; empty: not started here
    std::shared_ptr<const ClusterConfig> config;

    /// Whether it did what was asked.
    [[nodiscard]] bool good() const;
    /// What of the cluster is not as it was before: no, perhaps, undone.
    [[nodiscard]] std::string changed() const;
};

/// A job as JSON, for everybody who may look.
Json job_document(const JobView& job);

/// The file of its events.
std::filesystem::path events_of(const std::filesystem::path& job_folder);

/// Durable. Throws Error{preparation}.
void write_record(const std::filesystem::path& job_folder, const JobRecord& record);
/// Nothing when there is no such job, or none whose record can be read.
std::optional<JobRecord> read_record(const std::filesystem::path& job_folder);

/// What an event of the run `id` changes. Throws Error when it is none.
void take_event(const std::string& id, const Json& event, JobProgress& progress);

/// How far a run is that is in this state: 0 to 100.
int percent(RunState state, const JobProgress& progress);

}  // namespace runner
