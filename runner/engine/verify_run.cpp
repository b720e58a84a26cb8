// SPDX-License-Identifier: Apache-2.0
#include "engine/verify_run.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "engine/phase_runner.hpp"
#include "engine/recovery.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

/// A done upgrade with what its check needs.
struct Candidate {
    DoneRecord done;
    std::optional<KnownUpgrade> known;
    std::string problem;  ///< why it cannot be checked
};

class VerifyRun {
 public:
    VerifyRun(const EngineParts& parts, const VerifyRequest& request)
        : m_parts(parts),
          m_request(request),
          m_view(parts.look_at_ledger()),
          m_store(parts.source, parts.config.releases.prefix, Platform::current(),
                  TrustPolicy::of(parts.config)) {}

    VerifyReport run() {
        m_facts = m_view->facts();
        check_identity(m_parts.config, m_facts);
        m_report.cluster = m_parts.config.name;
        if (m_facts.cluster.cluster_version)
            m_report.cluster_version = m_facts.cluster.cluster_version->to_string();
        if (m_facts.has_unfinished_run || m_facts.has_unfinished_files) {
            m_report.warnings.emplace_back(
                "a run is under way, or was interrupted: what is found may be half-done");
            m_parts.reporter.warning(m_report.warnings.back());
        }
        select();
        load();
        check_names();
        check_upgrades();
        if (m_request.files) check_files();
        return std::move(m_report);
    }

 private:
    [[nodiscard]] bool is_wanted(const std::string& version) const {
        const std::vector<std::string>& only = m_request.only;
        return only.empty() || std::find(only.begin(), only.end(), version) != only.end();
    }

    void select() {
        for (const DoneRecord& done : m_view->done()) {
            if (is_wanted(done.version)) m_candidates.push_back({done, std::nullopt, {}});
        }
        for (const std::string& version : m_request.only) {
            const bool found = std::any_of(
                m_candidates.begin(), m_candidates.end(),
                [&](const Candidate& candidate) { return candidate.done.version == version; });
            if (!found)
                throw Error(Failure::usage, version + " is not done on this cluster",
                            "'runner state show' lists what is");
        }
        std::sort(m_candidates.begin(), m_candidates.end(),
                  [](const Candidate& a, const Candidate& b) {
                      return UpgradeVersion::parse(a.done.version) <
                             UpgradeVersion::parse(b.done.version);
                  });
    }

    void load() {
        if (m_candidates.empty()) return;
        m_releases = m_parts.source.list();
        for (Candidate& candidate : m_candidates) {
            try {
                load_one(candidate);
            } catch (const Error& error) {
                candidate.problem = error.what();
            }
        }
    }

    void load_one(Candidate& candidate) {
        const DoneRecord& done = candidate.done;
        const UpgradeVersion version = UpgradeVersion::parse(done.version);
        const auto found =
            std::find_if(m_releases.begin(), m_releases.end(), [&](const Release& release) {
                return done.tag.empty() ? release.version == version : release.tag == done.tag;
            });
        if (found == m_releases.end())
            throw Error(Failure::preparation, "its release is gone from the source");
        m_parts.source.complete({&*found});
        if (!found->problem.empty())
            throw Error(Failure::preparation, "its release is malformed: " + found->problem);
        KnownUpgrade known = m_store.manifests({&*found}).front();
        if (!done.digest.empty() && known.archive_digest.to_string() != done.digest)
            throw Error(Failure::preparation,
                        "its release was changed after it was applied: it now has " +
                            known.archive_digest.to_string() + ", applied was " + done.digest);
        candidate.known = std::move(known);
    }

    /// Each given parameter is one that some upgrade declares.
    void check_names() const {
        std::set<std::string> declared;
        for (const Candidate& candidate : m_candidates) {
            if (!candidate.known) continue;
            for (const Parameter& parameter : candidate.known->manifest.parameters)
                declared.insert(parameter.name);
        }
        for (const auto* given : {&m_request.parameters.values, &m_request.parameters.secrets}) {
            for (const auto& [name, value] : *given) {
                if (declared.count(name) == 0)
                    throw Error(Failure::usage,
                                name + ": no done upgrade declares a parameter of this name");
            }
        }
    }

