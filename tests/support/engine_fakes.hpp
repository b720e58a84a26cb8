// SPDX-License-Identifier: Apache-2.0
// Fakes of what the engine works with. They observe, fail on demand, and let a run die between any
// two effects.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/parts.hpp"
#include "ledger/memory/memory_ledger.hpp"
#include "support/scripted_upgrade.hpp"

namespace test {

/// The process is gone. No error of the engine's: nothing there catches it.
struct Killed {};

/// One run's process: what it does passes here, and may be its last.
class Process {
 public:
    /// Called at each point, with its name; may change the world, and may throw.
    std::function<void(const std::string& point)> at_point;
    std::optional<std::size_t> dies_at;  ///< at this point, counted from 0
    std::size_t points = 0;              ///< passed so far

    /// A place between two effects. Throws Killed when the process dies here, or is dead.
    void point(const std::string& name);
    /// The same in a destructor, where only an Error may fly.
    void last_point(const std::string& name);
    [[nodiscard]] bool dead() const { return m_dead; }
    /// A new process in the same world.
    void start();

 private:
    bool dies(const std::string& name);
    bool m_dead = false;
};

class FakeClock final : public runner::Clock {
 public:
    [[nodiscard]] std::chrono::milliseconds wall() const override {
        return std::chrono::milliseconds(1772366400000) + steady();
    }
    /// Every look takes a millisecond.
    [[nodiscard]] std::chrono::milliseconds steady() const override { return ++m_now; }
    void advance(std::chrono::milliseconds length) const { m_now += length; }

 private:
    mutable std::chrono::milliseconds m_now{0};
};

class FakeSignals final : public runner::StopSignals {
 public:
    explicit FakeSignals(const FakeClock& clock) : m_clock(clock) {}
    int signals = 0;
    int number = 15;
    std::function<void()> while_waiting;
    mutable std::vector<std::chrono::milliseconds> waits;  ///< how long each was
    [[nodiscard]] int count() const override { return signals; }
    [[nodiscard]] int first_signal() const override { return signals > 0 ? number : 0; }
    [[nodiscard]] int descriptor() const override { return -1; }
    void drain() const override {}
    void wait(std::chrono::milliseconds length) const override {
        m_clock.advance(length);
        waits.push_back(length);
        const auto called = while_waiting;  // it may take itself out meanwhile
        if (called) called();
    }

 private:
    const FakeClock& m_clock;
};

class FakeTerminal final : public runner::Terminal {
 public:
    explicit FakeTerminal(Process& process) : m_process(process) {}
    bool there = true;
    std::vector<std::string> questions;
    std::size_t secret_questions = 0;  ///< those of them whose answer is not shown
    /// Nothing: every answer is `y`.
    std::function<std::optional<std::string>(const std::string& question)> answer;
    /// Does this while a question waits, which is then answered by `y`.
    void while_asked(std::function<void()> work) {
        answer = [work = std::move(work)](const std::string&) {
            work();
            return std::optional<std::string>("y");
        };
    }
    [[nodiscard]] bool interactive() const override { return there; }
    std::optional<std::string> ask(const std::string& prompt) override;
    std::optional<std::string> ask_secret(const std::string& prompt) override {
        ++secret_questions;
        return ask(prompt);
    }

 private:
    Process& m_process;
};

/// Everything that was told, a line each, without what differs from one process to the next.
class RecordingReporter final : public runner::Reporter {
 public:
    explicit RecordingReporter(Process& process) : m_process(process) {}
    std::vector<std::string> events;
    /// Called when it is told that an outcome is recorded.
    std::function<void(const std::string& version, runner::Outcome outcome)> on_recorded;

    [[nodiscard]] bool told(const std::string& part) const;
    [[nodiscard]] std::size_t count(const std::string& part) const;

    void warning(const std::string& text) override { tell("warning: " + text); }
    void notice(const std::string& text) override { tell("notice: " + text); }
    void moved(const std::string& run, runner::RunState from, runner::RunState to) override;
    void planned(const runner::RunReport& report) override;
    void fetching(std::uint64_t, std::uint64_t) override {}
    void simulation_begins(std::size_t count) override;
    void phase_begins(const std::string& version, runner::HostPhase phase, std::size_t position,
                      std::size_t count) override;
    void phase_ends(const std::string& version, runner::HostPhase phase, const std::string& words,
                    bool good) override;
    void recorded(const std::string& version, runner::Outcome outcome, bool done) override;
    void line(std::int32_t level, const std::string& text) override;
    void step(const std::string& id, const std::string& description,
              runner::HostPhase phase) override;
    void command_shown(const runner::ToldCommand& command) override {
        tell("would run: " + command.text);
    }
    void command_begun(const runner::ToldCommand& command) override {
        tell("begun: " + command.text);
    }
    void diff(const std::string& text) override { tell("diff: " + text); }
    void progress(std::uint64_t, std::uint64_t, const std::string&) override {}
    void applying_begins(std::size_t count) override;
    void finished(const runner::RunReport& report) override;

