// SPDX-License-Identifier: Apache-2.0
// A cluster, its releases and a user, all in memory: the real engine runs in it, thousands of times
// a second.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/kinds/rollback_kind.hpp"
#include "engine/kinds/single_kind.hpp"
#include "engine/kinds/upgrade_kind.hpp"
#include "engine/kinds/verify_kind.hpp"
#include "support/engine_fakes.hpp"
#include "support/scripted_host.hpp"

namespace test {

class World {
 public:
    World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Process process;
    FakeClock clock;
    runner::Redactor redactor;
    FakeSignals signals{clock};
    Surroundings now;
    FakeTerminal terminal{process};
    RecordingReporter reporter{process};
    FakeWorkTree work_tree{process, clock, now};
    FakeRunFolder folder{process, work_tree};
    FakeSource source;
    Stage stage{process, signals, work_tree, now};
    FakeProcesses processes{stage};
    runner::MemoryLedgerStore ledgers{clock, std::string(32, 'k')};
    runner::ClusterConfig config;
    /// What was told as recorded and was not in the ledger.
    std::vector<std::string> told_too_early;

    /// Releases it; a release of the same version is replaced.
    ScriptedUpgrade& publish(const ScriptedUpgrade& upgrade);
    /// The release is gone; its processes can still be played, from what is kept.
    void withdraw(const std::string& version);
    /// The script that is played from now on.
    ScriptedUpgrade& script(const std::string& version) { return stage.scripts.at(version); }

    /// Must not outlive the world.
    runner::EngineParts parts();

    // Runs. Each is a process of its own; nothing comes back when it has died.
    std::optional<runner::RunReport> upgrade(const runner::UpgradeRequest& request = yes());
    std::optional<runner::RunReport> rollback(const runner::RollbackRequest& request);
    std::optional<runner::RunReport> single(const runner::SingleRunRequest& request);
    /// `plan --out` of this, and what `upgrade --plan` then reads.
    runner::SavedPlan save_plan(runner::UpgradeRequest request);
    /// `upgrade --yes --plan`, of a plan that is saved now.
    runner::UpgradeRequest by_saved_plan();
    /// Runs `work`; whether it lived to its end.
    bool run(const std::function<void()>& work);
    /// Somebody keeps runs out: `runner lock`.
    void lock_by_hand();
    /// Calls `work` the `nth` time (from 1) that this point is reached.
    void at(const std::string& point, int nth, std::function<void()> work);

    /// `upgrade --yes`.
    static runner::UpgradeRequest yes();
    /// `upgrade`.
    static runner::UpgradeRequest asking() { return {}; }
    /// `upgrade --yes --no-auto-rollback`.
    static runner::UpgradeRequest without_rollback();
    /// `run VERSION --dry-run=false --confirm`.
    static runner::SingleRunRequest by_itself(const std::string& version, bool record = false);
    static runner::RollbackRequest rollback_request(const std::string& target = "");

    // What there is.
    [[nodiscard]] std::vector<std::string> done();
    [[nodiscard]] std::string version();
    [[nodiscard]] runner::LedgerFacts facts() { return ledgers.look()->facts(); }
    [[nodiscard]] std::string file(const std::string& path) const;
    [[nodiscard]] std::string outside(const std::string& key) const;
    /// How often this line stands in the file.
    [[nodiscard]] std::size_t lines(const std::string& path, const std::string& line) const;
    /// The state of the newest run, `-` when there is none.
    [[nodiscard]] std::string newest_run();

 private:
    std::optional<runner::RunReport> report_of(const std::function<runner::RunReport()>& work);
    /// For the calls of the ledger: a point each, before or after it.
    std::function<void(const char*)> point_at(const std::string& when);
};

/// What its error says; empty when it has none.
std::string words(const std::optional<runner::RunReport>& report);
/// Whether `part` stands in the text.
bool has(const std::string& text, const std::string& part);
/// Where this was told among the events; one past the end: never.
std::size_t place_of(const World& world, const std::string& part);
/// Changes something else than files, for good: what fails stays.
ScriptedUpgrade for_good(const std::string& version);
/// How often `one` is among them.
std::size_t count(const std::vector<std::string>& all, const std::string& one);
/// Throws what a full disk makes of a call.
[[noreturn]] void fail_disk();

}  // namespace test
