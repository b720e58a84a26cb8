// SPDX-License-Identifier: Apache-2.0
#include "engine/kinds/verify_kind.hpp"

#include <algorithm>
#include <set>

#include "engine/pipeline.hpp"
#include "engine/standing.hpp"
#include "model/error.hpp"

namespace runner {

namespace {

/// Whether the ledger knows that it has no check of its own, so that its release is not needed. Its
/// manifest is known then, too.
bool has_no_check(LedgerView& ledger, UpgradeInRun& upgrade) {
    if (!recall_attempt(ledger, upgrade)) return false;
    return !upgrade.checks_itself();
}

}  // namespace

bool VerifyKind::is_wanted(const std::string& version) const {
    const std::vector<std::string>& only = m_request.only;
    return only.empty() || std::find(only.begin(), only.end(), version) != only.end();
}

void VerifyKind::choose(Run& run) {
    m_report.cluster = run.parts.config.name;
    if (run.facts.cluster.cluster_version)
        m_report.cluster_version = run.facts.cluster.cluster_version->to_string();
    if (run.facts.unfinished())
        run.warn("a run is under way, or was interrupted: what is found may be half-done");
    for (const UnsettledUpgrade& upgrade : run.facts.unsettled) run.warn(standing_words(upgrade));
    for (const DoneRecord& done : run.view->done()) {
        if (is_wanted(done.version))
            run.upgrades.push_back(from_ledger(done.version, done.tag, done.platform, done.digest));
    }
    for (const std::string& version : m_request.only) {
        const bool found =
            std::any_of(run.upgrades.begin(), run.upgrades.end(),
                        [&](const UpgradeInRun& upgrade) { return upgrade.version == version; });
        if (!found)
            throw Error(Failure::usage, version + " is not done on this cluster",
                        "'runner state show' lists what is");
    }
    std::sort(run.upgrades.begin(), run.upgrades.end(),
              [](const UpgradeInRun& a, const UpgradeInRun& b) {
                  return UpgradeVersion::parse(a.version) < UpgradeVersion::parse(b.version);
              });
}

void VerifyKind::load(Run& run) {
    // Newest first: that an upgrade is superseded is known from the manifests of those after it.
    for (auto upgrade = run.upgrades.rbegin(); upgrade != run.upgrades.rend(); ++upgrade) {
        try {
            if (has_no_check(*run.view, *upgrade) || superseded_by(run, *upgrade) != nullptr)
                continue;
            run.supply->find_again(*upgrade);
        } catch (const Error& error) {
            upgrade->problem = error.what();
        }
    }
    check_names(run);
    RunReport warned;
    add_signature_warnings(warned, run.upgrades);
    for (const std::string& warning : warned.warnings) run.warn(warning);
}

/// What one upgrade is refused for hinders no other one.
void VerifyKind::pass_admission(Run& run) {
    const GateInput input = run.gate_input();
    if (const auto refusal = refusal_of_run(input, GateMoment::admit))
        throw_refusal(*refusal, "nothing was checked");
    for (UpgradeInRun& upgrade : run.upgrades) {
        if (!upgrade.problem.empty()) continue;
        if (const auto refusal = refusal_of(input, GateMoment::admit, upgrade))
            upgrade.problem = refusal->what;
    }
}

void VerifyKind::check_names(const Run& run) const {
    std::set<std::string> declared;
    for (const UpgradeInRun& upgrade : run.upgrades) {
        for (const Parameter& parameter : upgrade.manifest().parameters)
            declared.insert(parameter.name);
    }
    const auto check = [&](const std::string& name) {
        if (declared.count(name) == 0)
            throw Error(Failure::usage,
                        name + ": no done upgrade declares a parameter of this name");
    };
    for (const auto& [name, value] : m_request.parameters.values) check(name);
    for (const auto& [name, secret] : m_request.parameters.secrets) check(name);
}

GivenParameters VerifyKind::given_for(const Manifest& manifest) const {
    GivenParameters given;
    for (const Parameter& parameter : manifest.parameters) {
        const auto value = m_request.parameters.values.find(parameter.name);
        if (value != m_request.parameters.values.end()) given.values.insert(*value);
        const auto secret = m_request.parameters.secrets.find(parameter.name);
        if (secret != m_request.parameters.secrets.end()) given.secrets.insert(*secret);
    }
    return given;
}

void VerifyKind::resolve_parameters(Run& run) {
    for (UpgradeInRun& upgrade : run.upgrades) {
        if (!upgrade.problem.empty()) continue;
        try {
            upgrade.parameters =
                runner::resolve_parameters(
                    {&upgrade.manifest()}, given_for(upgrade.manifest()),
                    {run.parts.config.parameters, run.facts.parameter_values}, nullptr)
                    .front();
        } catch (const Error& error) {
            upgrade.problem = error.what();
        }
    }
}

const UpgradeInRun* VerifyKind::superseded_by(const Run& run, const UpgradeInRun& upgrade) const {
    const std::string& component = upgrade.manifest().component;
    if (component.empty() || !m_request.only.empty()) return nullptr;
    const auto newest = std::find_if(
        run.upgrades.rbegin(), run.upgrades.rend(),
        [&](const UpgradeInRun& other) { return other.manifest().component == component; });
    return &*newest == &upgrade ? nullptr : &*newest;
}

VerifiedUpgrade VerifyKind::check_one(Run& run, UpgradeInRun& upgrade) const {
    VerifiedUpgrade verified{upgrade.version, Health::unknown, upgrade.problem};
    if (!upgrade.problem.empty()) return verified;
    if (upgrade.known.release == nullptr) {
        verified.health = Health::unchecked;
        verified.message = upgrade.form == UpgradeForm::executable
                               ? "an executable upgrade has no check of its own"
                               : "";
        return verified;
    }
    try {
        run.supply->fetch({&upgrade}, {});
        run.supply->have_image(upgrade);
        if (upgrade.form ==
            UpgradeForm::executable) {  // attempted by a runner that kept no manifest
            verified.health = Health::unchecked;
            verified.message = "an executable upgrade has no check of its own";
            return verified;
        }
        const PhaseResult result = run.phase_runner().verify(upgrade, {}, true);
        upgrade.image.reset();
        verified.health = !result.ok()           ? Health::unhealthy
                          : result.has("verify") ? Health::healthy
                                                 : Health::unchecked;
        if (!result.ok()) verified.message = result.message;
    } catch (const Error& error) {
        verified.message = error.what();
    }
    return verified;
}

Worked VerifyKind::work(Run& run, UpgradeInRun& upgrade) {
    if (const UpgradeInRun* later = superseded_by(run, upgrade)) {
        m_report.upgrades.push_back({upgrade.version, Health::superseded,
                                     "by " + later->version + ", of the same component"});
        return {{}, true};
    }
    run.parts.reporter.phase_begins(upgrade.version, HostPhase::verify,
                                    position_of(run, upgrade) + 1, run.upgrades.size());
    VerifiedUpgrade verified = check_one(run, upgrade);
    const bool good = verified.health == Health::healthy || verified.health == Health::unchecked;
    run.parts.reporter.phase_ends(upgrade.version, HostPhase::verify,
                                  verified.message.empty()
                                      ? to_string(verified.health)
                                      : to_string(verified.health) + (": " + verified.message),
                                  good);
    m_report.upgrades.push_back(std::move(verified));
    return {{}, true};
}

void VerifyKind::check_files(Run& run) {
    using upgrade::services::octal;
    m_report.warnings = run.report.warnings;
    if (!m_request.files) return;
    for (const LeftFile& file : run.view->files_as_left()) {
        if (!is_wanted(file.version)) continue;
        const FileState now = run.parts.work_tree.state(file.path);
        if (now.is_like(file.state)) continue;
        DriftedFile drifted{file.path, file.version, "changed", {}};
        if (!now.digest) {
            drifted.found = "missing";
        } else if (!file.state.digest) {
            drifted.found = "there again";
        } else if (now.digest == file.state.digest) {
            drifted.detail = "mode " + octal(*now.mode) + ", not " + octal(*file.state.mode);
        }
        m_report.files.push_back(std::move(drifted));
    }
}

void VerifyKind::end(Run& run) {
    check_files(run);
}

void VerifyKind::end_with_nothing_to_do(Run& run) {
    check_files(run);
}

const char* to_string(Health health) {
    switch (health) {
        case Health::healthy:
            return "healthy";
        case Health::unhealthy:
            return "unhealthy";
        case Health::unknown:
            return "unknown";
        case Health::unchecked:
            return "unchecked";
        case Health::superseded:
            return "superseded";
    }
    return "unknown";
}

bool VerifyReport::good() const {
    return files.empty() &&
           std::none_of(upgrades.begin(), upgrades.end(), [](const VerifiedUpgrade& upgrade) {
               return upgrade.health == Health::unhealthy || upgrade.health == Health::unknown;
           });
}

VerifyReport run_verify(const EngineParts& parts, const VerifyRequest& request) {
    Run run(parts, request, KindOfRun::verify);
    run.adjust_phases = confirm_everything;
    VerifyKind kind(request);
    carry_out(run, kind);
    return kind.report();
}

}  // namespace runner
