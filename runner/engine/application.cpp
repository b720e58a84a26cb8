// SPDX-License-Identifier: Apache-2.0
#include "engine/application.hpp"

#include <algorithm>

#include "engine/escape_hatch.hpp"
#include "engine/recovery.hpp"
#include "engine/rollback.hpp"
#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::chrono::milliseconds k_min_check_interval{500};
constexpr std::chrono::milliseconds k_max_check_interval{30000};
constexpr int k_kill_signals = 3;

}  // namespace

std::string words_for(const PhaseResult& result, HostPhase phase) {
    const char* verb = phase == HostPhase::verify ? "verification" : to_string(phase);
    switch (result.end) {
        case PhaseEnd::ok:
            return "done";
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
        default:
            return std::string(verb) + " failed: " + result.message;
    }
}

void Application::run() {
    m_run.move_to(RunState::applying);
    const std::size_t count = m_prepared.upgrades.size();
    m_parts.reporter.applying_begins(count);
    std::optional<AttemptEnd> finished;
    for (std::size_t i = 0; i < count; ++i) {
        if (m_parts.signals.count() > 0) {
            ledger().advance(m_report.run, finished, std::nullopt);
            stop_between_upgrades(i);
            return;
        }
        if (m_run.state() == RunState::verifying) m_run.move_to(RunState::applying);
        // One commit closes the last upgrade and opens this one; only then does it begin.
        ledger().advance(m_report.run, finished, attempt_start(i));
        if (finished && finished->cluster_version)
            m_report.cluster_version = finished->cluster_version->to_string();
        m_changing = true;
        m_current = i;
        finished = apply_one(i);
        const bool cancelled = finished->outcome == Outcome::cancelled;
        if (!finished->done) roll_back(i, *finished);
        m_current.reset();
        m_report.due[i].outcome = finished->outcome;
        m_report.due[i].message = finished->message;
        if (!finished->done) {
            ledger().advance(m_report.run, finished, std::nullopt);
            stop_after_failure(i, *finished, cancelled);
            return;
        }
    }
    finished->cluster_version = m_prepared.plan.plan.final_version;
    if (m_request.soak.count() > 0 && !soak(*finished)) return;
    ledger().advance(m_report.run, finished, std::nullopt);
    m_run.finish(RunState::succeeded, Outcome::succeeded, m_request.reason);
    try {
        remove_old_originals(ledger(), m_parts.config.state);
    } catch (const Error& error) {  // the run is over, and good
        m_parts.reporter.warning(std::string("old originals were not removed: ") + error.what());
    }
    m_report.outcome = Outcome::succeeded;
    m_report.cluster_version = m_prepared.plan.plan.final_version.to_string();
}

std::filesystem::path Application::log_of(std::size_t i) const {
    return log_name(m_report.run, m_prepared.upgrades[i].version);
}

std::filesystem::path Application::log_file(std::size_t i) const {
    return m_parts.config.state.parent_path() / log_of(i);
}

AttemptStart Application::attempt_start(std::size_t i) {
    const KnownUpgrade& known = m_prepared.plan.upgrades[i];
    AttemptStart start;
    start.version = m_prepared.upgrades[i].version;
    start.tag = known.release->tag;
    start.platform = Platform::current().to_string();
    start.digest = known.archive_digest;
    start.signer = known.signer ? known.signer->key : "";
    start.late = m_prepared.plan.plan.due[i].late;
    start.log = log_of(i).string();
    return start;
}

/// The image, verified again when it was not kept.
void Application::have_image(std::size_t i) {
    RunnableUpgrade& upgrade = m_prepared.upgrades[i];
    if (!upgrade.image) upgrade.image = seal(m_store.image(m_prepared.plan.upgrades[i]));
}

void Application::warn_about_strays(const RunnableUpgrade& upgrade, const PhaseResult& result) {
    if (result.strays == 0) return;
    m_parts.reporter.warning(upgrade.version + " left " + std::to_string(result.strays) +
                             (result.strays == 1 ? " process" : " processes") + " behind; ended");
}

AttemptEnd Application::succeeded(std::size_t i, Outcome outcome, AttemptEnd end) {
    const RunnableUpgrade& upgrade = m_prepared.upgrades[i];
    end.outcome = outcome;
    end.done = true;
    end.cluster_version = version_after(*m_prepared.plan.releases, m_prepared.plan.plan, i + 1);
    end.declarations = declarations_of(upgrade.manifest);
    end.parameters = values_to_keep(upgrade.manifest, upgrade.parameters);
    return end;
}

