// SPDX-License-Identifier: Apache-2.0
#include "engine/conformance.hpp"

#include <unistd.h>

#include <optional>

#include "engine/describe_plugin.hpp"
#include "engine/lease_holder.hpp"
#include "engine/pipeline.hpp"
#include "engine/undo.hpp"
#include "host/sandbox.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

using Snapshot = std::map<std::string, std::string>;

Snapshot snapshot_of(const fs::path& folder) {
    Snapshot files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string name = fs::relative(entry.path(), folder).string();
        if (entry.is_symlink()) {
            files[name] = "link to " + fs::read_symlink(entry.path()).string();
        } else if (entry.is_regular_file()) {
            files[name] = read_file(entry.path(), k_max_file);
        }
    }
    return files;
}

Snapshot names_in(Snapshot files) {
    for (auto& [name, content] : files) content.clear();
    return files;
}

/// The first few files in which two snapshots differ; empty when they are equal.
std::string difference(const Snapshot& expected, const Snapshot& found) {
    constexpr std::size_t k_named = 3;
    std::vector<std::string> names;
    for (const auto& [name, content] : expected) {
        const auto other = found.find(name);
        if (other == found.end()) {
            names.push_back(name + " is missing");
        } else if (other->second != content) {
            names.push_back(name + " differs");
        }
    }
    for (const auto& [name, content] : found) {
        if (expected.count(name) == 0) names.push_back(name + " is new");
    }
    const std::size_t all = names.size();
    if (all > k_named) {
        names.resize(k_named);
        names.push_back(counted(all - k_named, "more"));
    }
    return sanitize(join(names, ", "));
}

/// Notes what a rule wants to know.
class NotingReporter final : public QuietReporter {
 public:
    void command_shown(const std::string& command) override { commands.push_back(command); }
    void step(const std::string& id, const std::string&, HostPhase phase) override {
        if (phase == HostPhase::apply) steps.push_back(id);
    }
    std::vector<std::string> commands;
    std::vector<std::string> steps;
};

/// Answers every question alike, and counts them.
class OneAnswer final : public Terminal {
 public:
    explicit OneAnswer(bool yes) : m_yes(yes) {}
    [[nodiscard]] bool interactive() const override { return true; }
    std::optional<std::string> ask(const std::string&) override {
        ++asked;
        return m_yes ? "y" : "n";
    }
    int asked = 0;

 private:
    bool m_yes;
};

