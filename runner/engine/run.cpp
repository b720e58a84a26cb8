// SPDX-License-Identifier: Apache-2.0
#include "engine/run.hpp"

namespace runner {

GateInput Run::gate_input() const {
    GateInput input{.kind = kind,
                    .config = parts.config,
                    .options = options,
                    .facts = facts,
                    .ledger = ledger_view(),
                    .work_tree = parts.work_tree,
                    .sandbox = parts.processes.sandbox_support(),
                    .upgrades = upgrades,
                    .releases = releases,
                    .original = original,
                    .cluster_version = cluster_version(),
                    .final_version = std::nullopt,
                    .reached_before = {}};
    if (!choice) return input;
    input.cluster_version = choice->plan.cluster_version;
    input.final_version = choice->plan.final_version;
    input.reached_before = reached_before(*choice);
    return input;
}

PhaseRunner& Run::phase_runner() {
    if (!phases) phases.emplace(parts, phase_options(*this), ledger_view());
    return *phases;
}

void Run::refresh_report() {
    report.due.clear();
    for (const UpgradeInRun& upgrade : upgrades) report.due.push_back(shown_of(upgrade));
}

void Run::refresh_version() {
    const auto version = ledger().facts().cluster.cluster_version;
    if (version) report.cluster_version = version->to_string();
}

void Run::warn(const std::string& text) {
    report.warnings.push_back(text);
    parts.reporter.warning(text);
}

PhaseRunnerOptions phase_options(const Run& run) {
    PhaseRunnerOptions options;
    options.debug = run.options.debug;
    options.yes = run.options.yes;
    options.lease = run.recorded ? run.ledger().lease_descriptor() : -1;
    if (run.adjust_phases) run.adjust_phases(options);
    return options;
}

std::string words_for(const PhaseResult& result, HostPhase phase) {
    const char* verb = phase == HostPhase::verify ? "verification" : to_string(phase);
    switch (result.end) {
        case PhaseEnd::ok:
            return phase == HostPhase::apply || phase == HostPhase::verify ? "applied; recording"
                                                                           : "simulated";
        case PhaseEnd::nothing_to_do:
            return "nothing to do: " + result.message;
        case PhaseEnd::blocked:
            return "blocked: " + result.message +
                   (result.remedy.empty() ? "" : "; " + result.remedy);
        case PhaseEnd::not_loaded:
            return "cannot be loaded: " + result.message;
        case PhaseEnd::aborted:
            return "aborted: " + result.message;
        case PhaseEnd::cancelled:
            return "cancelled: " + result.message;
        case PhaseEnd::changed:
            return result.message;
        default:
            return std::string(verb) + " failed: " + result.message;
    }
}

void warn_about_strays(Run& run, const UpgradeInRun& upgrade, const PhaseResult& result) {
    if (result.strays == 0) return;
    run.parts.reporter.warning(upgrade.version + " left " + std::to_string(result.strays) +
                               (result.strays == 1 ? " process" : " processes") + " behind; ended");
}

bool take_out_left_out(Run& run) {
    const std::size_t before = run.left_out.size();
    for (const UpgradeInRun& upgrade : run.upgrades) {
        if (upgrade.verdict != Verdict::left_out) continue;
        run.left_out[upgrade.version] = upgrade.words;
        run.warn(upgrade.version + " is left out: " + upgrade.words);
    }
    std::erase_if(run.upgrades,
                  [](const UpgradeInRun& upgrade) { return upgrade.verdict == Verdict::left_out; });
    return run.left_out.size() > before;
}

std::span<const UpgradeInRun> upgrades_before(const Run& run, const UpgradeInRun& upgrade) {
    return std::span(run.upgrades).first(position_of(run, upgrade));
}

std::size_t position_of(const Run& run, const UpgradeInRun& upgrade) {
    return static_cast<std::size_t>(&upgrade - run.upgrades.data());
}

}  // namespace runner
