// SPDX-License-Identifier: Apache-2.0
#include "engine/soak.hpp"

#include <algorithm>

#include "engine/applying.hpp"
#include "engine/attempt.hpp"
#include "engine/ending.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::chrono::milliseconds k_min_check_interval{500};
constexpr std::chrono::milliseconds k_max_check_interval{30000};

void end_while_soaking(Run& run) {
    const std::string message =
        "stopped by a signal while soaking; everything is done, and the checks were good so far";
    end_run(run, {RunState::cancelled,
                  Outcome::cancelled,
                  {"interrupted", message, "'runner verify' repeats the checks", "perhaps"},
                  exit_code_of_signal(run.parts.signals.first_signal())});
    run.report.outcome = Outcome::interrupted;
}

/// Only the last upgrade is undone for its own failure: undoing an earlier one alone would leave a
/// cluster that no order of upgrades leads to.
bool roll_back_last(Run& run, UpgradeInRun& upgrade, const std::string& words,
                    std::string& why_not) {
    const bool last = &upgrade == &run.upgrades.back();
    if (!last || !can_roll_back_failed(run, upgrade, why_not)) return false;
    AttemptEnd end;
    end.version = upgrade.version;
    end.message = "while soaking: " + words;
    roll_back_failed(run, upgrade, end);
    if (end.undone)
        end.lowered_version =
            version_after(*run.choice->releases, run.choice->plan, run.choice->plan.due.size() - 1);
    upgrade.outcome = end.outcome;
    upgrade.message = end.message;
    run.finished = end;
    settle(run);
    end_after_failed_upgrade(run, upgrade, end);
    return true;
}

void end_after_failed_check(Run& run, UpgradeInRun& upgrade, const std::string& words) {
    run.parts.reporter.phase_ends(upgrade.version, HostPhase::verify, words, false);
    run.ledger().note("soak_failed", run.recorded->actor(), upgrade.version + ": " + words);
    std::string why_not;
    if (roll_back_last(run, upgrade, words, why_not)) return;
    const std::string message = upgrade.version + ": while soaking: " + words + why_not +
                                "; every upgrade of this run is recorded as done, and none was "
                                "rolled back";
    upgrade.message = "while soaking: " + words;
    end_run(run,
            {RunState::failed,
             Outcome::failed,
             {to_string(Failure::apply_failed), message,
              "mend the cause, then 'runner verify'; or undo them: 'runner rollback --to VERSION'",
              "perhaps"},
             exit_code(Failure::apply_failed)});
}

/// Whether all checks are good; false when the run is over.
bool check_all(Run& run) {
    for (UpgradeInRun& upgrade : run.upgrades) {
        if (upgrade.verdict == Verdict::nothing_to_do || !upgrade.checks_itself()) continue;
        run.supply->have_image(upgrade);
        const PhaseResult result = run.phase_runner().verify(upgrade, run.record(), true);
        warn_about_strays(run, upgrade, result);
        const bool last = &upgrade == &run.upgrades.back();
        if (!last || result.ok()) upgrade.image.reset();
        if (result.ok()) continue;
        if (run.parts.signals.count() > 0) {
            end_while_soaking(run);
        } else {
            end_after_failed_check(run, upgrade, words_for(result, HostPhase::verify));
        }
        return false;
    }
    return true;
}

}  // namespace

bool soak(Run& run, std::chrono::milliseconds length) {
    const Clock& clock = run.parts.clock;
    const StopSignals& signals = run.parts.signals;
    run.move_to(RunState::soaking);
    run.parts.reporter.notice("soaking: the checks are repeated for " + format_duration(length));
    const auto begun = clock.steady();
    // What breaks breaks soon, most of the time.
    std::chrono::milliseconds interval = k_min_check_interval;
    for (bool over = false; !over;) {
        const auto left = begun + length - clock.steady();
        if (signals.count() == 0 && left.count() > 0) signals.wait(std::min(left, interval));
        if (signals.count() > 0) {
            end_while_soaking(run);
            return false;
        }
        interval = std::min(interval * 2, k_max_check_interval);
        run.ledger().heartbeat();
        over = clock.steady() - begun >= length;
        if (!check_all(run)) return false;
    }
    run.parts.reporter.notice("soaked: all checks stayed good");
    return true;
}

}  // namespace runner
