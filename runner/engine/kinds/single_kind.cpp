// SPDX-License-Identifier: Apache-2.0
#include "engine/kinds/single_kind.hpp"

#include "engine/advice.hpp"
#include "engine/describe_plugin.hpp"
#include "engine/pipeline.hpp"
#include "engine/standing.hpp"
#include "model/error.hpp"

namespace runner {
namespace {

/// `<prefix>_<version>` of an executable upgrade's file name.
Manifest manifest_from_name(const std::filesystem::path& file) {
    const std::string name = file.filename().string();
    const std::size_t underscore = name.find('_');
    return Manifest::undeclared(UpgradeVersion::parse(
        underscore == std::string::npos ? name : name.substr(underscore + 1)));
}

}  // namespace

bool SingleKind::is_file() const {
    // What has a slash is no version: what is wrong with the file is told.
    std::error_code ignored;
    return m_request.upgrade.find('/') != std::string::npos ||
           std::filesystem::is_regular_file(m_request.upgrade, ignored);
}

TrustPolicy SingleKind::trust(const Run& run) const {
    return is_file() ? TrustPolicy{} : Kind::trust(run);
}

void SingleKind::choose(Run& run) {
    // The same upgrade whatever the ledger says by now; where the cluster stands may be new.
    if (run.upgrades.empty()) {
        if (is_file()) {
            choose_file(run);
        } else {
            choose_release(run);
        }
    }
    if (run.original) run.report.original_version = run.original->to_string();
    if (const auto version = run.cluster_version())
        run.report.cluster_version = version->to_string();
    m_version = run.upgrades.front().version;
    if (is_done(run.facts, m_version)) run.upgrades.clear();
}

void SingleKind::choose_file(Run& run) const {
    const UpgradeImage image = image_from_file(m_request.upgrade);
    UpgradeInRun upgrade;
    upgrade.supplier = Supplier::file;
    upgrade.image = seal(image);
    upgrade.known.manifest =
        image.form == UpgradeForm::plugin
            ? describe_plugin(upgrade.image, m_request.upgrade, run.parts.signals, run.parts.clock)
            : manifest_from_name(m_request.upgrade);
    upgrade.version = upgrade.manifest().version.to_string();
    upgrade.platform = Platform::current().to_string();
    upgrade.form = image.form;
    upgrade.manifest_json = upgrade.manifest().to_json();
    upgrade.check_description = false;
    run.upgrades.push_back(std::move(upgrade));
}

void SingleKind::choose_release(Run& run) const {
    const UpgradeVersion wanted = UpgradeVersion::parse(m_request.upgrade);
    const std::vector<Release*> found = releases_of(run.supply->releases(), wanted);
    if (found.empty()) {
        throw Error(Failure::preparation, "there is no file and no release " + m_request.upgrade,
                    "'runner releases list' shows the releases");
    }
    run.parts.source.complete(found);
    const std::string platform = Platform::current().to_string();
    const std::string problem = why_not_runnable(*found.front(), found.size() > 1, platform);
    if (!problem.empty()) throw Error(Failure::preparation, wanted.to_string() + ": " + problem);
    run.releases = &run.supply->releases();
    UpgradeInRun upgrade;
    upgrade.version = wanted.to_string();
    upgrade.tag = found.front()->tag;
    upgrade.platform = platform;
    upgrade.known.release = found.front();
    upgrade.known.manifest = Manifest::undeclared(wanted);
    run.upgrades.push_back(std::move(upgrade));
}

void SingleKind::pass_admission(Run& run) {
    refuse_to_leave_no_record(run);
    Kind::pass_admission(run);
}

void SingleKind::refuse_to_leave_no_record(const Run& run) const {
    if (m_request.record || m_request.dry_run) return;
    const UnsettledUpgrade* half = unsettled_in(run.facts, m_version);
    if (half == nullptr || !is_half_applied(*half)) return;
    const auto begun = run.ledger_view().run(half->run);
    if (begun && begun->start.command == command(run)) return;  // it was only tried, too
    throw_refusal({m_version + " was begun by '" + (begun ? begun->start.command : half->run) +
                       "' and stopped half-way: to run it on without --record would leave nothing "
                       "of that in the ledger",
                   "finish it with 'runner upgrade' or with --record, or undo it with 'runner "
                   "rollback'",
                   Failure::refused},
                  "nothing was changed");
}

void SingleKind::end_with_nothing_to_do(Run& run) {
    Kind::end_with_nothing_to_do(run);
    run.warn(m_version + " is done already; to make it due again: " +
             forget_by_hand(m_version, "to be run again"));
}

std::string SingleKind::question(const Run& run) const {
    return "This will run " + run.upgrades.front().version + " on the cluster '" +
           run.parts.config.name + "'.";
}

Worked SingleKind::work(Run& run, UpgradeInRun& upgrade) {
    return apply_upgrade(run, upgrade, std::nullopt, m_request.record);
}

void SingleKind::end(Run& run) {
    run.recorded->finish(RunState::succeeded, Outcome::succeeded, run.options.reason);
    run.report.outcome = run.upgrades.front().outcome;
}

RunReport run_single(const EngineParts& parts, const SingleRunRequest& request) {
    Run run(parts, request, KindOfRun::single);
    SingleKind kind(request);
    return run_pipeline(run, kind);
}

}  // namespace runner
