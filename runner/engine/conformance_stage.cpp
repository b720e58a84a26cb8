// SPDX-License-Identifier: Apache-2.0
#include "engine/conformance_stage.hpp"

#include <unistd.h>

#include "engine/pipeline.hpp"
#include "engine/undo.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {

namespace fs = std::filesystem;

namespace {

/// As if the whole program had been killed: nothing is closed.
struct Killed {};

/// What both runs of a stage have in common: the upgrade is given, and nobody is asked.
class ProofKind : public Kind {
 public:
    explicit ProofKind(const UpgradeInRun& upgrade) : m_upgrade(upgrade) {}
    [[nodiscard]] std::string command(const Run&) const override { return "conformance"; }
    [[nodiscard]] bool has_user() const override { return false; }
    [[nodiscard]] TrustPolicy trust(const Run&) const override { return {}; }
    void choose(Run& run) override {
        if (!run.upgrades.empty()) return;
        UpgradeInRun upgrade;
        upgrade.version = m_upgrade.version;
        upgrade.tag = m_upgrade.version;
        upgrade.platform = Platform::current().to_string();
        upgrade.supplier = Supplier::file;
        upgrade.known = m_upgrade.known;
        upgrade.manifest_json = m_upgrade.manifest_json;
        upgrade.check_description = false;
        upgrade.image.reset(::dup(m_upgrade.image.get()));
        upgrade.parameters = m_upgrade.parameters;
        run.upgrades.push_back(std::move(upgrade));
    }
    void end_with_nothing_to_do(Run&) override {}
    void load(Run&) override {}
    void resolve_parameters(Run&) override {}
    void fetch(Run&) override {}
    [[nodiscard]] std::string question(const Run&) const override { return {}; }

 private:
    const UpgradeInRun& m_upgrade;
};

/// Simulates, applies, verifies, and notes what a rule wants to know.
class ApplyProof final : public ProofKind {
 public:
    ApplyProof(const UpgradeInRun& upgrade, fs::path repository)
        : ProofKind(upgrade), m_repository(std::move(repository)) {}

    void rehearse(Run& run, UpgradeInRun& upgrade) override {
        attempt.simulation = run.phase_runner().simulate(upgrade, true);
        attempt.after_simulation = snapshot_of(m_repository);
        attempt.promised = attempt.after_simulation;
        for (const auto& [path, change] : run.phase_runner().simulated_changes()) {
            attempt.promised.erase(path);
            if (change.content)
                attempt.promised[path] = {*change.content, run.phase_runner().simulated_mode(path)};
        }
        if (!attempt.simulation.ok()) throw Error(Failure::preparation, attempt.simulation.message);
    }
    Worked work(Run& run, UpgradeInRun& upgrade) override {
        PhaseRunner& phases = run.phase_runner();
        attempt.last = phases.apply(upgrade, run.record(), true);
        if (attempt.last.ok() && attempt.last.has("verify"))
            attempt.last = phases.verify(upgrade, run.record(), false);
        Worked worked;
        worked.good = attempt.last.ok();
        worked.end.version = upgrade.version;
        worked.end.outcome = worked.good ? Outcome::succeeded : Outcome::failed;
        worked.end.done = worked.good;
        return worked;
    }
    void end(Run& run) override {
        run.recorded->finish(RunState::succeeded, Outcome::succeeded, "");
    }
    void end_after_failure(Run& run, UpgradeInRun&, const AttemptEnd& end) override {
        run.recorded->finish(RunState::failed, end.outcome, end.message);
    }

    Attempt attempt;

 private:
    fs::path m_repository;
};

/// Undoes what was applied.
class UndoProof final : public ProofKind {
 public:
    using ProofKind::ProofKind;
    [[nodiscard]] bool undoes() const override { return true; }
    void rehearse(Run&, UpgradeInRun&) override {}
    Worked work(Run& run, UpgradeInRun& upgrade) override {
        const UndoResult undone =
            undo_upgrade(run.phase_runner(), upgrade, run.parts.work_tree, run.record());
        problem = undone.good ? "" : undone.message;
        Worked worked;
        worked.good = undone.good;
        worked.end.version = upgrade.version;
        worked.end.outcome = undone.outcome();
        worked.end.message = undone.message;
        worked.end.undone = undone.good;
        return worked;
    }
    void end(Run& run) override {
        run.recorded->finish(RunState::rolled_back, Outcome::rolled_back, "");
    }
    void end_after_failure(Run& run, UpgradeInRun&, const AttemptEnd& end) override {
        run.recorded->finish(RunState::rollback_failed, end.outcome, end.message);
    }

