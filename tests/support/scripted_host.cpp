// SPDX-License-Identifier: Apache-2.0
#include "support/scripted_host.hpp"

#include <algorithm>
#include <set>

#include "host/message.hpp"
#include "model/error.hpp"
#include "services/service_error.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "upgrade/abi.h"

namespace test {

using runner::HostEvents;
using runner::HostFileChange;
using runner::HostPhase;
using runner::PhaseEnd;
using runner::PhaseRequest;
using runner::PhaseResult;
using upgrade::services::FileChanges;

namespace {

constexpr std::size_t k_max_overlay = 1U << 20U;

/// Ends a phase.
struct PhaseOver {
    PhaseEnd end;
    std::string message;
};

class Committing {
 public:
    explicit Committing(bool& flag) : m_flag(flag) { m_flag = true; }
    ~Committing() { m_flag = false; }
    Committing(const Committing&) = delete;
    Committing& operator=(const Committing&) = delete;

 private:
    bool& m_flag;
};

/// One phase of one upgrade.
class ScriptedPhase {
 public:
    ScriptedPhase(Stage& stage, const PhaseRequest& request, HostEvents& events)
        : m_stage(stage),
          m_request(request),
          m_events(events),
          m_script(stage.scripts.at(request.info.at("version"))) {
        if (request.overlay >= 0)
            m_base = upgrade::services::decode(
                runner::read_all(request.overlay, k_max_overlay, "the overlay"));
        m_files = m_base;
    }

    PhaseResult run() {
        m_result.phase = m_request.phase;
        if (m_request.phase == HostPhase::preflight && !m_script.preflight &&
            m_request.without_preflight)
            m_result.phase = *m_request.without_preflight;
        m_stage.phases.push_back(std::string(to_string(m_result.phase)) + ' ' + m_script.version);
        note_request();
        if (m_request.after_effects) m_stage.after_effects.push_back(m_script.version);
        if (m_stage.before_phase) m_stage.before_phase(m_script.version, m_result.phase);
        m_events.tick();
        if (!m_script.prints.empty()) m_events.on_output(m_script.prints);
        try {
            act();
            play();
            m_result.end = PhaseEnd::ok;
        } catch (const PhaseOver& over) {
            m_result.end = over.end;
            m_result.message = over.message;
        }
        if (m_request.form == runner::UpgradeForm::plugin) m_result.implements = implemented();
        m_result.strays = m_script.strays;
        m_events.tick();
        return std::move(m_result);
    }

 private:
    void note_request() {
        m_stage.requests.push_back({m_script.version, m_request, m_request.manifest != nullptr});
        runner::PhaseRequest& seen = m_stage.requests.back().request;
        seen.phase = m_result.phase;
        seen.manifest = nullptr;
    }

    [[nodiscard]] std::vector<std::string> implemented() const {
        std::vector<std::string> phases{"apply"};
        if (m_script.preflight) phases.emplace_back("preflight");
        if (m_script.verify) phases.emplace_back("verify");
        if (m_script.manifest.reversible) phases.emplace_back("rollback");
        return phases;
    }

    void play() {
        if (m_request.form == runner::UpgradeForm::executable) {
            if (m_result.phase == HostPhase::apply) run_executable();
            return;
        }
        switch (m_result.phase) {
            case HostPhase::preflight:
                judge(m_script.preflight);
                break;
            case HostPhase::verify:
                judge(m_script.verify);
                break;
            case HostPhase::simulate:
                simulate();
                break;
            case HostPhase::apply:
                apply();
                break;
            case HostPhase::rollback:
            case HostPhase::simulate_rollback:
                roll_back();
                break;
        }
    }

