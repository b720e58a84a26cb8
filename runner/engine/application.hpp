// SPDX-License-Identifier: Apache-2.0
// The second half of a run: what was simulated and confirmed is applied, verified and recorded, one
// upgrade after the other; what fails is rolled back where it can be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/phase_runner.hpp"
#include "engine/planning.hpp"
#include "engine/recorded_run.hpp"
#include "engine/upgrade_run.hpp"

namespace runner {

/// How a phase ended, for people.
std::string words_for(const PhaseResult& result, HostPhase phase);

/// What the preparation hands over.
struct PreparedRun {
    PreparedPlan plan;
    std::vector<RunnableUpgrade> upgrades;  ///< of plan.plan.due, in its order
    std::vector<bool> nothing_to_do;        ///< by upgrade: its preflight said so
};

class Application {
 public:
    /// All must outlive it. `report` gets the outcomes.
    Application(const EngineParts& parts, const UpgradeRequest& request, UpgradeStore& store,
                PreparedRun& prepared, RecordedRun& run, PhaseRunner& phases, RunReport& report)
        : m_parts(parts),
          m_request(request),
          m_store(store),
          m_prepared(prepared),
          m_run(run),
          m_phases(phases),
          m_report(report) {}

    /// To the end, good or bad; `report` says which. Throws Error when the ledger fails.
    void run();

    /// Whether an attempt was begun: from then on something may be changed.
    [[nodiscard]] bool changing() const { return m_changing; }
    /// After run has thrown: closes the attempt under way, as far as the ledger lets it.
    void record_failure(const Error& error);

 private:
    AttemptStart attempt_start(std::size_t i);
    AttemptEnd apply_one(std::size_t i);
    AttemptEnd succeeded(std::size_t i, Outcome outcome, AttemptEnd end);
    PhaseResult verify_one(std::size_t i, bool another);
    /// Checks all again and again for as long as was asked for; `last` is recorded afterwards.
    /// False when that is over, and told, already.
    bool soak(AttemptEnd& last);
    void stop_while_soaking(const AttemptEnd& last);
    void fail_while_soaking(std::size_t i, const std::string& words, AttemptEnd& last);
    void roll_back(std::size_t i, AttemptEnd& end);
    void stop_between_upgrades(std::size_t next);
    void stop_after_failure(std::size_t i, const AttemptEnd& end, bool cancelled);
    void have_image(std::size_t i);
    void warn_about_strays(const RunnableUpgrade& upgrade, const PhaseResult& result);
    void refresh_version();
    [[nodiscard]] std::filesystem::path log_of(std::size_t i) const;
    [[nodiscard]] std::filesystem::path log_file(std::size_t i) const;
    [[nodiscard]] Ledger& ledger() const { return m_run.ledger(); }

    const EngineParts& m_parts;
    const UpgradeRequest& m_request;
    UpgradeStore& m_store;
    PreparedRun& m_prepared;
    RecordedRun& m_run;
    PhaseRunner& m_phases;
    RunReport& m_report;
    std::optional<std::size_t> m_current;
    bool m_changing = false;
};

}  // namespace runner
