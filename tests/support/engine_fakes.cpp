// SPDX-License-Identifier: Apache-2.0
#include "support/engine_fakes.hpp"

#include <algorithm>

#include "model/error.hpp"
#include "support/text.hpp"

namespace test {

using runner::Error;
using runner::Failure;
using runner::FileIntent;

bool Process::dies(const std::string& name) {
    if (m_dead) return true;
    if (points++ == dies_at) m_dead = true;
    if (!m_dead && at_point) at_point(name);
    return m_dead;
}

void Process::point(const std::string& name) {
    if (dies(name)) throw Killed{};
}

void Process::last_point(const std::string& name) {
    if (dies(name)) throw Error(Failure::preparation, "the process is dead");
}

void Process::start() {
    m_dead = false;
    points = 0;
    dies_at.reset();
}

std::optional<std::string> FakeTerminal::ask(const std::string& prompt) {
    m_process.point("ask");
    questions.push_back(prompt);
    return answer ? answer(prompt) : "y";
}

void RecordingReporter::tell(const std::string& event) {
    m_process.point("tell");
    events.push_back(event);
}

bool RecordingReporter::told(const std::string& part) const {
    return count(part) > 0;
}

std::size_t RecordingReporter::count(const std::string& part) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(),
        [&](const std::string& event) { return event.find(part) != std::string::npos; }));
}

void RecordingReporter::moved(const std::string&, runner::RunState from, runner::RunState to) {
    tell(std::string("moved: ") + to_string(from) + " to " + to_string(to));
}

void RecordingReporter::planned(const runner::RunReport& report) {
    std::string versions;
    for (const runner::PlannedUpgrade& upgrade : report.due) versions += ' ' + upgrade.version;
    tell("planned:" + versions + " to " + report.final_version);
}

void RecordingReporter::simulation_begins(std::size_t count) {
    tell("simulating " + std::to_string(count));
}

void RecordingReporter::phase_begins(const std::string& version, runner::HostPhase phase,
                                     std::size_t position, std::size_t count) {
    tell(std::string(to_string(phase)) + " begins: " + version + ' ' + std::to_string(position) +
         " of " + std::to_string(count));
}

void RecordingReporter::phase_ends(const std::string& version, runner::HostPhase phase,
                                   const std::string& words, bool good) {
    tell(std::string(to_string(phase)) + (good ? " good: " : " bad: ") + version + ": " + words);
}

void RecordingReporter::recorded(const std::string& version, runner::Outcome outcome, bool done) {
    if (on_recorded && !m_process.dead()) on_recorded(version, outcome);
    tell("recorded: " + version + ' ' + to_string(outcome) + (done ? " done" : ""));
}

void RecordingReporter::line(std::int32_t, const std::string& text) {
    tell("line: " + text);
}

void RecordingReporter::step(const std::string& id, const std::string& description,
                             runner::HostPhase phase) {
    tell("step: " + id + " in " + to_string(phase) +
         (description.empty() ? "" : ": " + description));
}

void RecordingReporter::applying_begins(std::size_t count) {
    tell("applying " + std::to_string(count));
}

void RecordingReporter::finished(const runner::RunReport& report) {
    if (m_process.dead()) return;  // the run goes on to here where an error stood for the death
    tell("finished: " + std::string(report.outcome ? to_string(*report.outcome) : "-") + ' ' +
         std::to_string(report.exit_code));
}

std::optional<std::string> FakeWorkTree::content(const std::string& path) {
    const auto found = m_now.files.find(path);
    return found == m_now.files.end() ? std::nullopt : std::optional(found->second);
}

upgrade::services::PathStatus FakeWorkTree::look(const std::string& path) {
    using upgrade::services::PathKind;
    if (const auto status = statuses.find(path); status != statuses.end()) return status->second;
    const auto mode = modes.find(path);
    if (m_now.files.count(path) != 0)
        return {PathKind::file, mode == modes.end() ? k_mode : mode->second};
    const auto below = m_now.files.lower_bound(path + '/');
    const bool folder = below != m_now.files.end() && below->first.rfind(path + '/', 0) == 0;
    return {folder ? PathKind::folder : PathKind::none, 0};
}

std::vector<std::string> FakeWorkTree::names(const std::string& pattern) {
    std::vector<std::string> found;
    for (const auto& [path, content] : m_now.files) {
        if (upgrade::services::matches(pattern, path)) found.push_back(path);
    }
    return found;
}