    /// Between two actions: signals are heeded, and a fault may be due.
    void act() {
        const int stops = m_stage.signals.count() - m_request.signals_before;
        if (stops > m_stops_told && !m_request.stop_at_first_signal) m_events.on_stop_signal(stops);
        m_stops_told = stops;
        if (m_request.stop_at_first_signal && stops >= 1)
            throw PhaseOver{PhaseEnd::cancelled, "it was interrupted"};
        if (stops >= 2) throw PhaseOver{PhaseEnd::cancelled, "it was cancelled"};
        const std::size_t action = m_actions++;
        for (PhaseFault& fault : m_script.faults) {
            if (fault.phase != m_result.phase || fault.at != action || fault.times == 0) continue;
            --fault.times;
            throw PhaseOver{fault.end, "scripted to fail at " + std::to_string(action)};
        }
    }

    void judge(const Judge& judge) {
        if (!judge) return;
        const SeenWorld seen{[this](const std::string& path) { return content(path); },
                             [this](const std::string& key) { return outside(key); }};
        const Judgement judgement = judge(seen);
        if (judgement.end == PhaseEnd::ok) return;
        m_result.remedy = judgement.remedy;
        throw PhaseOver{judgement.end, judgement.message};
    }

    [[nodiscard]] std::string outside(const std::string& key) const {
        const auto found = m_stage.now.outside.find(key);
        return found == m_stage.now.outside.end() ? "" : found->second;
    }

    [[nodiscard]] std::optional<std::string> content(const std::string& path) const {
        const auto changed = m_files.find(path);
        return changed != m_files.end() ? changed->second.content : m_stage.work_tree.content(path);
    }

    [[nodiscard]] bool is_finished(const std::string& step) const {
        const auto& steps = m_request.finished_steps;
        return !step.empty() && std::find(steps.begin(), steps.end(), step) != steps.end();
    }

    /// The files of a step as they are after its edits, where that is a change.
    FileChanges changes_of(const ScriptedStep& step, bool real,
                           std::map<std::string, bool>& rendered) {
        FileChanges changes;
        for (const FileEdit& edit : step.edits) {
            const std::string& path = real && edit.instead ? *edit.instead : edit.path;
            const auto pending = changes.find(path);
            const auto before = pending != changes.end() ? pending->second.content : content(path);
            if (edit.removes) {
                changes[path].content.reset();
                continue;
            }
            const std::string& line = real && edit.really ? *edit.really : edit.line;
            // What stands outside of steps may run again when its changes are in place.
            const bool in_place =
                step.id.empty() && before.value_or("").find(line + '\n') != std::string::npos;
            if (in_place) continue;
            changes[path].content = before.value_or("") + line + '\n';
            rendered[path] = edit.rendered;
        }
        std::erase_if(changes, [this](const auto& change) {
            return content(change.first) == change.second.content;
        });
        return changes;
    }

    void simulate() {
        FileChanges all;
        for (const ScriptedStep& step : m_script.steps) {
            if (is_finished(step.id)) continue;
            act();
            if (!step.id.empty()) m_events.on_step_begun(step.id, "scripted");
            for (const ScriptedCommand& command : step.commands) {
                if (!command.only_real)
                    m_events.on_command_shown({"set", command.key, command.value}, {});
            }
            find_what_it_reads(step);
            std::map<std::string, bool> rendered;
            for (const auto& [path, change] : changes_of(step, false, rendered)) {
                if (rendered[path]) {
                    ++m_result.renders;  // what it will be is not known
                    continue;
                }
                m_result.shown.push_back({step.id, path,
                                          change.content
                                              ? std::optional(runner::sha256(*change.content))
                                              : std::nullopt});
                m_own.insert(path);
                m_files[path] = change;
                all[path] = change;
            }
        }
        if (all.empty()) return;
        m_result.changes = runner::make_memory_file("changes");
        runner::write_all(m_result.changes.get(), upgrade::services::encode(all), "the changes");
    }

    /// Whether one of the changes that pass puts a file below the folder.
    [[nodiscard]] bool has_below(const std::string& folder, bool own) const {
        return std::any_of(m_files.begin(), m_files.end(), [&](const auto& change) {
            return change.second.content && change.first.rfind(folder + '/', 0) == 0 &&
                   (m_own.count(change.first) != 0) == own;
        });
    }