    void check_upgrades() {
        std::map<std::string, std::string> newest;  // by component
        for (const Candidate& candidate : m_candidates) {
            if (candidate.known && !candidate.known->manifest.component.empty())
                newest[candidate.known->manifest.component] = candidate.done.version;
        }
        PhaseRunnerOptions options;
        options.debug = m_request.debug;
        options.yes = true;
        PhaseRunner phases(m_parts.config, options, *m_view, m_parts.reporter, m_parts.terminal,
                           m_parts.signals, m_parts.clock);
        for (std::size_t i = 0; i < m_candidates.size(); ++i) {
            check_interrupted(m_parts.signals);
            Candidate& candidate = m_candidates[i];
            const std::string& version = candidate.done.version;
            VerifiedUpgrade verified{version, Health::unknown, candidate.problem};
            const auto later =
                candidate.known ? newest.find(candidate.known->manifest.component) : newest.end();
            if (later != newest.end() && later->second != version && m_request.only.empty()) {
                verified.health = Health::superseded;
                verified.message = "by " + later->second + ", of the same component";
            } else {
                m_parts.reporter.phase_begins(version, HostPhase::verify, i + 1,
                                              m_candidates.size());
                if (candidate.known) check_one(phases, *candidate.known, verified);
                const bool good =
                    verified.health == Health::healthy || verified.health == Health::unchecked;
                m_parts.reporter.phase_ends(
                    version, HostPhase::verify,
                    verified.message.empty()
                        ? to_string(verified.health)
                        : to_string(verified.health) + (": " + verified.message),
                    good);
            }
            m_report.upgrades.push_back(std::move(verified));
        }
    }

    void check_one(PhaseRunner& phases, const KnownUpgrade& known, VerifiedUpgrade& verified) {
        try {
            RunnableUpgrade upgrade;
            upgrade.version = verified.version;
            upgrade.manifest = known.manifest;
            upgrade.manifest_json = known.manifest.to_json();
            m_store.fetch({known}, {});
            const UpgradeImage image = m_store.image(known);
            upgrade.form = image.form;
            if (image.form == UpgradeForm::executable) {
                verified.health = Health::unchecked;
                verified.message = "an executable upgrade has no check of its own";
                return;
            }
            upgrade.image = seal(image);
            upgrade.parameters =
                resolve_parameters({&upgrade.manifest}, given_for(upgrade.manifest),
                                   {m_parts.config.parameters, m_facts.parameter_values}, nullptr)
                    .front();
            phases.keep_secrets_of(upgrade);
            const PhaseResult result = phases.verify(upgrade, nullptr, {}, {}, true);
            verified.health = !result.ok()           ? Health::unhealthy
                              : result.has("verify") ? Health::healthy
                                                     : Health::unchecked;
            if (!result.ok()) verified.message = result.message;
        } catch (const Error& error) {
            verified.message = error.what();
        }
    }

    /// What of the given values this upgrade declares.
    [[nodiscard]] GivenParameters given_for(const Manifest& manifest) const {
        GivenParameters given;
        for (const Parameter& parameter : manifest.parameters) {
            const auto value = m_request.parameters.values.find(parameter.name);
            if (value != m_request.parameters.values.end()) given.values.insert(*value);
            const auto secret = m_request.parameters.secrets.find(parameter.name);
            if (secret != m_request.parameters.secrets.end()) given.secrets.insert(*secret);
        }
        return given;
    }

    void check_files() {
        for (const LeftFile& file : m_view->files_as_left()) {
            if (!is_wanted(file.version)) continue;
            const auto now = digest_at(m_parts.config.repository_directory / file.path);
            if (now == file.digest) continue;
            m_report.files.push_back({file.path, file.version,
                                      !now           ? "missing"
                                      : !file.digest ? "there again"
                                                     : "changed"});
        }
    }

    const EngineParts& m_parts;
    const VerifyRequest& m_request;
    std::unique_ptr<LedgerView> m_view;
    UpgradeStore m_store;
    LedgerFacts m_facts;
    std::vector<Release> m_releases;
    std::vector<Candidate> m_candidates;
    VerifyReport m_report;
};

}  // namespace

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
    return VerifyRun(parts, request).run();
}

}  // namespace runner