AttemptEnd Application::apply_one(std::size_t i) {
    RunnableUpgrade& upgrade = m_prepared.upgrades[i];
    const std::size_t count = m_prepared.upgrades.size();
    AttemptEnd end;
    end.version = upgrade.version;
    m_parts.reporter.phase_begins(upgrade.version, HostPhase::apply, i + 1, count);
    if (m_prepared.nothing_to_do[i]) {
        m_parts.reporter.phase_ends(upgrade.version, HostPhase::apply, "nothing to do", true);
        return succeeded(i, Outcome::nothing_to_do, std::move(end));
    }
    have_image(i);
    const bool another = i + 1 < count;
    const auto begun = m_parts.clock.steady();
    PhaseResult result = m_phases.apply(upgrade, ledger(), m_report.run, log_file(i), another);
    end.apply_time = m_parts.clock.steady() - begun;
    warn_about_strays(upgrade, result);
    end.values = std::move(result.values);
    result.phase = HostPhase::apply;
    if (result.ok() && result.has("verify")) {
        m_run.move_to(RunState::verifying);
        const auto verify_begun = m_parts.clock.steady();
        result = verify_one(i, another);
        end.verify_time = m_parts.clock.steady() - verify_begun;
    }
    upgrade.image.reset();
    const std::string words = words_for(result, result.phase);
    m_parts.reporter.phase_ends(upgrade.version, result.phase, words, result.ok());
    if (result.ok()) return succeeded(i, Outcome::succeeded, std::move(end));
    end.values.clear();
    end.message = words;
    end.outcome = result.end == PhaseEnd::cancelled ? Outcome::cancelled
                  : result.end == PhaseEnd::aborted ? Outcome::aborted
                                                    : Outcome::failed;
    return end;
}

PhaseResult Application::verify_one(std::size_t i, bool another) {
    const RunnableUpgrade& upgrade = m_prepared.upgrades[i];
    PhaseResult verified = m_phases.verify(upgrade, &ledger(), m_report.run, log_file(i), another);
    warn_about_strays(upgrade, verified);
    verified.phase = HostPhase::verify;
    return verified;
}

bool Application::soak(AttemptEnd& last) {
    m_run.move_to(RunState::soaking);
    const std::size_t count = m_prepared.upgrades.size();
    m_current = count - 1;
    m_parts.reporter.notice("soaking: the checks are repeated for " +
                            format_duration(m_request.soak));
    const auto begun = m_parts.clock.steady();
    // What breaks breaks soon, most of the time.
    std::chrono::milliseconds interval = k_min_check_interval;
    for (bool over = false; !over;) {
        const auto left = begun + m_request.soak - m_parts.clock.steady();
        if (m_parts.signals.count() == 0 && left.count() > 0)
            wait_for_signal(m_parts.signals, std::min(left, interval));
        if (m_parts.signals.count() > 0) {
            stop_while_soaking(last);
            return false;
        }
        interval = std::min(interval * 2, k_max_check_interval);
        ledger().heartbeat();
        over = m_parts.clock.steady() - begun >= m_request.soak;
        for (std::size_t i = 0; i < count; ++i) {
            if (m_prepared.nothing_to_do[i]) continue;
            have_image(i);
            const PhaseResult result = verify_one(i, true);
            m_prepared.upgrades[i].image.reset();
            if (result.ok()) continue;
            if (m_parts.signals.count() > 0) {
                stop_while_soaking(last);
                return false;
            }
            fail_while_soaking(i, words_for(result, HostPhase::verify), last);
            return false;
        }
    }
    m_current.reset();
    m_parts.reporter.notice("soaked: all checks stayed good");
    return true;
}

void Application::stop_while_soaking(const AttemptEnd& last) {
    ledger().advance(m_report.run, last, std::nullopt);
    m_current.reset();
    const std::string message =
        "stopped by a signal while soaking; everything is done, and the checks were good so far";
    m_report.error =
        RunError{"interrupted", message, "'runner verify' repeats the checks", "perhaps"};
    m_run.finish(RunState::cancelled, Outcome::cancelled, message);
    refresh_version();
    m_report.outcome = Outcome::interrupted;
    m_report.exit_code = 128 + m_parts.signals.first_signal();
}

/// Only the last upgrade is undone for its own failure: undoing an earlier one alone would leave a
/// cluster that no order of upgrades leads to.
void Application::fail_while_soaking(std::size_t i, const std::string& words, AttemptEnd& last) {
    const std::string& version = m_prepared.upgrades[i].version;
    m_parts.reporter.phase_ends(version, HostPhase::verify, words, false);
    if (i + 1 == m_prepared.upgrades.size()) {
        last.done = false;
        last.cluster_version.reset();
        last.values.clear();
        last.outcome = Outcome::failed;
        last.message = "while soaking: " + words;
        roll_back(i, last);
        m_current.reset();
        m_report.due[i].outcome = last.outcome;
        m_report.due[i].message = last.message;
        ledger().advance(m_report.run, last, std::nullopt);
        stop_after_failure(i, last, false);
        return;
    }
    m_current.reset();
    ledger().advance(m_report.run, last, std::nullopt);
    const std::string message = version + ": while soaking: " + words +
                                "; every upgrade of this run is recorded as done, and none was "
                                "rolled back";
    m_report.error = RunError{
        to_string(Failure::apply_failed), message,
        "mend the cause, then 'runner verify'; or undo them: 'runner rollback --to VERSION'",
        "perhaps"};
    m_report.due[i].message = "while soaking: " + words;
    m_run.finish(RunState::failed, Outcome::failed, message);
    refresh_version();
    m_report.outcome = Outcome::failed;
    m_report.exit_code = exit_code(Failure::apply_failed);
}