    std::string problem;
};

/// There are no releases: the proof is of a plugin in a file.
class NoReleases final : public ReleaseSource {
 public:
    [[nodiscard]] std::string name() const override { return "none"; }
    std::vector<Release> list() override { return {}; }
    void complete(const std::vector<Release*>&) override {}
    void fetch(const std::vector<AssetRequest>&, const FetchProgress&) override {}
    std::string read(const AssetRequest&) override { return {}; }
    std::string notes(const Release&) override { return {}; }
};

}  // namespace

Snapshot snapshot_of(const fs::path& folder) {
    Snapshot files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string name = fs::relative(entry.path(), folder).string();
        if (entry.is_symlink()) {
            files[name] = {"link to " + fs::read_symlink(entry.path()).string()};
        } else if (entry.is_regular_file()) {
            files[name] = {read_file(entry.path(), k_max_file),
                           static_cast<unsigned>(entry.status().permissions())};
        }
    }
    return files;
}

Snapshot folders_of(const fs::path& folder) {
    Snapshot folders;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (!entry.is_directory() || entry.is_symlink()) continue;
        folders[fs::relative(entry.path(), folder).string() + '/'] = {
            {}, static_cast<unsigned>(entry.status().permissions())};
    }
    return folders;
}

std::string Attempt::words() const {
    const PhaseResult& result = simulation.ok() ? last : simulation;
    return died ? "it was killed" : result.message;
}

Stage::Stage(const ConformanceRequest& request, const UpgradeInRun& upgrade,
             const StopSignals& signals, const Clock& clock, bool sandbox)
    : m_upgrade(upgrade),
      m_signals(signals),
      m_clock(clock),
      m_sandbox(sandbox),
      m_folder("runner-conformance"),
      m_source(std::make_unique<NoReleases>()) {
    m_config.name = request.cluster_name;
    m_config.repository_directory = m_folder.path() / "repository";
    m_config.state = m_folder.path() / "state/state.db";
    fs::create_directories(repository());
    if (!request.fixture.empty())
        fs::copy(request.fixture, repository(),
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    m_ledgers = make_sqlite_store(m_config.state, clock);
    m_run_folder = std::make_unique<DiskRunFolder>(m_config.state, m_config.releases.prefix);
    m_work_tree = std::make_unique<DiskWorkTree>(repository(), m_config.state);
}

Attempt Stage::run(Terminal& terminal, const std::string& die_after) {
    ApplyProof kind(m_upgrade, repository());
    try {
        run_kind(kind, terminal, die_after);
    } catch (const Killed&) {
        kind.attempt.died = true;
    }
    return std::move(kind.attempt);
}

std::string Stage::roll_back() {
    OneAnswer yes(true);
    UndoProof kind(m_upgrade);
    const RunReport report = run_kind(kind, yes, {});
    if (kind.problem.empty() && report.error) return report.error->message;
    return kind.problem;
}

RunReport Stage::run_kind(Kind& kind, Terminal& terminal, const std::string& die_after) {
    const EngineParts parts{m_config,     *m_source,   *m_ledgers, *m_run_folder,
                            *m_work_tree, m_processes, reporter,   terminal,
                            m_signals,    m_clock,     m_redactor};
    const RunOptions options;
    Run run(parts, options, KindOfRun::conformance);
    run.adjust_phases = [&](PhaseRunnerOptions& phases) {
        phases.sandbox = m_sandbox;
        phases.hold_to_shown = false;  // a rule of its own compares
        phases.after_step = [&die_after](const std::string& step) {
            if (step == die_after) throw Killed{};
        };
    };
    return run_pipeline(run, kind);
}

}  // namespace runner
