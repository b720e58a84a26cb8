// SPDX-License-Identifier: Apache-2.0
#include "engine/conformance.hpp"

#include "engine/conformance_stage.hpp"
#include "engine/describe_plugin.hpp"
#include "engine/lease_holder.hpp"
#include "engine/undo.hpp"
#include "host/sandbox.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;
using upgrade::services::octal;

Snapshot names_in(Snapshot files) {
    for (auto& [name, entry] : files) entry = {};
    return files;
}

/// The first few files in which two snapshots differ; empty when they are equal.
std::string difference(const Snapshot& expected, const Snapshot& found) {
    constexpr std::size_t k_named = 3;
    std::vector<std::string> names;
    for (const auto& [name, entry] : expected) {
        const auto other = found.find(name);
        if (other == found.end()) {
            names.push_back(name + " is missing");
        } else if (other->second.content != entry.content) {
            names.push_back(name + " differs");
        } else if (entry.mode && other->second.mode && entry.mode != other->second.mode) {
            names.push_back(name + " has mode " + octal(*other->second.mode) + " and not " +
                            octal(*entry.mode));
        }
    }
    for (const auto& [name, entry] : found) {
        if (expected.count(name) == 0) names.push_back(name + " is new");
    }
    return first_names(names, k_named);
}

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
        const UpgradeImage image = image_from_file(m_request.plugin);
        if (image.form != UpgradeForm::plugin) {
            throw Error(Failure::usage, m_request.plugin.string() +
                                            " is no plugin (.so or .dylib): an executable "
                                            "upgrade keeps its rules by itself");
        }
        m_upgrade.image = seal(image);
        try {
            m_upgrade.known.manifest =
                describe_plugin(m_upgrade.image, m_request.plugin, m_signals, m_clock);
        } catch (const Error& error) {
            set("loads", RuleVerdict::broken, error.what());
            for (RuleResult& result : m_results) {
                if (result.verdict == RuleVerdict::not_judged) result.detail = "it does not load";
            }
            return false;
        }
        m_upgrade.version = m_upgrade.manifest().version.to_string();
        m_upgrade.manifest_json = m_upgrade.manifest().to_json();
        GivenParameters given = m_request.parameters;
        for (const Parameter& parameter : m_upgrade.manifest().parameters) {
            if (parameter.secret && parameter.pattern.empty())
                given.secrets.emplace(parameter.name, Secret("canary-" + make_run_id(m_clock)));
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
            told ? description : "write 'description' in upgrade.json");

        Stage stage(m_request, m_upgrade, m_signals, m_clock);
        const Snapshot before = snapshot_of(stage.repository());
        const Snapshot folders = folders_of(stage.repository());
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
                "what its commands do is not in a simulation: " + stage.reporter.commands.front());
        }
        judge_again(stage, after);
        judge_kills(stage.reporter.steps, after);
        judge_secrets(stage);
        judge_rollback(stage, before, folders);
        judge_permissions(after);
        judge_declining(yes.asked);
    }

    void leave_rest(const std::string& why) {
        for (RuleResult& result : m_results) {
            if (result.verdict == RuleVerdict::not_judged && result.detail.empty())
                result.detail = why;
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
        for (const auto& [name, secret] : secrets_in(m_upgrade.manifest(), m_upgrade.parameters))
            redactor.add("'" + name + "'", secret.reveal());
        if (redactor.empty()) {
            set("secrets-stay-secret", RuleVerdict::kept, "it has none");
            return;
        }
        std::vector<std::string> found;
        for (const auto& [name, entry] : snapshot_of(stage.folder())) {
            if (redactor.finds_in(entry.content)) found.push_back(name);
        }
        set("secrets-stay-secret", found.empty() ? RuleVerdict::kept : RuleVerdict::broken,
            join(found, ", "));
    }

    /// The last that happens on this stage: judge_again has used its files before.
    void judge_rollback(Stage& stage, Snapshot before, Snapshot folders) {
        const std::string reason = why_not_undoable(m_upgrade);
        if (!reason.empty()) {
            set("rollback-restores", RuleVerdict::not_judged, reason);
            return;
        }
        const std::string problem = stage.roll_back();
        if (problem.empty()) {
            Snapshot after = snapshot_of(stage.repository());
            before.merge(folders);
            Snapshot folders_after = folders_of(stage.repository());
            after.merge(folders_after);
            judge_files("rollback-restores", before, after);
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
