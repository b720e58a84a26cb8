// SPDX-License-Identifier: Apache-2.0
#include "simulation/model.hpp"

#include <algorithm>

namespace test {
namespace {

const char* word(Model::Presence presence) {
    switch (presence) {
        case Model::Presence::none:
            return "nothing";
        case Model::Presence::some:
            return "a part";
        case Model::Presence::all:
            return "all";
        case Model::Presence::twice:
            return "a line twice";
    }
    return "?";
}

bool has_edits(const ScriptedUpgrade& upgrade) {
    return std::any_of(upgrade.steps.begin(), upgrade.steps.end(),
                       [](const ScriptedStep& step) { return !step.edits.empty(); });
}

}  // namespace

void Model::person_wrote(const std::string& path, const std::string& line) {
    m_world.now.files[path] += line + '\n';
    m_by_people.emplace_back(path, line);
    // Of what is not finished yet, recovery leaves this file alone.
    if (m_world.facts().has_unfinished_files) {
        for (const auto& [version, upgrade] : m_world.stage.scripts) {
            for (const runner::FileIntent& change :
                 m_world.ledgers.look()->changed_files(version)) {
                if (change.path == path) m_tainted.insert(version);
            }
        }
    }
    // The observer knows that it was a person.
    m_before.now.files[path] += line + '\n';
}

void Model::undone(const ScriptedUpgrade& upgrade) {
    for (const ScriptedStep& step : upgrade.steps) {
        for (const ScriptedCommand& command : step.commands)
            m_world.stage.effects.erase(upgrade.version + ": " + command.text());
    }
}

void Model::took_back(const ScriptedUpgrade& upgrade) {
    for (const ScriptedStep& step : upgrade.steps) {
        for (const FileEdit& edit : step.edits) {
            std::string& text = m_world.now.files[edit.path];
            const std::size_t at = text.find(edit.line + '\n');
            if (at != std::string::npos) text.erase(at, edit.line.size() + 1);
            if (text.empty()) m_world.now.files.erase(edit.path);
        }
        for (const ScriptedCommand& command : step.commands) m_world.now.outside.erase(command.key);
    }
    undone(upgrade);
}

bool Model::is_half_done(const ScriptedUpgrade& upgrade) {
    const std::vector<std::string> done = m_world.done();
    if (upgrade.manifest.reversible ||
        std::find(done.begin(), done.end(), upgrade.version) != done.end())
        return false;
    for (const ScriptedStep& step : upgrade.steps) {
        for (const ScriptedCommand& command : step.commands) {
            if (m_world.stage.effects.count(upgrade.version + ": " + command.text()) > 0)
                return true;
        }
    }
    return false;
}

Model::Snapshot Model::snapshot() {
    const runner::LedgerFacts facts = m_world.facts();
    return {m_world.now,
            m_world.stage.effects,
            m_world.done(),
            m_world.version(),
            m_world.ledgers.history().size(),
            facts.has_unfinished_run || facts.has_unfinished_files};
}

void Model::begin() {
    m_before = snapshot();
}

void Model::check_outcome(int exit_code, bool says_unchanged) {
    const bool by_code = exit_code >= 2 && exit_code <= 6;
    if (!by_code && !says_unchanged) return;
    // What a run that died has left half-way is put back first, whatever comes then.
    if (m_before.unfinished) return;
    const Snapshot after = snapshot();
    const std::string code =
        "exit code " + std::to_string(exit_code) + " says that nothing was changed, but ";
    if (after.now.files != m_before.now.files) fault(code + "files were");
    if (after.now.outside != m_before.now.outside || after.effects != m_before.effects)
        fault(code + "commands ran");
    if (after.done != m_before.done) fault(code + "what is done is another");
    if (after.version != m_before.version && m_before.version != "-")
        fault(code + "the cluster version was " + m_before.version + " and is " + after.version);
}

void Model::check_nothing_changed(const std::string& operation) {
    const Snapshot after = snapshot();
    if (after.now != m_before.now || after.effects != m_before.effects ||
        after.done != m_before.done || after.version != m_before.version ||
        after.events != m_before.events)
        fault(operation + " changed something");
}

Model::Presence Model::presence(const ScriptedUpgrade& upgrade) const {
    bool any = false;
    bool all = true;
    for (const ScriptedStep& step : upgrade.steps) {
        for (const FileEdit& edit : step.edits) {
            const std::size_t found = m_world.lines(edit.path, edit.line);
            if (found > 1) return Presence::twice;
            any = any || found == 1;
            all = all && found == 1;
        }
    }
    return !any ? Presence::none : all ? Presence::all : Presence::some;
}

std::string Model::outcome_when_done(const std::string& version) const {
    // A soak or a rollback that failed comes after the attempt that has done it.
    for (const runner::RunRecord& run : m_world.ledgers.look()->runs(1000, version)) {
        for (auto one = run.attempts.rbegin(); one != run.attempts.rend(); ++one) {
            if (one->version == version &&
                (one->outcome == "succeeded" || one->outcome == "nothing_to_do"))
                return one->outcome;
        }
    }
    return "-";
}

bool Model::is_tainted(const std::string& version) const {
    return m_tainted.count(version) > 0 ||
           m_world.reporter.told("was changed by hand after " + version + " was interrupted");
}

void Model::check_upgrade(const ScriptedUpgrade& upgrade, const runner::LedgerFacts& facts) {
    const std::string& version = upgrade.version;
    const Presence there = presence(upgrade);
    if (is_tainted(version)) return;
    if (there == Presence::twice) fault("of " + version + " there is a line twice");
    const auto& all_done = facts.cluster.done;
    const bool done = std::any_of(all_done.begin(), all_done.end(),
                                  [&](const auto& one) { return one.version == version; });
    const bool open = facts.has_unfinished_run || facts.has_unfinished_files ||
                      std::any_of(facts.unsettled.begin(), facts.unsettled.end(),
                                  [&](const auto& one) { return one.version == version; });
    check_commands(upgrade, done, open);
    if (open || !has_edits(upgrade)) return;
    const bool executable = upgrade.form == runner::UpgradeForm::executable;
    if (executable && !done) return;
    const bool expected = done && outcome_when_done(version) == "succeeded";
    if (there != (expected ? Presence::all : Presence::none))
        fault(version + (done ? " is done" : " is not done") + ", nothing of it is open, and " +
              word(there) + " of it is there");
}

void Model::check_commands(const ScriptedUpgrade& upgrade, bool done, bool open) {
    const bool nothing = outcome_when_done(upgrade.version) == "nothing_to_do";
    for (const ScriptedStep& step : upgrade.steps) {
        for (const ScriptedCommand& command : step.commands) {
            const auto found = m_world.stage.effects.find(upgrade.version + ": " + command.text());
            const int times = found == m_world.stage.effects.end() ? 0 : found->second;
            if (done && !nothing && times == 0)
                fault(upgrade.version + " is done, and its command never ran");
            if (done && !nothing && !open && m_world.now.outside[command.key] != command.value)
                fault(upgrade.version + " is done, and what its command did is undone");
            if (times > 1 + m_disturbances)
                fault("a command of " + upgrade.version + " ran " + std::to_string(times) +
                      " times, with " + std::to_string(m_disturbances) + " disturbances");
        }
    }
}

void Model::check_people() {
    for (const auto& [path, line] : m_by_people) {
        if (m_world.lines(path, line) != 1)
            fault("what a person wrote into " + path + " is lost: " + line);
    }
}

void Model::check_world() {
    const runner::LedgerFacts facts = m_world.facts();
    for (const auto& [version, upgrade] : m_world.stage.scripts) check_upgrade(upgrade, facts);
    check_people();
    for (const std::string& early : m_world.told_too_early) fault("told too early: " + early);
    std::set<std::string> distinct;
    for (const auto& one : facts.cluster.done) {
        if (!distinct.insert(one.version).second) fault(one.version + " is done twice");
    }
}

}  // namespace test
