// SPDX-License-Identifier: Apache-2.0
#include "api/job_view.hpp"

#include <algorithm>

#include "model/error.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/read.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_record = 1U << 20U;

Json record_document(const JobRecord& record) {
    return {{"schemaVersion", 1},
            {"id", record.id},
            {"cluster", record.cluster},
            {"command", record.command},
            {"target", record.target},
            {"only", record.only},
            {"actor", record.actor},
            {"reason", record.reason},
            {"key", record.key},
            {"requestDigest", record.request_digest},
            {"createdAt", format_time(record.created_at)},
            {"pid", record.pid},
            {"cancelled", record.cancelled}};
}

fs::path record_file(const fs::path& folder) {
    return folder / "job.json";
}

void take_phase(const Json& event, JobProgress& progress) {
    const JsonObject object(event, "event");
    progress.current = object.string_or("version", "");
    progress.phase = object.string_or("phase", "");
    progress.position = static_cast<std::size_t>(object.integer_or("position", 0));
    progress.count = static_cast<std::size_t>(object.integer_or("count", 0));
    progress.detail = progress.phase + ' ' + progress.current + " (" +
                      std::to_string(progress.position) + " of " + std::to_string(progress.count) +
                      ')';
}

void take_finished(const Json& event, JobProgress& progress) {
    const JsonObject object(event, "event");
    progress.exit_code = static_cast<int>(object.integer_or("exitCode", 1));
    progress.current.clear();
    const Json* found = object.find("result");
    if (found == nullptr) return;
    const JsonObject result(*found, "result");
    if (const Json* error = result.find("error"); error != nullptr) {
        const JsonObject words(*error, "error");
        progress.error_code = words.string_or("code", "");
        progress.error_message = words.string_or("message", "");
        progress.changed = words.string_or("changed", "no");
        progress.detail = progress.error_message;
    }
}

}  // namespace

void write_record(const fs::path& folder, const JobRecord& record) {
    replace_file(record_file(folder), dump_json(record_document(record), 2) + '\n');
}

std::optional<JobRecord> read_record(const fs::path& folder) {
    try {
        const auto text = read_file_if_there(record_file(folder), k_max_record);
        if (!text) return std::nullopt;
        const Json document = parse_json(*text, record_file(folder).string());
        const JsonObject object(document, record_file(folder).string());
        JobRecord record;
        record.id = object.string("id");
        record.cluster = object.string("cluster");
        record.command = object.string("command");
        record.target = object.string_or("target", "");
        record.only = object.strings_or_empty("only");
        record.actor = object.string_or("actor", "");
        record.reason = object.string_or("reason", "");
        record.key = object.string_or("key", "");
        record.request_digest = object.string_or("requestDigest", "");
        record.created_at = parse_time(object.string("createdAt"));
        record.pid = object.integer_or("pid", 0);
        record.cancelled = object.boolean_or("cancelled", false);
        return record;
    } catch (const Error&) {
        return std::nullopt;
    }
}

void take_event(const std::string& id, const Json& event, JobProgress& progress) {
    const JsonObject object(event, "event");
    const std::string kind = object.string_or("event", "");
    progress.last_event = static_cast<std::uint64_t>(object.integer_or("seq", 0));
    if (kind == "state" && object.string_or("run", "") == id) {
        progress.state = run_state_from(object.string_or("to", ""));
    } else if (kind == "planned") {
        progress.due.clear();
        const JsonObject plan(object.at("plan"), "plan");
        for (const Json& due : plan.at("due"))
            progress.due.push_back(JsonObject(due, "due").string("version"));
    } else if (kind == "phaseBegan") {
        take_phase(event, progress);
    } else if (kind == "finished") {
        take_finished(event, progress);
    }
}

int percent(RunState state, const JobProgress& progress) {
    const auto part = [&](int from, int to) {
        if (progress.count == 0 || progress.position == 0) return from;
        return from + static_cast<int>((progress.position - 1) *
                                       static_cast<std::size_t>(to - from) / progress.count);
    };
    switch (state) {
        case RunState::queued:
            return 1;
        case RunState::fetching:
            return 5;
        case RunState::building:
            return 10;
        case RunState::simulating:
            return part(20, 38);
        case RunState::awaiting_confirmation:
            return 39;
        case RunState::applying:
        case RunState::verifying:
            return part(40, 95);
        case RunState::soaking:
            return 96;
        case RunState::rolling_back:
            return part(50, 95);
        case RunState::succeeded:
        case RunState::rolled_back:
            return 100;
        default:
            return 0;
    }
}

bool JobView::good() const {
    return has_succeeded(state, record.command);
}

std::string JobView::changed() const {
    const bool died_changing = state == RunState::interrupted && run && !run->attempts.empty();
    return died_changing ? "perhaps" : events.changed;
}

Json job_document(const JobView& job) {
    const JobProgress& events = job.events;
    std::string detail = events.detail;
    if (job.run && job.over) detail = job.good() ? std::string() : job.run->message;
    if (detail.empty()) detail = events.error_message;
    Json json = {{"schemaVersion", 1},
                 {"id", job.record.id},
                 {"cluster", job.record.cluster},
                 {"command", job.record.command},
                 {"state", to_string(job.state)},
                 {"over", job.over},
                 {"progress", job.progress},
                 {"current", events.current.empty() || job.over ? Json() : Json(events.current)},
                 {"detail", detail},
                 {"actor", job.record.actor},
                 {"reason", job.record.reason},
                 {"target", job.run ? job.run->start.target : job.record.target},
                 {"createdAt", format_time(job.record.created_at)},
                 {"startedAt", job.run ? Json(format_time(job.run->started_at)) : Json()},
                 {"finishedAt", job.run ? optional_time(job.run->finished_at) : Json()},
                 {"upgrades", Json::array()},
                 {"error", nullptr}};
    std::vector<std::string> attempted;
    if (job.run) {
        for (const AttemptRecord& attempt : job.run->attempts) {
            attempted.push_back(attempt.version);
            json["upgrades"].push_back(
                {{"version", attempt.version},
                 {"outcome", attempt.outcome.empty() ? Json() : Json(attempt.outcome)},
                 {"startedAt", format_time(attempt.started_at)},
                 {"finishedAt", optional_time(attempt.finished_at)}});
        }
    }
    for (const std::string& version : events.due) {
        if (std::find(attempted.begin(), attempted.end(), version) == attempted.end())
            json["upgrades"].push_back({{"version", version},
                                        {"outcome", nullptr},
                                        {"startedAt", nullptr},
                                        {"finishedAt", nullptr}});
    }
    if (job.over && !job.good())
        json["error"] = {
            {"code", events.error_code.empty() ? to_string(job.state) : events.error_code},
            {"message", detail},
            {"changed", job.changed()}};
    return json;
}

fs::path events_of(const fs::path& job_folder) {
    return job_folder / "events.jsonl";
}

}  // namespace runner