struct Attempt {
    PhaseResult simulation;
    PhaseResult last;  ///< of apply, or of verify when that ran
    bool died = false;
    Snapshot after_simulation;
    Snapshot promised;  ///< what the simulation says the files will be
    [[nodiscard]] bool good() const {
        return !died && (simulation.end == PhaseEnd::nothing_to_do || last.ok());
    }
    [[nodiscard]] std::string words() const {
        const PhaseResult& result = simulation.ok() ? last : simulation;
        return died ? "it was killed" : sanitize(result.message);
    }
};

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
            if (change.content) attempt.promised[path] = *change.content;
        }
        if (!attempt.simulation.ok())
            throw Error(Failure::preparation, attempt.simulation.message);
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
    [[nodiscard]] RunState working() const override { return RunState::rolling_back; }
    [[nodiscard]] RunState failed() const override { return RunState::rollback_failed; }
    [[nodiscard]] Outcome failed_outcome() const override { return Outcome::rollback_failed; }
    void rehearse(Run&, UpgradeInRun&) override {}
    Worked work(Run& run, UpgradeInRun& upgrade) override {
        const UndoResult undone =
            undo_upgrade(run.phase_runner(), upgrade, run.parts.work_tree, run.record());
        problem = undone.good ? "" : undone.message;
        Worked worked;
        worked.good = undone.good;
        worked.end.version = upgrade.version;
        worked.end.outcome = undone.good ? Outcome::rolled_back : Outcome::rollback_failed;
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

/// A repository and a ledger of their own, in which one upgrade runs as often as need be.
class Stage {
 public:
    Stage(const ConformanceRequest& request, const UpgradeInRun& upgrade,
          const StopSignals& signals, const Clock& clock, bool sandbox = false)
        : m_upgrade(upgrade),
          m_signals(signals),
          m_clock(clock),
          m_sandbox(sandbox),
          m_folder("runner-conformance") {
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

    [[nodiscard]] const fs::path& repository() const { return m_config.repository_directory; }
    /// The repository, the ledger and the log.
    [[nodiscard]] const fs::path& folder() const { return m_folder.path(); }

    /// Simulates, applies, verifies; with `die_after`, everything is killed when that step is
    /// finished.
    Attempt run(Terminal& terminal, const std::string& die_after = {}) {
        ApplyProof kind(m_upgrade, repository());
        try {
            run_kind(kind, terminal, die_after);
        } catch (const Killed&) {
            kind.attempt.died = true;
        }
        return std::move(kind.attempt);
    }

    /// Undoes what run() did; what went wrong, or nothing.
    std::string roll_back() {
        OneAnswer yes(true);
        UndoProof kind(m_upgrade);
        const RunReport report = run_kind(kind, yes, {});
        if (kind.problem.empty() && report.error) return report.error->message;
        return kind.problem;
    }

    NotingReporter reporter;

 private:
    RunReport run_kind(Kind& kind, Terminal& terminal, const std::string& die_after) {
        const EngineParts parts{m_config,    m_source, *m_ledgers, *m_run_folder, *m_work_tree,
                                m_processes, reporter, terminal,   m_signals,     m_clock};
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

    const UpgradeInRun& m_upgrade;
    const StopSignals& m_signals;
    const Clock& m_clock;
    bool m_sandbox;
    TemporaryFolder m_folder;
    ClusterConfig m_config;
    NoReleases m_source;
    SystemProcesses m_processes;
    std::unique_ptr<LedgerStore> m_ledgers;
    std::unique_ptr<RunFolder> m_run_folder;
    std::unique_ptr<WorkTree> m_work_tree;
};

class Proof {
 public:
    Proof(const ConformanceRequest& request, const StopSignals& signals, const Clock& clock)
        : m_request(request), m_signals(signals), m_clock(clock) {}

    std::vector<RuleResult> run() {
        add("loads", "it loads as a plugin of ABI 1 and describes itself");
        add("described", "its description says in a line what is better afterwards");
        add("simulation-changes-nothing", "its simulation changes no file");
        add("applies", "it applies and verifies itself");
        add("simulation-is-exact", "its simulation shows the files as they are afterwards");
        add("idempotent", "applied again, it changes nothing");
        add("resumes", "killed after any step and run again, it comes to the same");
        add("rollback-restores", "rolled back, it leaves every file as it was");
        add("secrets-stay-secret", "a secret parameter's value is in no file afterwards");
        add("permissions", "with only what it declares, it comes to the same");
        add("declining-fails", "a question that is answered with no fails it");
        if (load()) judge();
        return std::move(m_results);
    }

 private:
    void add(const char* rule, const char* meaning) {
        m_results.push_back({rule, meaning, RuleVerdict::not_judged, ""});
    }
    void set(const std::string& rule, RuleVerdict verdict, const std::string& detail) {
        for (RuleResult& result : m_results) {
            if (result.rule != rule) continue;
            result.verdict = verdict;
            result.detail = detail;
        }
    }
    void judge_files(const std::string& rule, const Snapshot& expected, const Snapshot& found) {
        const std::string differs = difference(expected, found);
        set(rule, differs.empty() ? RuleVerdict::kept : RuleVerdict::broken, differs);
    }

    bool load() {
        UpgradeImage image = image_from_file(m_request.plugin);
        if (image.form != UpgradeForm::plugin) {
            throw Error(Failure::usage, m_request.plugin.string() +
                                            " is no plugin (.so or .dylib): an executable "
                                            "upgrade keeps its rules by itself");
        }
        try {
            m_upgrade.known.manifest = describe_plugin(m_request.plugin, m_signals, m_clock);
        } catch (const Error& error) {
            set("loads", RuleVerdict::broken, error.what());
            for (RuleResult& result : m_results) {
                if (result.verdict == RuleVerdict::not_judged) result.detail = "it does not load";
            }
            return false;
        }
        m_upgrade.version = m_upgrade.manifest().version.to_string();
        m_upgrade.manifest_json = m_upgrade.manifest().to_json();
        m_upgrade.image = seal(image);
        GivenParameters given = m_request.parameters;
        for (const Parameter& parameter : m_upgrade.manifest().parameters) {
            if (parameter.secret && parameter.pattern.empty())
                given.secrets.emplace(parameter.name, "canary-" + make_run_id(m_clock));
        }
        m_upgrade.parameters =
            resolve_parameters({&m_upgrade.manifest()}, given, {}, nullptr).front();
        set("loads", RuleVerdict::kept, m_upgrade.version);
        return true;
    }

    void judge() {
        const std::string& description = m_upgrade.manifest().description;
        const bool told = !description.empty() && !description.starts_with("TODO");
        set("described", told ? RuleVerdict::kept : RuleVerdict::broken,
            told ? sanitize(description) : "write 'description' in upgrade.json");

        Stage stage(m_request, m_upgrade, m_signals, m_clock);
        const Snapshot before = snapshot_of(stage.repository());
        OneAnswer yes(true);
        const Attempt attempt = stage.run(yes);
        judge_files("simulation-changes-nothing", before, attempt.after_simulation);
        if (attempt.simulation.end == PhaseEnd::nothing_to_do) {
            leave_rest("it has nothing to do in this fixture: " + attempt.words());
            return;
        }
        if (!attempt.good()) {
            set("applies", RuleVerdict::broken, attempt.words());
            leave_rest("it does not apply in this fixture");
            return;
        }
        set("applies", RuleVerdict::kept, "");
        const Snapshot after = snapshot_of(stage.repository());
        if (stage.reporter.commands.empty()) {
            judge_files("simulation-is-exact", attempt.promised, after);
        } else {
            set("simulation-is-exact", RuleVerdict::not_judged,
                "what its commands do is not in a simulation: " +
                    sanitize(stage.reporter.commands.front()));
        }
        judge_again(stage, after);
        judge_kills(stage.reporter.steps, after);
        judge_secrets(stage);
        judge_rollback(stage, before);
        judge_permissions(after);
        judge_declining(yes.asked);
    }

    void leave_rest(const std::string& why) {
        for (RuleResult& result : m_results) {
            if (result.verdict == RuleVerdict::not_judged && result.detail.empty()) result.detail = why;
        }
    }

    /// In the repository as it is now, with a ledger that knows nothing of the first time.
    void judge_again(const Stage& stage, const Snapshot& after) {
        ConformanceRequest request = m_request;
        request.fixture = stage.repository();
        Stage again(request, m_upgrade, m_signals, m_clock);
        OneAnswer yes(true);
        const Attempt attempt = again.run(yes);
        if (attempt.good()) {
            judge_files("idempotent", after, snapshot_of(again.repository()));
        } else {
            set("idempotent", RuleVerdict::broken,
                attempt.words() + "; it should have nothing to do, or change nothing");
        }
    }

    void judge_kills(const std::vector<std::string>& steps, const Snapshot& after) {
        if (steps.empty()) {
            set("resumes", RuleVerdict::not_judged, "it has no steps");
            return;
        }
        for (const std::string& step : steps) {
            Stage stage(m_request, m_upgrade, m_signals, m_clock);
            OneAnswer yes(true);
            stage.run(yes, step);
            const Attempt again = stage.run(yes);
            std::string wrong =
                again.good() ? difference(after, snapshot_of(stage.repository())) : again.words();
            if (wrong.empty()) continue;
            set("resumes", RuleVerdict::broken, "killed after the step " + step + ": " + wrong);
            return;
        }
        set("resumes", RuleVerdict::kept, counted(steps.size(), "step"));
    }

    /// Masking keeps it out of what is shown; what the upgrade itself writes is judged here.
    void judge_secrets(const Stage& stage) {
        Redactor redactor;
        for (const std::string& secret : secrets_in(m_upgrade.manifest(), m_upgrade.parameters))
            redactor.add(secret);
        if (redactor.empty()) {
            set("secrets-stay-secret", RuleVerdict::kept, "it has none");
            return;
        }
        std::vector<std::string> found;
        for (const auto& [name, content] : snapshot_of(stage.folder())) {
            if (redactor.finds_in(content)) found.push_back(name);
        }
        set("secrets-stay-secret", found.empty() ? RuleVerdict::kept : RuleVerdict::broken,
            sanitize(join(found, ", ")));
    }

    /// The last that happens on this stage: judge_again has used its files before.
    void judge_rollback(Stage& stage, const Snapshot& before) {
        const std::string reason = why_not_undoable(m_upgrade);
        if (!reason.empty()) {
            set("rollback-restores", RuleVerdict::not_judged, reason);
            return;
        }
        const std::string problem = stage.roll_back();
        if (problem.empty()) {
            judge_files("rollback-restores", before, snapshot_of(stage.repository()));
        } else {
            set("rollback-restores", RuleVerdict::broken, problem);
        }
    }

    /// What went before was free to do anything, so that it could be seen; this is held to the
    /// manifest by the kernel, as every run is.
    void judge_permissions(const Snapshot& after) {
        if (sandbox_support() == SandboxSupport::none) {
            set("permissions", RuleVerdict::not_judged, "this kernel has no Landlock");
            return;
        }
        Stage stage(m_request, m_upgrade, m_signals, m_clock, true);
        OneAnswer yes(true);
        const Attempt attempt = stage.run(yes);
        if (attempt.good()) {
            // By name: content that differs from run to run is another rule's.
            judge_files("permissions", names_in(after), names_in(snapshot_of(stage.repository())));
        } else {
            set("permissions", RuleVerdict::broken, attempt.words());
        }
    }

    void judge_declining(int asked) {
        if (asked == 0) {
            set("declining-fails", RuleVerdict::kept, "it asks nothing");
            return;
        }
        Stage stage(m_request, m_upgrade, m_signals, m_clock);
        OneAnswer no(false);
        const bool fails = !stage.run(no).good();
        set("declining-fails", fails ? RuleVerdict::kept : RuleVerdict::broken,
            fails ? counted(static_cast<std::size_t>(no.asked), "question")
                  : "it succeeds although it was told no");
    }

    const ConformanceRequest& m_request;
    const StopSignals& m_signals;
    const Clock& m_clock;
    UpgradeInRun m_upgrade;
    std::vector<RuleResult> m_results;
};

}  // namespace

const char* to_string(RuleVerdict verdict) {
    switch (verdict) {
        case RuleVerdict::kept:
            return "kept";
        case RuleVerdict::broken:
            return "broken";
        case RuleVerdict::not_judged:
            return "not_judged";
    }
    return "not_judged";
}

std::vector<RuleResult> prove_conformance(const ConformanceRequest& request,
                                          const StopSignals& signals, const Clock& clock) {
    return Proof(request, signals, clock).run();
}

}  // namespace runner