/// Undoes what failed, where that leaves nothing of it; else its finished steps stay.
void Application::roll_back(std::size_t i, AttemptEnd& end) {
    RunnableUpgrade& upgrade = m_prepared.upgrades[i];
    if (!m_request.roll_back || m_parts.signals.count() >= k_kill_signals ||
        !why_not_undoable(upgrade).empty())
        return;
    m_run.move_to(RunState::rolling_back);
    m_parts.reporter.phase_begins(upgrade.version, HostPhase::rollback, i + 1,
                                  m_prepared.upgrades.size());
    have_image(i);
    const UndoResult undone =
        undo_upgrade(m_phases, upgrade, ledger(), m_parts.config.repository_directory,
                     {m_report.run, log_file(i), false});
    m_parts.reporter.phase_ends(upgrade.version, HostPhase::rollback, undone.message, undone.good);
    end.undone = undone.good;
    end.outcome = undone.good ? Outcome::rolled_back : Outcome::rollback_failed;
    end.message += undone.good ? "; it was rolled back (" + undone.message + ")"
                               : "; it could not be rolled back: " + undone.message;
}

void Application::stop_between_upgrades(std::size_t next) {
    const std::size_t left = m_prepared.upgrades.size() - next;
    const std::string message = "stopped by a signal after " + counted(next, "upgrade") + "; " +
                                counted(left, "upgrade") + " left, none of them begun";
    m_report.error =
        RunError{"interrupted", message, "run it again to go on", next > 0 ? "perhaps" : "no"};
    m_run.finish(RunState::cancelled, Outcome::cancelled, message);
    refresh_version();
    m_report.outcome = Outcome::interrupted;
    m_report.exit_code = 128 + m_parts.signals.first_signal();
}

void Application::stop_after_failure(std::size_t i, const AttemptEnd& end, bool cancelled) {
    const bool undone = end.outcome == Outcome::rolled_back;
    const std::size_t left = m_prepared.upgrades.size() - i - 1;
    std::string message = end.version + ": " + end.message + "; " + counted(i, "upgrade") +
                          " before it done, " + counted(left, "upgrade") + " after it not begun";
    const std::vector<std::string> steps = ledger().finished_steps(end.version);
    if (!steps.empty()) message += "; its finished steps stay: " + join(steps, ", ");
    const Failure failure = undone ? Failure::rolled_back : Failure::apply_failed;
    const std::string go_on =
        undone ? "mend the cause and run it again; "
        : end.outcome == Outcome::rollback_failed
            ? "mend the cause and run it again, or put right by hand what it names; "
            : "mend the cause and run it again: it goes on after the last finished step; ";
    m_report.error = RunError{cancelled ? "interrupted" : to_string(failure), message,
                              go_on + "'runner logs " + end.version + "' shows its output",
                              undone ? "undone" : "perhaps"};
    if (!undone) m_report.error->commands = escape_hatch(ledger(), m_parts.config, end.version);
    const RunState state = undone                                    ? RunState::rolled_back
                           : end.outcome == Outcome::rollback_failed ? RunState::rollback_failed
                           : cancelled                               ? RunState::cancelled
                                                                     : RunState::failed;
    const Outcome outcome = state == RunState::failed ? Outcome::failed : end.outcome;
    m_run.finish(state, outcome, message);
    refresh_version();
    m_report.outcome = outcome;
    m_report.exit_code = cancelled ? 128 + m_parts.signals.first_signal() : exit_code(failure);
}

void Application::refresh_version() {
    const auto version = ledger().facts().cluster.cluster_version;
    if (version) m_report.cluster_version = version->to_string();
}

void Application::record_failure(const Error& error) {
    if (!m_current) return;
    try {  // best effort: the ledger itself may be what failed
        AttemptEnd end;
        end.version = m_prepared.upgrades[*m_current].version;
        end.message = error.what();
        ledger().advance(m_report.run, end, std::nullopt);
        m_report.due[*m_current].outcome = Outcome::failed;
        m_report.due[*m_current].message = error.what();
    } catch (const Error&) {
    }
}

}  // namespace runner