    /// Beneath its own changes.
    void find_file(const std::string& path, bool reads) {
        using upgrade::services::PathKind;
        if (m_own.count(path) != 0 || has_below(path, true)) return;
        const auto text = content(path);
        PathKind kind = text ? PathKind::file : PathKind::none;
        if (has_below(path, false)) {
            kind = PathKind::folder;
        } else if (m_files.count(path) == 0) {
            kind = m_stage.work_tree.look(path).kind;
            const auto goes = [&](const std::string& file) { return m_base.count(file) != 0; };
            if (kind == PathKind::folder && m_stage.work_tree.what_stays(path, goes).empty())
                kind = PathKind::none;
        }
        auto& found = m_result.found.files.emplace(path, runner::FoundFile{kind, {}}).first->second;
        if (reads && text && !found.digest) found.digest = runner::sha256(*text);
    }

    void find_what_it_reads(const ScriptedStep& step) {
        for (const std::string& path : step.reads) find_file(path, true);
        for (const std::string& path : step.asks_for) find_file(path, false);
        for (const FileEdit& edit : step.edits) find_file(edit.path, true);
        for (const std::string& pattern : step.lists) {
            const std::vector<std::string> on_disk = m_stage.work_tree.names(pattern);
            std::set<std::string> names(on_disk.begin(), on_disk.end());
            for (const auto& [path, change] : m_base) {
                if (!change.content) names.erase(path);
                if (change.content && upgrade::services::matches(pattern, path)) names.insert(path);
            }
            m_result.found.lists.emplace(pattern,
                                         runner::digest_of_list({names.begin(), names.end()}));
        }
    }

    void apply() {
        runner::HostValues values;
        for (const ScriptedStep& step : m_script.steps) {
            if (is_finished(step.id)) continue;
            act();
            if (!step.id.empty()) m_events.on_step_begun(step.id, "scripted");
            if (!step.question.empty() && !m_events.confirm(step.question))
                throw PhaseOver{PhaseEnd::aborted, "the user said no"};
            for (const ScriptedCommand& command : step.commands) run(command);
            commit(step);
            for (const auto& [key, value] : step.values) values[{0, key}] = value;
            if (step.id.empty()) continue;
            act();
            m_events.record_step(step.id, values);
            values.clear();
        }
        act();
        m_result.values = std::move(values);
    }

    void run(ScriptedCommand command) {
        act();
        runner::BegunCommand begun{{"set", command.key, command.value}, {{}, {}, {}}};
        if (m_result.phase == HostPhase::apply && command.really)
            begun.arguments.back() = *command.really;
        if (m_result.phase == HostPhase::apply && command.learned_from) {
            begun.arguments.back() += outside(*command.learned_from);
            begun.learned.back().emplace_back(command.value.size(), begun.arguments.back().size());
        }
        m_events.on_command_begun(begun);
        command.value = begun.arguments.back();
        take_effect(command);
    }

    void take_effect(const ScriptedCommand& command) {
        m_stage.process.point("before command");
        m_stage.now.outside[command.key] = command.value;
        ++m_stage.effects[m_script.version + ": " + command.text()];
        m_stage.process.point("after command");
    }