 private:
    void tell(const std::string& event);
    Process& m_process;
};

/// The repository in memory.
class FakeWorkTree final : public runner::WorkTree {
 public:
    FakeWorkTree(Process& process, const FakeClock& clock, Surroundings& now)
        : m_process(process), m_clock(clock), m_now(now) {}
    std::map<std::string, std::string> originals;  ///< by backup name
    std::set<std::string> temporaries;
    std::map<std::string, upgrade::services::PathStatus> statuses;  ///< of what is no plain file
    static constexpr unsigned k_mode = 0644;
    std::map<std::string, unsigned> modes;  ///< of files that somebody has given another one

    std::set<std::string> read_only;  ///< paths that cannot be written

    std::vector<std::string> own_paths() override { return {}; }

    upgrade::services::PathStatus look(const std::string& path) override;
    std::string why_not_writable(const std::string& path) override {
        return read_only.count(path) == 0 ? "" : "its folder cannot be written";
    }
    std::vector<std::string> names(const std::string& pattern) override;
    std::string what_stays(const std::string& folder,
                           const upgrade::services::EachPath& goes) override;
    std::optional<std::string> content(const std::string& path) override;
    std::optional<std::string> original(const runner::FileIntent& change) override;
    std::vector<std::string> put_back(const runner::FileIntent& change) override;
    void remove_made_folders(const runner::FileIntent&) override {}  // it has files alone
    void remove_temporary(const runner::FileIntent& change) override;
    [[nodiscard]] std::chrono::milliseconds file_time() const override { return m_clock.wall(); }
    std::vector<std::string> written_since(std::chrono::milliseconds moment,
                                           std::size_t limit) override;
    /// What an upgrade's process does.
    void replace(const std::string& path, const std::optional<std::string>& content);

 private:
    Process& m_process;
    const FakeClock& m_clock;
    Surroundings& m_now;
    std::map<std::string, std::chrono::milliseconds> m_written;
};

/// Releases in memory, whoever put them there.
class FakeSource final : public runner::ReleaseSource {
 public:
    struct Stored {
        runner::Release release;
        std::map<std::string, std::string> files;  ///< by asset name
    };
    std::map<std::string, Stored> stored;  ///< by tag
    std::size_t lists = 0;
    std::function<void()> on_list;     ///< called once, when releases are listed next
    std::vector<std::string> fetched;  ///< names of assets
    bool judges = false;               ///< signatures are its own
    std::string problem_with_signatures;
    std::set<std::string> unbuilt;           ///< tags whose assets have to be built first
    std::vector<std::string> builds;         ///< the tags that were built, each with its log
    std::function<void()> while_building{};  ///< may throw

    void publish(const ScriptedUpgrade& upgrade);
    void keep(const std::string& tag, const runner::ReleaseFiles& files);

    [[nodiscard]] std::string name() const override { return "memory"; }
    std::vector<runner::Release> list() override;
    void complete(const std::vector<runner::Release*>& releases) override;
    void fetch(const std::vector<runner::AssetRequest>& requests,
               const runner::FetchProgress& progress) override;
    std::string read(const runner::AssetRequest& request) override;
    std::string notes(const runner::Release&) override { return {}; }
    [[nodiscard]] bool is_built(const runner::Release& release) const override {
        return unbuilt.count(release.tag) == 0;
    }
    void build(const runner::Release& release, const std::filesystem::path& log) override;
    [[nodiscard]] bool judges_signatures() const override { return judges; }
    [[nodiscard]] std::string signature_problem(const runner::Release&) const override {
        return problem_with_signatures;
    }
};

class FakeRunFolder final : public runner::RunFolder {
 public:
    explicit FakeRunFolder(Process& process, FakeWorkTree& work_tree)
        : m_process(process), m_work_tree(work_tree) {}
    std::map<std::string, std::vector<std::string>> logs;
    FakeSource kept;

    std::unique_ptr<runner::RunLog> log(const std::string& name) override;
    [[nodiscard]] std::filesystem::path place_of(const std::string& name) const override;
    std::string copy_ledger(runner::Ledger& ledger, const std::string& run) override;
    [[nodiscard]] std::filesystem::path originals_of(const std::string& version) const override;
    void remove_if_empty(const std::filesystem::path&) override {}
    void remove_originals(const std::string& version) override;
    void keep_release(const std::string& tag, const runner::ReleaseFiles& files) override;
    std::unique_ptr<runner::ReleaseSource> kept_releases() override;
    std::size_t kept_releases_count() override { return kept.stored.size(); }
    void keep_only_releases(const std::set<std::string>& tags) override;

 private:
    Process& m_process;
    FakeWorkTree& m_work_tree;
};

}  // namespace test
