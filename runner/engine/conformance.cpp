// SPDX-License-Identifier: Apache-2.0
#include "engine/conformance.hpp"

#include <optional>

#include "engine/phase_runner.hpp"
#include "engine/recorded_run.hpp"
#include "engine/rollback.hpp"
#include "engine/single_run.hpp"
#include "host/sandbox.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "support/file.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_file = 64U << 20U;

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

/// A repository and a ledger of their own, in which one upgrade runs as often as need be.
class Stage {
 public:
    Stage(const ConformanceRequest& request, RunnableUpgrade& upgrade, const StopSignals& signals,
          const Clock& clock, bool sandbox = false)
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
    }

    [[nodiscard]] const fs::path& repository() const { return m_config.repository_directory; }
    /// The repository, the ledger and the log.
    [[nodiscard]] const fs::path& folder() const { return m_folder.path(); }

    /// Simulates, applies, verifies; with `die_after`, the plugin is killed when that step is
    /// finished.
    Attempt run(Terminal& terminal, const std::string& die_after = {}) {
        Attempt attempt;
        RecordedRun run(open_ledger(m_config.state, m_clock), std::chrono::milliseconds(0),
                        reporter, m_signals, m_clock);
        run.recover(repository());
        run.begin("conformance", "");
        run.move_to(RunState::fetching);
        run.move_to(RunState::simulating);
        PhaseRunnerOptions options;
        options.lease = run.ledger().lease_descriptor();
        options.sandbox = m_sandbox;
        options.after_step = [&](const std::string& step) {
            if (step == die_after)
                throw Error(Failure::apply_failed, "killed after the step " + step);
        };
        PhaseRunner phases(m_config, options, run.ledger(), reporter, terminal, m_signals, m_clock);
        phases.keep_secrets_of(m_upgrade);
        attempt.simulation = phases.simulate(m_upgrade, true);
        attempt.after_simulation = snapshot_of(repository());
        attempt.promised = attempt.after_simulation;
        for (const auto& [path, change] : phases.simulated_changes()) {
            attempt.promised.erase(path);
            if (change.content) attempt.promised[path] = *change.content;
        }
        if (!attempt.simulation.ok()) {
            run.finish(RunState::failed_pre, Outcome::failed, "");
            return attempt;
        }
        run.move_to(RunState::awaiting_confirmation);
        run.move_to(RunState::applying);
        AttemptStart start;
        start.version = m_upgrade.version;
        start.tag = m_upgrade.version;
        start.platform = Platform::current().to_string();
        start.log = "log";
        run.ledger().advance(run.id(), std::nullopt, start);
        try {
            apply(phases, run, attempt);
        } catch (const Error&) {
            attempt.died = true;
            return attempt;  // as after a kill: nothing is closed
        }
        AttemptEnd end;
        end.version = m_upgrade.version;
        end.outcome = attempt.last.ok() ? Outcome::succeeded : Outcome::failed;
        end.done = attempt.last.ok();
        run.ledger().advance(run.id(), end, std::nullopt);
        run.finish(attempt.last.ok() ? RunState::succeeded : RunState::failed, end.outcome, "");
        return attempt;
    }

    /// Undoes what run() did; what went wrong, or nothing.
    std::string roll_back() {
        OneAnswer yes(true);
        RecordedRun run(open_ledger(m_config.state, m_clock), std::chrono::milliseconds(0),
                        reporter, m_signals, m_clock);
        run.begin("conformance", "");
        PhaseRunnerOptions options;
        options.lease = run.ledger().lease_descriptor();
        options.sandbox = m_sandbox;
        PhaseRunner phases(m_config, options, run.ledger(), reporter, yes, m_signals, m_clock);
        phases.keep_secrets_of(m_upgrade);
        const UndoResult undone = undo_upgrade(phases, m_upgrade, run.ledger(), repository(),
                                               {run.id(), m_folder.path() / "log", false});
        run.finish(RunState::failed_pre, Outcome::rolled_back, "");
        return undone.good ? "" : undone.message;
    }

    NotingReporter reporter;

 private:
    void apply(PhaseRunner& phases, const RecordedRun& run, Attempt& attempt) {
        const fs::path log = m_folder.path() / "log";
        attempt.last = phases.apply(m_upgrade, run.ledger(), run.id(), log, true);
        if (attempt.last.ok() && attempt.last.has("verify"))
            attempt.last = phases.verify(m_upgrade, &run.ledger(), run.id(), log, false);
    }

    RunnableUpgrade& m_upgrade;
    const StopSignals& m_signals;
    const Clock& m_clock;
    bool m_sandbox;
    TemporaryFolder m_folder;
    ClusterConfig m_config;
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
        m_results.push_back({rule, meaning, Verdict::not_judged, ""});
    }
    void set(const std::string& rule, Verdict verdict, const std::string& detail) {
        for (RuleResult& result : m_results) {
            if (result.rule != rule) continue;
            result.verdict = verdict;
            result.detail = detail;
        }
    }
    void judge_files(const std::string& rule, const Snapshot& expected, const Snapshot& found) {
        const std::string differs = difference(expected, found);
        set(rule, differs.empty() ? Verdict::kept : Verdict::broken, differs);
    }

    bool load() {
        UpgradeImage image = image_from_file(m_request.plugin);
        if (image.form != UpgradeForm::plugin) {
            throw Error(Failure::usage, m_request.plugin.string() +
                                            " is no plugin (.so or .dylib): an executable "
                                            "upgrade keeps its rules by itself");
        }
        try {
            m_upgrade.manifest = describe_plugin(m_request.plugin, m_signals, m_clock);
        } catch (const Error& error) {
            set("loads", Verdict::broken, error.what());
            for (RuleResult& result : m_results) {
                if (result.verdict == Verdict::not_judged) result.detail = "it does not load";
            }
            return false;
        }
        m_upgrade.version = m_upgrade.manifest.version.to_string();
        m_upgrade.check_description = false;
        m_upgrade.image = seal(image);
        GivenParameters given = m_request.parameters;
        for (const Parameter& parameter : m_upgrade.manifest.parameters) {
            if (parameter.secret && parameter.pattern.empty())
                given.secrets.emplace(parameter.name, "canary-" + make_run_id(m_clock));
        }
        m_upgrade.parameters =
            resolve_parameters({&m_upgrade.manifest}, given, {}, nullptr).front();
        set("loads", Verdict::kept, m_upgrade.version);
        return true;
    }

    void judge() {
        const std::string& description = m_upgrade.manifest.description;
        const bool told = !description.empty() && !description.starts_with("TODO");
        set("described", told ? Verdict::kept : Verdict::broken,
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
            set("applies", Verdict::broken, attempt.words());
            leave_rest("it does not apply in this fixture");
            return;
        }
        set("applies", Verdict::kept, "");
        const Snapshot after = snapshot_of(stage.repository());
        if (stage.reporter.commands.empty()) {
            judge_files("simulation-is-exact", attempt.promised, after);
        } else {
            set("simulation-is-exact", Verdict::not_judged,
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
            if (result.verdict == Verdict::not_judged && result.detail.empty()) result.detail = why;
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
            set("idempotent", Verdict::broken,
                attempt.words() + "; it should have nothing to do, or change nothing");
        }
    }

    void judge_kills(const std::vector<std::string>& steps, const Snapshot& after) {
        if (steps.empty()) {
            set("resumes", Verdict::not_judged, "it has no steps");
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
            set("resumes", Verdict::broken, "killed after the step " + step + ": " + wrong);
            return;
        }
        set("resumes", Verdict::kept, counted(steps.size(), "step"));
    }

    /// Masking keeps it out of what is shown; what the upgrade itself writes is judged here.
    void judge_secrets(const Stage& stage) {
        Redactor redactor;
        for (const std::string& secret : secrets_in(m_upgrade.manifest, m_upgrade.parameters))
            redactor.add(secret);
        if (redactor.empty()) {
            set("secrets-stay-secret", Verdict::kept, "it has none");
            return;
        }
        std::vector<std::string> found;
        for (const auto& [name, content] : snapshot_of(stage.folder())) {
            if (redactor.finds_in(content)) found.push_back(name);
        }
        set("secrets-stay-secret", found.empty() ? Verdict::kept : Verdict::broken,
            sanitize(join(found, ", ")));
    }

    /// The last that happens on this stage: judge_again has used its files before.
    void judge_rollback(Stage& stage, const Snapshot& before) {
        const std::string reason = why_not_undoable(m_upgrade);
        if (!reason.empty()) {
            set("rollback-restores", Verdict::not_judged, reason);
            return;
        }
        const std::string problem = stage.roll_back();
        if (problem.empty()) {
            judge_files("rollback-restores", before, snapshot_of(stage.repository()));
        } else {
            set("rollback-restores", Verdict::broken, problem);
        }
    }

    /// What went before was free to do anything, so that it could be seen; this is held to the
    /// manifest by the kernel, as every run is.
    void judge_permissions(const Snapshot& after) {
        if (sandbox_support() == SandboxSupport::none) {
            set("permissions", Verdict::not_judged, "this kernel has no Landlock");
            return;
        }
        Stage stage(m_request, m_upgrade, m_signals, m_clock, true);
        OneAnswer yes(true);
        const Attempt attempt = stage.run(yes);
        if (attempt.good()) {
            // By name: content that differs from run to run is another rule's.
            judge_files("permissions", names_in(after), names_in(snapshot_of(stage.repository())));
        } else {
            set("permissions", Verdict::broken, attempt.words());
        }
    }

    void judge_declining(int asked) {
        if (asked == 0) {
            set("declining-fails", Verdict::kept, "it asks nothing");
            return;
        }
        Stage stage(m_request, m_upgrade, m_signals, m_clock);
        OneAnswer no(false);
        const bool fails = !stage.run(no).good();
        set("declining-fails", fails ? Verdict::kept : Verdict::broken,
            fails ? counted(static_cast<std::size_t>(no.asked), "question")
                  : "it succeeds although it was told no");
    }

    const ConformanceRequest& m_request;
    const StopSignals& m_signals;
    const Clock& m_clock;
    RunnableUpgrade m_upgrade;
    std::vector<RuleResult> m_results;
};

}  // namespace

const char* to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::kept:
            return "kept";
        case Verdict::broken:
            return "broken";
        case Verdict::not_judged:
            return "not_judged";
    }
    return "not_judged";
}

std::vector<RuleResult> prove_conformance(const ConformanceRequest& request,
                                          const StopSignals& signals, const Clock& clock) {
    return Proof(request, signals, clock).run();
}

}  // namespace runner