std::string FakeWorkTree::what_stays(const std::string& folder,
                                     const upgrade::services::EachPath& goes) {
    bool is_empty = true;
    for (const auto& [path, content] : m_now.files) {
        if (path.rfind(folder + '/', 0) != 0) continue;
        is_empty = false;
        if (!goes(path)) return path;
    }
    return is_empty && !goes(folder) ? folder : "";
}

std::optional<std::string> FakeWorkTree::original(const FileIntent& change) {
    if (change.backup.empty()) return std::nullopt;
    const auto found = originals.find(change.backup);
    if (found == originals.end())
        throw Error(Failure::preparation, "there is no original " + change.backup);
    return found->second;
}

void FakeWorkTree::replace(const std::string& path, const std::optional<std::string>& content) {
    m_process.point("before file");
    const bool in_the_way = std::any_of(m_now.files.begin(), m_now.files.end(), [&](const auto& f) {
        return path.rfind(f.first + '/', 0) == 0 || f.first.rfind(path + '/', 0) == 0;
    });
    if (content && in_the_way)
        throw Error(Failure::preparation, "replace " + path + ": Not a directory");
    if (content) {
        m_now.files[path] = *content;
    } else {
        m_now.files.erase(path);
    }
    m_written[path] = m_clock.wall();
    m_process.point("after file");
}

std::vector<std::string> FakeWorkTree::put_back(const FileIntent& change) {
    replace(change.path, original(change));
    modes.erase(change.path);
    return {};
}

void FakeWorkTree::remove_temporary(const FileIntent& change) {
    m_process.point("remove temporary");
    temporaries.erase(change.temporary);
}

std::vector<std::string> FakeWorkTree::written_since(std::chrono::milliseconds moment,
                                                     std::size_t limit) {
    std::vector<std::string> paths;
    for (const auto& [path, time] : m_written) {
        if (time >= moment && m_now.files.count(path) > 0 && paths.size() < limit)
            paths.push_back(path);
    }
    return paths;
}

namespace {

class MemoryLog final : public runner::RunLog {
 public:
    MemoryLog(Process& process, std::vector<std::string>* lines)
        : m_process(process), m_lines(lines) {}
    void write(const std::string& line) override {
        if (m_lines == nullptr) return;
        m_process.point("log");
        m_lines->push_back(line);
    }

 private:
    Process& m_process;
    std::vector<std::string>* m_lines;
};

/// What is kept, for one run.
class KeptReleases final : public runner::ReleaseSource {
 public:
    explicit KeptReleases(FakeSource& kept) : m_kept(kept) {}
    [[nodiscard]] std::string name() const override { return "kept"; }
    std::vector<runner::Release> list() override { return m_kept.list(); }
    void complete(const std::vector<runner::Release*>&) override {}
    void fetch(const std::vector<runner::AssetRequest>& requests,
               const runner::FetchProgress& progress) override {
        m_kept.fetch(requests, progress);
    }
    std::string read(const runner::AssetRequest& request) override { return m_kept.read(request); }
    std::string notes(const runner::Release&) override { return {}; }

 private:
    FakeSource& m_kept;
};

}  // namespace

std::unique_ptr<runner::RunLog> FakeRunFolder::log(const std::string& name) {
    return std::make_unique<MemoryLog>(m_process, name.empty() ? nullptr : &logs[name]);
}

std::filesystem::path FakeRunFolder::place_of(const std::string& name) const {
    return std::filesystem::path("/state") / name;
}

std::string FakeRunFolder::copy_ledger(runner::Ledger& ledger, const std::string& run) {
    const std::filesystem::path copy = place_of("copies/" + run + ".db");
    ledger.copy_to(copy);
    return copy.string();
}

std::filesystem::path FakeRunFolder::originals_of(const std::string& version) const {
    return place_of("originals/" + version);
}

void FakeRunFolder::remove_originals(const std::string& version) {
    m_process.point("remove originals");
    const std::string folder = originals_of(version).string() + '/';
    std::erase_if(m_work_tree.originals,
                  [&](const auto& original) { return original.first.rfind(folder, 0) == 0; });
}

void FakeRunFolder::keep_release(const std::string& tag, const runner::ReleaseFiles& files) {
    m_process.point("keep release");
    kept.keep(tag, files);
}

std::unique_ptr<runner::ReleaseSource> FakeRunFolder::kept_releases() {
    if (kept.stored.empty()) return nullptr;
    return std::make_unique<KeptReleases>(kept);
}

void FakeRunFolder::keep_only_releases(const std::set<std::string>& tags) {
    m_process.point("remove kept releases");
    std::erase_if(kept.stored, [&](const auto& one) { return tags.count(one.first) == 0; });
}

}  // namespace test
