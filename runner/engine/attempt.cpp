// SPDX-License-Identifier: Apache-2.0
#include "engine/attempt.hpp"

#include "ledger/beside.hpp"

namespace runner {
namespace {

AttemptStart attempt_start(const Run& run, const UpgradeInRun& upgrade, bool is_undo) {
    AttemptStart start;
    start.version = upgrade.version;
    start.tag = upgrade.tag;
    start.platform = upgrade.platform;
    start.digest = upgrade.digest();
    start.signer = upgrade.known.signer ? upgrade.known.signer->key : "";
    start.late = upgrade.late;
    start.log = log_name(run.report.run, upgrade.version).string();
    start.manifest = dump_json(upgrade.manifest_json);
    start.form = upgrade.form;
    start.has_check = upgrade.has_verify;
    start.is_undo = is_undo;
    start.other_effects =
        upgrade.form == UpgradeForm::executable || upgrade.manifest().permissions.network;
    return start;
}

void tell_recorded(Run& run) {
    if (!run.finished) return;
    const AttemptEnd end = std::move(*run.finished);
    run.finished.reset();
    run.current = nullptr;
    if (end.cluster_version) run.report.cluster_version = end.cluster_version->to_string();
    if (end.lowered_version) run.report.cluster_version = end.lowered_version->to_string();
    run.parts.reporter.recorded(end.version, end.outcome, end.done);
}

}  // namespace

void open_attempt(Run& run, UpgradeInRun& upgrade, bool is_undo) {
    run.ledger().advance(run.report.run, run.finished, attempt_start(run, upgrade, is_undo));
    tell_recorded(run);
    run.changing = true;
    if (run.phases) run.phases->forget_commands();
    run.current = &upgrade;
    run.current_is_undo = is_undo;
}

void settle(Run& run) {
    if (!run.finished) return;
    run.ledger().advance(run.report.run, run.finished, std::nullopt);
    tell_recorded(run);
}

void close_attempts(Run& run, const std::string& message) {
    if (!run.recorded || run.current == nullptr) return;
    try {
        if (run.finished) {
            settle(run);
            return;
        }
        AttemptEnd end;
        end.version = run.current->version;
        end.message = message;
        if (run.current_is_undo) end.outcome = Outcome::rollback_failed;
        run.ledger().advance(run.report.run, end, std::nullopt);
        run.current->outcome = end.outcome;
        run.current->message = message;
    } catch (const Error&) {
    }
}

}  // namespace runner
