// SPDX-License-Identifier: Apache-2.0
#include "simulation/generator.hpp"

namespace test {

using runner::HostPhase;
using runner::PhaseEnd;

namespace {

std::string random_version(Dice& dice, std::size_t number) {
    std::string version = "0.0." + std::to_string(51 + number);
    if (dice.chance(20)) version += dice.chance(50) ? ".a" : ".hotfix";
    return version;
}

ScriptedStep random_step(Dice& dice, const std::string& version, std::size_t number) {
    ScriptedStep step;
    if (dice.chance(85)) step.id = "step-" + std::to_string(number);
    const std::string line = version + " step " + std::to_string(number);
    const std::size_t edits = dice.roll(3);
    for (std::size_t i = 0; i < edits; ++i) {
        const std::string path = dice.chance(75) ? dice.one_of(shared_files()) : "new-" + version;
        step.edits.push_back({.path = path, .line = line + " edit " + std::to_string(i)});
    }
    if (dice.chance(25)) step.reads.push_back(dice.one_of(shared_files()));
    if (dice.chance(10)) step.lists.emplace_back("**");
    if (dice.chance(10)) step.asks_for.emplace_back("folder");
    if (dice.chance(5)) step.question = "really?";
    if (dice.chance(10)) step.values["key"] = line;
    return step;
}

void add_command(Dice& dice, const std::string& version, ScriptedUpgrade& upgrade) {
    ScriptedStep& step = upgrade.steps[dice.roll(upgrade.steps.size())];
    step.commands.push_back({"of " + version, "done"});
    if (dice.chance(50)) {
        step.id = step.id.empty() ? "command" : step.id;
        step.undo.push_back({"of " + version, "undone"});
        upgrade.manifest.reversible = true;
    }
}

ScriptedUpgrade random_executable(Dice& dice, const std::string& version) {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version);
    ScriptedStep step{.id = "program"};
    step.commands.push_back({"of " + version, "done"});
    if (dice.chance(50)) step.edits.push_back({.path = "of-" + version, .line = version});
    upgrade.step(step);
    return upgrade.executable();
}

void add_conditions(Dice& dice, const std::vector<ScriptedUpgrade>& earlier,
                    ScriptedUpgrade& upgrade) {
    if (!earlier.empty() && dice.chance(15))
        upgrade.manifest.needed_upgrades.push_back(dice.one_of(earlier).version);
    if (!earlier.empty() && dice.chance(20)) {
        const ScriptedUpgrade& other = dice.one_of(earlier);
        bool runs_commands = false;
        for (const ScriptedStep& step : other.steps)
            runs_commands = runs_commands || !step.commands.empty();
        if (runs_commands) upgrade.needs("of " + other.version, "done");
    } else if (dice.chance(10)) {
        const std::string key = "world";
        upgrade.preflight = [key](const SeenWorld& world) -> Judgement {
            if (world.outside(key) == "ready") return {PhaseEnd::nothing_to_do, "it is ready"};
            return {};
        };
    }
    if (dice.chance(25)) {
        upgrade.verify = [](const SeenWorld& world) -> Judgement {
            if (world.outside("health") == "bad") return {PhaseEnd::failed, "health is bad"};
            return {};
        };
    }
}

}  // namespace

const std::vector<std::string>& shared_files() {
    static const std::vector<std::string> files{"a", "b", "folder/c"};
    return files;
}

std::vector<ScriptedUpgrade> random_upgrades(Dice& dice) {
    std::vector<ScriptedUpgrade> upgrades;
    const std::size_t count = 1 + dice.roll(6);
    for (std::size_t number = 0; number < count; ++number) {
        const std::string version = random_version(dice, number);
        if (dice.chance(12)) {
            upgrades.push_back(random_executable(dice, version));
            continue;
        }
        ScriptedUpgrade upgrade = ScriptedUpgrade::of(version);
        const std::size_t steps = 1 + dice.roll(3);
        for (std::size_t i = 0; i < steps; ++i)
            upgrade.steps.push_back(random_step(dice, version, i));
        if (dice.chance(40)) add_command(dice, version, upgrade);
        if (dice.chance(10)) upgrade.manifest.reversible = true;
        std::vector<ScriptedStep> made;
        made.swap(upgrade.steps);
        for (ScriptedStep& step : made) upgrade.step(std::move(step));
        if (dice.chance(5)) upgrade.manifest.downtime = true;
        add_conditions(dice, upgrades, upgrade);
        upgrades.push_back(std::move(upgrade));
    }
    return upgrades;
}

std::vector<PhaseFault> random_faults(Dice& dice) {
    static const std::vector<HostPhase> phases{
        HostPhase::preflight, HostPhase::simulate, HostPhase::apply,
        HostPhase::apply,     HostPhase::apply,    HostPhase::verify,
        HostPhase::rollback,  HostPhase::rollback, HostPhase::simulate_rollback};
    static const std::vector<PhaseEnd> ends{PhaseEnd::failed,      PhaseEnd::failed,
                                            PhaseEnd::transient,   PhaseEnd::aborted,
                                            PhaseEnd::cancelled,   PhaseEnd::not_loaded,
                                            PhaseEnd::exit_status, PhaseEnd::killed_by_signal,
                                            PhaseEnd::timed_out,   PhaseEnd::protocol_violation};
    std::vector<PhaseFault> faults;
    const std::size_t count = dice.chance(30) ? 1 + dice.roll(2) : 0;
    for (std::size_t i = 0; i < count; ++i)
        faults.push_back({dice.one_of(phases), dice.roll(10), dice.one_of(ends),
                          1 + static_cast<int>(dice.roll(3))});
    return faults;
}

}  // namespace test
