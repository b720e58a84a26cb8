// SPDX-License-Identifier: Apache-2.0
#include "support/engine_world.hpp"

#include <algorithm>
#include <sstream>

#include "model/error.hpp"

namespace test {

using runner::RunReport;

World::World() {
    config.file = "/cluster/cluster.yaml";
    config.folder = "/cluster";
    config.name = "demo";
    config.original_version = runner::SemanticVersion::parse("0.0.50");
    config.repository_directory = "/cluster";
    config.state = "/state/state.db";
    config.releases.source = runner::SourceKind::directory;
    config.verification = runner::Verification::disabled;
    ledgers.before_write = point_at("before ");
    ledgers.after_write = point_at("after ");
    reporter.on_recorded = [this](const std::string& version, runner::Outcome outcome) {
        const auto runs = ledgers.look()->runs(1, version);
        std::string recorded = "-";
        if (!runs.empty()) {
            for (const runner::AttemptRecord& attempt : runs.front().attempts) {
                const bool closed = !attempt.outcome.empty();
                if (attempt.version == version && closed) recorded = attempt.outcome;
            }
        }
        if (recorded != to_string(outcome))
            told_too_early.push_back(version + ": told " + to_string(outcome) + ", recorded " +
                                     recorded);
    };
}

ScriptedUpgrade& World::publish(const ScriptedUpgrade& upgrade) {
    source.publish(upgrade);
    return stage.scripts.insert_or_assign(upgrade.version, upgrade).first->second;
}

void World::withdraw(const std::string& version) {
    source.stored.erase(stage.scripts.at(version).tag());
}

runner::EngineParts World::parts() {
    return {config,   source,   ledgers, folder, work_tree, processes,
            reporter, terminal, signals, clock,  redactor};
}

bool World::run(const std::function<void()>& work) {
    try {
        process.point("start");
        work();
    } catch (const Killed&) {
    }
    const bool alive = !process.dead();
    if (!alive) ledgers.holder_died();
    process.start();
    return alive;
}

std::optional<RunReport> World::report_of(const std::function<RunReport()>& work) {
    std::optional<RunReport> report;
    const bool alive = run([&] { report = work(); });
    return alive ? std::move(report) : std::nullopt;
}

std::optional<RunReport> World::upgrade(const runner::UpgradeRequest& request) {
    return report_of([&] { return run_upgrade(parts(), request); });
}

std::optional<RunReport> World::rollback(const runner::RollbackRequest& request) {
    return report_of([&] { return run_rollback(parts(), request); });
}

std::optional<RunReport> World::single(const runner::SingleRunRequest& request) {
    return report_of([&] { return run_single(parts(), request); });
}

runner::SavedPlan World::save_plan(runner::UpgradeRequest request) {
    request.dry_run = request.pin_work = request.report_other = true;
    const runner::PlanReport plan = plan_upgrade(parts(), request);
    const runner::Json document =
        saved_plan_document(plan.report, plan.facts, {"demo", "", ""}, request.parameters.values);
    return runner::SavedPlan::parse(runner::dump_json(document), "plan.json");
}

runner::UpgradeRequest World::by_saved_plan() {
    runner::UpgradeRequest request = yes();
    request.saved_plan = save_plan(request);
    return request;
}

std::function<void(const char*)> World::point_at(const std::string& when) {
    return [this, when](const char* call) {
        // Giving the lease back happens in a destructor.
        if (std::string_view(call) == "release_lease") {
            process.last_point(when + call);
        } else {
            process.point(when + call);
        }
    };
}

void World::lock_by_hand() {
    runner::LeaseInfo lock;
    lock.owner = "manual";
    ledgers.open()->lock_by_hand(lock);
}

void World::at(const std::string& point, int nth, std::function<void()> work) {
    process.at_point = [point, left = nth,
                        work = std::move(work)](const std::string& reached) mutable {
        if (reached == point && --left == 0) work();
    };
}

runner::UpgradeRequest World::yes() {
    runner::UpgradeRequest request;
    request.yes = true;
    return request;
}

runner::UpgradeRequest World::without_rollback() {
    runner::UpgradeRequest request = yes();
    request.roll_back = false;
    return request;
}

runner::SingleRunRequest World::by_itself(const std::string& version, bool record) {
    runner::SingleRunRequest request;
    request.upgrade = version;
    request.yes = true;
    request.record = record;
    return request;
}

runner::RollbackRequest World::rollback_request(const std::string& target) {
    runner::RollbackRequest request;
    request.yes = true;
    request.target = target;
    return request;
}

std::vector<std::string> World::done() {
    std::vector<std::string> versions;
    for (const runner::DoneRecord& one : ledgers.look()->done()) versions.push_back(one.version);
    return versions;
}

std::string World::version() {
    const auto version = facts().cluster.cluster_version;
    return version ? version->to_string() : "-";
}

std::string World::file(const std::string& path) const {
    const auto found = now.files.find(path);
    return found == now.files.end() ? "-" : found->second;
}

std::string World::outside(const std::string& key) const {
    const auto found = now.outside.find(key);
    return found == now.outside.end() ? "" : found->second;
}

std::size_t World::lines(const std::string& path, const std::string& line) const {
    std::istringstream text(file(path));
    std::size_t found = 0;
    for (std::string one; std::getline(text, one);) found += static_cast<std::size_t>(one == line);
    return found;
}

std::string World::newest_run() {
    const auto runs = ledgers.look()->runs(1);
    return runs.empty() ? "-" : to_string(runs.front().state);
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::size_t place_of(const World& world, const std::string& part) {
    const auto& events = world.reporter.events;
    const auto found = std::find_if(events.begin(), events.end(),
                                    [&](const std::string& event) { return has(event, part); });
    return static_cast<std::size_t>(found - events.begin());
}

ScriptedUpgrade for_good(const std::string& version) {
    return ScriptedUpgrade::of(version).sets("of " + version, "done");
}

std::size_t count(const std::vector<std::string>& all, const std::string& one) {
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), one));
}

std::string words(const std::optional<RunReport>& report) {
    return report->error ? report->error->message : "";
}

void fail_disk() {
    throw runner::Error(runner::Failure::preparation, "the disk is full");
}

}  // namespace test
