// SPDX-License-Identifier: Apache-2.0
#include "engine/kinds/kind.hpp"

#include "model/error.hpp"

namespace runner {

void Kind::check_request(const Run& run) const {
    const RunOptions& options = run.options;
    if (!has_user() || options.dry_run || options.yes || run.parts.terminal.interactive()) return;
    const std::string option = yes_option();
    throw Error(Failure::usage,
                "there is no terminal to ask on, and " + option +
                    " was not given; nothing was fetched or changed",
                "add " + option + " to go ahead without a question, or look with a dry run");
}

void Kind::end_with_nothing_to_do(Run& run) {
    run.report.outcome = Outcome::nothing_to_do;
    if (run.recorded)
        run.recorded->finish(RunState::succeeded, Outcome::nothing_to_do, run.options.reason);
}

void Kind::resolve_parameters(Run& run) {
    assign_parameters(run, run.options.parameters);
}

void confirm_everything(PhaseRunnerOptions& phases) {
    phases.yes = true;
}

void assign_parameters(Run& run, const GivenParameters& given) {
    std::vector<const Manifest*> manifests;
    for (const UpgradeInRun& upgrade : run.upgrades) manifests.push_back(&upgrade.manifest());
    std::vector<ParameterValues> values = runner::resolve_parameters(
        manifests, given, {run.parts.config.parameters, run.facts.parameter_values},
        &run.parts.terminal);
    for (std::size_t i = 0; i < run.upgrades.size(); ++i)
        run.upgrades[i].parameters = std::move(values[i]);
}

void Kind::fetch(Run& run) {
    std::vector<const UpgradeInRun*> wanted;
    for (const UpgradeInRun& upgrade : run.upgrades) {
        if (wants_image(upgrade)) wanted.push_back(&upgrade);
    }
    run.supply->fetch(wanted, [&](std::uint64_t done, std::uint64_t total) {
        run.parts.reporter.fetching(done, total);
    });
}

}  // namespace runner