    void commit(const ScriptedStep& step) {
        std::map<std::string, bool> rendered;
        const FileChanges changes = changes_of(step, true, rendered);
        if (changes.empty()) return;
        act();
        const Committing committing(m_stage.committing);
        const std::string folder =
            m_request.backup_folder.string() + '/' + std::to_string(m_commits++);
        std::vector<HostFileChange> list;
        for (const auto& [path, change] : changes) {
            HostFileChange entry;
            entry.path = path;
            if (const auto before = content(path)) {
                entry.backup = folder + '/' + std::to_string(++m_backups);
                m_stage.process.point("before original");
                m_stage.work_tree.originals[entry.backup] = *before;
            }
            if (change.content) {
                entry.temporary = upgrade::services::name_before_commit(
                    path, static_cast<long>(m_stage.process.points));  // another in each attempt
                entry.digest = runner::sha256(*change.content).to_string();
                entry.mode = FakeWorkTree::k_mode;
            }
            entry.rendered = rendered[path];
            list.push_back(std::move(entry));
        }
        m_events.record_files(step.id, list);
        for (const HostFileChange& entry : list) {
            act();
            if (!entry.temporary.empty()) m_stage.work_tree.temporaries.insert(entry.temporary);
            replace(entry.path, changes.at(entry.path).content);
            m_stage.work_tree.temporaries.erase(entry.temporary);
        }
    }

    /// A file that cannot be written is the upgrade's own failure.
    void replace(const std::string& path, const std::optional<std::string>& content) {
        try {
            m_stage.work_tree.replace(path, content);
        } catch (const runner::Error& error) {
            throw PhaseOver{PhaseEnd::failed, error.what()};
        }
    }

    void roll_back() {
        const bool real = m_result.phase == HostPhase::rollback;
        for (auto step = m_script.steps.rbegin(); step != m_script.steps.rend(); ++step) {
            if (!is_finished(step->id)) continue;
            act();
            for (const ScriptedCommand& command : step->undo) {
                if (real) {
                    run(command);
                } else {
                    m_events.on_command_shown({"set", command.key, command.value}, {});
                }
            }
            act();
            if (real) {
                m_events.record_step_undone(step->id, {});
                continue;
            }
            for (const auto& [path, change] : m_events.undone_in_simulation(step->id))
                m_files[path] = change;
        }
    }

    /// A program of the older form: nobody is told of what it does, and it looks before it acts.
    void run_executable() {
        for (const ScriptedStep& step : m_script.steps) {
            m_events.on_output("doing " + step.id + '\n');
            for (const ScriptedCommand& command : step.commands) {
                act();
                take_effect(command);
            }
            for (const FileEdit& edit : step.edits) {
                act();
                const std::string before = content(edit.path).value_or("");
                if (before.find(edit.line + '\n') == std::string::npos)
                    replace(edit.path, before + edit.line + '\n');
            }
        }
    }

    Stage& m_stage;
    const PhaseRequest& m_request;
    HostEvents& m_events;
    ScriptedUpgrade& m_script;
    std::set<std::string> m_own;  ///< what this phase has changed
    FileChanges m_base;           ///< the files as the upgrades before it would leave them
    FileChanges m_files;          ///< as this phase sees them, where they are not as on disk
    PhaseResult m_result;
    std::size_t m_actions = 0;
    std::size_t m_commits = 0;
    std::size_t m_backups = 0;
    int m_stops_told = 0;
};

}  // namespace

PhaseResult ScriptedHost::run(const PhaseRequest& request, HostEvents& events) {
    m_stage.process.point("phase");
    return ScriptedPhase(m_stage, request, events).run();
}

int FakeProcesses::run_program(const upgrade::services::CommandSpec& program) {
    m_stage.process.point("before program");
    std::string words;
    for (const std::string& argument : program.arguments)
        words += (words.empty() ? "" : " ") + argument;
    programs.push_back(words);
    specs[words] = program;
    if (absent.count(words) != 0)
        throw upgrade::services::Refusal(UPGRADE_NOT_FOUND, "cannot run '" + words + "'");
    if (outputs.count(words) != 0) program.on_output(outputs.at(words));
    if (errors.count(words) != 0) program.on_error(errors.at(words));
    m_stage.process.point("after program");
    if (program.cancelled && program.cancelled()) cancelled.push_back(words);
    const auto found = exit_statuses.find(words);
    return found == exit_statuses.end() ? 0 : found->second;
}

}  // namespace test
