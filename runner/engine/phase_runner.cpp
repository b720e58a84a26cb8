// SPDX-License-Identifier: Apache-2.0
#include "engine/phase_runner.hpp"

#include <unistd.h>

#include <algorithm>

#include "engine/lease_holder.hpp"
#include "engine/recovery.hpp"
#include "host/message.hpp"
#include "host/phases.hpp"
#include "model/error.hpp"
#include "model/harmless.hpp"
#include "services/diff.hpp"
#include "services/files.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/secret_memory.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_message = 16U << 10U;  // less than what comes, so that it is cut here

std::string words_for(const Permissions& permissions) {
    const auto list = [](const std::vector<std::string>& words, const char* none) {
        return words.empty() ? std::string(none) : join(words, ", ");
    };
    return "writing below " + list(permissions.write, "nothing") + ", the commands " +
           list(permissions.commands, "none") +
           (permissions.network ? ", network" : ", no network");
}

/// The changes that a simulation has handed over. Throws Error{preparation}: they come from another
/// process.
upgrade::services::FileChanges decode_changes(const std::string& bytes) {
    try {
        upgrade::services::FileChanges changes = upgrade::services::decode(bytes);
        for (const auto& [path, change] : changes) upgrade::services::check_path(path);
        return changes;
    } catch (const std::exception& error) {
        throw Error(Failure::preparation,
                    std::string("the simulation's result is refused: ") + error.what());
    }
}

void take_found(ShownWork& shown, const FoundInRepository& found) {
    for (const auto& [path, file] : found.files)
        shown.before[path] = {.kind = file.kind, .digest = file.digest};
    shown.lists = found.lists;
}

}  // namespace

PhaseRunner::PhaseRunner(const EngineParts& parts, PhaseRunnerOptions options, LedgerView& ledger)
    : m_parts(parts),
      m_options(std::move(options)),
      m_ledger(ledger),
      m_host(parts.processes.start_host(
          {plugin_environment(parts.config.environment), m_options.lease}, parts.signals,
          parts.clock)) {
    m_options.temporary_folder = m_host->temporary_folder().string();
}

PhaseRunner::~PhaseRunner() = default;

void PhaseRunner::keep_secrets_of(const UpgradeInRun& upgrade) {
    for (const auto& [name, secret] : secrets_in(upgrade.manifest(), upgrade.parameters)) {
        m_parts.redactor.add(upgrade.version + ": '" + name + "'", secret.reveal());
        keep_memory_to_itself();
    }
}

PhaseEvents PhaseRunner::events_of(const UpgradeInRun& upgrade, HostPhase phase,
                                   const PhaseRecord& record) {
    LedgerView& view = record.writer != nullptr ? *record.writer : m_ledger;
    return {m_parts, m_options, m_parts.redactor, view, upgrade, phase, record};
}

PhaseResult PhaseRunner::run(const UpgradeInRun& upgrade, const PhaseRequest& request,
                             PhaseEvents& events) {
    PhaseResult result;
    const auto note_commands = [&] {
        const std::vector<std::string>& begun = events.commands_begun();
        m_begun.insert(m_begun.end(), begun.begin(), begun.end());
    };
    try {
        result = m_host->run(request, events);
    } catch (const Error&) {
        if (events.changed_since_shown().empty()) {
            note_commands();
            throw;
        }
        result.end = PhaseEnd::changed;
        result.message = events.changed_since_shown();
    }
    note_commands();
    events.end_of_output();
    events.refuse_secrets_in(result);
    for (std::string* words : {&result.message, &result.remedy})
        *words =
            shortened(harmless(m_parts.redactor.mask(
                          *words, words->size() >= k_max_text ? TextEnd::cut : TextEnd::whole)),
                      k_max_message);
    const bool stopped = result.end == PhaseEnd::cancelled || result.end == PhaseEnd::changed;
    if (!result.good() && !stopped && request.sandbox &&
        m_parts.processes.sandbox_support() != SandboxSupport::none &&
        (events.saw_refusal() || tells_of_refusal(result.message))) {
        result.message += "; the kernel allows it only what its manifest declares: " +
                          words_for(upgrade.manifest().permissions) +
                          (facts_of(request.phase).changes ? "" : "; and no writing in this phase");
    }
    return result;
}

PhaseResult PhaseRunner::retried(const UpgradeInRun& upgrade, Ledger* writer, bool changes_files,
                                 const std::function<PhaseResult()>& once) {
    const RetryConfig& retry = m_parts.config.retry;
    std::chrono::milliseconds delay = retry.delay;
    for (int attempt = 1;; ++attempt) {
        PhaseResult result = once();
        if (result.end != PhaseEnd::transient || m_parts.signals.count() > 0) return result;
        if (attempt >= retry.attempts) {
            result.message += " (tried " + counted(static_cast<std::size_t>(attempt), "time") + ")";
            return result;
        }
        m_parts.reporter.notice(upgrade.version + ": " + result.message +
                                "; that may pass: attempt " + std::to_string(attempt + 1) + " of " +
                                std::to_string(retry.attempts) + " in " + format_duration(delay));
        pause(delay, writer);
        if (m_parts.signals.count() > 0) return result;
        delay *= 2;
        if (!changes_files) continue;
        const auto by_hand = changed_since_unfinished(*writer, m_parts.work_tree);
        if (!by_hand.empty()) {
            result.message +=
                "; it is not tried again: " + words_for_changed_by_hand(by_hand) + " meanwhile";
            return result;
        }
        for (const std::string& note : restore_unfinished_files(*writer, m_parts.work_tree))
            m_parts.reporter.notice(note);
    }
}

void PhaseRunner::pause(std::chrono::milliseconds length, Ledger* writer) {
    const auto end = m_parts.clock.steady() + length;
    for (auto left = length; left.count() > 0 && m_parts.signals.count() == 0;
         left = end - m_parts.clock.steady()) {
        m_parts.signals.wait(std::min(left, k_heartbeat_interval));
        if (writer != nullptr) writer->heartbeat();
    }
}

PhaseRequest PhaseRunner::request_for(const UpgradeInRun& upgrade, HostPhase phase) {
    const ClusterConfig& config = m_parts.config;
    const Manifest& manifest = upgrade.manifest();
    PhaseRequest request;
    request.phase = phase;
    request.form = upgrade.form;
    request.image = upgrade.image.get();
    // Compared once: what is applied is the same sealed image as what was simulated.
    const bool first = phase == HostPhase::preflight || phase == HostPhase::simulate;
    if (upgrade.check_description && first) request.manifest = &upgrade.manifest_json;
    request.repository = config.repository_directory;
    request.backup_folder =
        m_parts.folder.originals_of(upgrade.version) / std::to_string(m_parts.clock.wall().count());
    request.write_paths = manifest.permissions.write;
    if (!request.write_paths.empty()) request.protected_paths = m_parts.work_tree.own_paths();
    request.commands = manifest.permissions.commands;
    request.network = manifest.permissions.network;
    request.sandbox = m_options.sandbox && config.policy.enforcement != Enforcement::disabled;
    request.info = {{"version", upgrade.version},
                    {"clusterName", config.name},
                    {"clusterRegion", config.region},
                    {"clusterAccountID", config.account_id},
                    {"repositoryDirectory", config.repository_directory.string()},
                    {"debug", m_options.debug ? "true" : "false"}};
    request.parameters = upgrade.parameters;
    request.timeout = manifest.timeout;
    if (upgrade.form == UpgradeForm::plugin) {
        request.finished_steps = m_ledger.finished_steps(upgrade.version);
        return request;
    }
    if (m_options.debug) request.arguments.emplace_back("--debug");
    request.arguments.emplace_back(phase == HostPhase::apply ? "--dry-run=false"
                                                             : "--dry-run=true");
    if (m_options.yes) request.arguments.emplace_back("--confirm");
    request.relay_input = !m_options.yes && m_parts.terminal.interactive();
    return request;
}

PhaseResult PhaseRunner::simulate_once(UpgradeInRun& upgrade, HostPhase phase,
                                       bool another_follows) {
    PhaseRequest request = request_for(upgrade, phase);
    request.stop_at_first_signal = true;
    request.overlay = m_overlay.get();
    request.another_follows = another_follows || phase == HostPhase::preflight;
    if (phase == HostPhase::preflight) request.without_preflight = HostPhase::simulate;
    return run_shown(upgrade, request);
}

PhaseResult PhaseRunner::run_shown(UpgradeInRun& upgrade, const PhaseRequest& request) {
    PhaseEvents events = events_of(upgrade, request.phase);
    PhaseResult result = run(upgrade, request, events);
    upgrade.shown.commands = events.take_commands();
    return result;
}

PhaseResult PhaseRunner::simulate(UpgradeInRun& upgrade, bool another_follows) {
    upgrade.shown = {};
    // An upgrade that died half-way goes on: whether it can run was judged before its first step,
    // and what that step has changed would be judged now.
    const bool goes_on =
        upgrade.form == UpgradeForm::plugin && !m_ledger.finished_steps(upgrade.version).empty();
    const bool judged = upgrade.form == UpgradeForm::executable || goes_on;
    const auto once = [&](HostPhase phase) {
        return retried(upgrade, nullptr, false,
                       [&] { return simulate_once(upgrade, phase, another_follows); });
    };
    PhaseResult result = once(judged ? HostPhase::simulate : HostPhase::preflight);
    upgrade.has_preflight = !judged && result.has("preflight");
    upgrade.has_verify = result.has("verify");
    if (result.ok() && result.phase == HostPhase::preflight && upgrade.has_preflight)
        result = once(HostPhase::simulate);
    take_found(upgrade.shown, result.found);
    if (result.ok()) take_shown(upgrade, result);
    if (result.ok()) refuse_what_cannot_be_written(upgrade.shown, result);
    return result;
}

void PhaseRunner::refuse_what_cannot_be_written(const ShownWork& shown, PhaseResult& result) const {
    for (const ShownChange& commit : shown.commits) {
        const std::string problem = m_parts.work_tree.why_not_writable(commit.path);
        if (problem.empty()) continue;
        result.end = PhaseEnd::failed;
        result.message = commit.path + " would be changed, and " + problem;
        return;
    }
}

PhaseResult PhaseRunner::preflight(const UpgradeInRun& upgrade) {
    return retried(upgrade, nullptr, false, [&] {
        PhaseRequest request = request_for(upgrade, HostPhase::preflight);
        request.another_follows = true;
        PhaseEvents events = events_of(upgrade, request.phase);
        return run(upgrade, request, events);
    });
}

PhaseResult PhaseRunner::simulate_rollback(UpgradeInRun& upgrade) {
    PhaseRequest request = request_for(upgrade, HostPhase::simulate_rollback);
    request.stop_at_first_signal = true;
    request.overlay = m_overlay.get();
    return run_shown(upgrade, request);
}

std::optional<std::string> PhaseRunner::simulated_content(const std::string& path) const {
    const auto earlier = m_chain.find(path);
    if (earlier != m_chain.end()) return earlier->second.content;
    WorkTree& work_tree = m_parts.work_tree;
    const bool is_file = work_tree.look(path).kind == upgrade::services::PathKind::file;
    return is_file ? work_tree.content(path) : std::nullopt;
}

std::optional<unsigned> PhaseRunner::simulated_mode(const std::string& path) const {
    const auto earlier = m_chain_modes.find(path);
    if (earlier != m_chain_modes.end()) return earlier->second;
    const upgrade::services::PathStatus now = m_parts.work_tree.look(path);
    if (now.kind != upgrade::services::PathKind::file) return std::nullopt;
    return now.mode;
}

std::optional<unsigned> PhaseRunner::mode_after(const std::string& path,
                                                const upgrade::services::FileChange& change) const {
    if (!change.content) return std::nullopt;
    return simulated_mode(change.moved_from.empty() ? path : change.moved_from);
}

void PhaseRunner::show_diff(const std::string& path, const upgrade::services::DiffSide& before,
                            const upgrade::services::DiffSide& after) {
    const std::string diff = upgrade::services::unified_diff(harmless(path), before, after);
    if (!diff.empty()) m_parts.reporter.diff(harmless_lines(m_parts.redactor.mask(diff)));
}

void PhaseRunner::note_before(ShownWork& shown, const std::string& path,
                              const std::optional<std::string>& content) const {
    PathBefore& before = shown.before[path];
    before.changed = true;
    before.mode = simulated_mode(path);
    // What the upgrade itself has read is known from it.
    if (before.digest || !content) return;
    before.kind = upgrade::services::PathKind::file;
    before.digest = sha256(*content);
}

void PhaseRunner::take_shown(UpgradeInRun& upgrade, PhaseResult& result) {
    upgrade.shown.renders = result.renders;
    upgrade.shown.blind_renders = result.blind_renders;
    upgrade.shown.commits = std::move(result.shown);
    upgrade::services::FileChanges changes;
    if (result.changes)
        changes =
            decode_changes(read_all(result.changes.get(), k_max_overlay, "the simulated changes"));
    for (const auto& [path, change] : changes) {
        const auto before = simulated_content(path);
        note_before(upgrade.shown, path, before);
        upgrade::services::DiffSide after{change.content, mode_after(path, change)};
        if (change.content && !after.mode) after.mode = upgrade::services::mode_of_new_file();
        show_diff(path, {before, simulated_mode(path)}, after);
    }
    // Those that it has changed back in the end are held to what was shown, too.
    for (const ShownChange& commit : upgrade.shown.commits) {
        if (!upgrade.shown.before[commit.path].changed)
            note_before(upgrade.shown, commit.path, simulated_content(commit.path));
    }
    if (result.changes) lay_over(changes);
}

void PhaseRunner::lay_over(const upgrade::services::FileChanges& changes) {
    std::map<std::string, std::optional<unsigned>> modes;
    for (const auto& [path, change] : changes) modes[path] = mode_after(path, change);
    for (const auto& [path, change] : changes) m_chain[path] = change;
    for (const auto& [path, mode] : modes) m_chain_modes[path] = mode;
    if (!m_overlay) m_overlay = make_memory_file("overlay");
    ::lseek(m_overlay.get(), 0, SEEK_END);
    write_all(m_overlay.get(), upgrade::services::encode(changes), "the changes so far");
}

void PhaseRunner::forget_simulated() {
    m_chain.clear();
    m_chain_modes.clear();
    m_overlay.reset();
}

PhaseResult PhaseRunner::apply(const UpgradeInRun& upgrade, const PhaseRecord& record,
                               bool another_follows) {
    m_open_commands.clear();
    return retried(upgrade, record.writer, true, [&] {
        PhaseRequest request = request_for(upgrade, HostPhase::apply);
        request.another_follows = another_follows;
        request.after_effects = m_after_effects;
        PhaseEvents events = events_of(upgrade, request.phase, record);
        PhaseResult once = run(upgrade, request, events);
        events.add_open_commands(m_open_commands);
        if (!m_begun.empty() || upgrade.form == UpgradeForm::executable) m_after_effects = true;
        if (!request.write_paths.empty()) m_parts.folder.remove_if_empty(request.backup_folder);
        return once;
    });
}

PhaseResult PhaseRunner::verify(const UpgradeInRun& upgrade, const PhaseRecord& record,
                                bool another_follows) {
    return retried(upgrade, record.writer, false, [&] {
        PhaseRequest request = request_for(upgrade, HostPhase::verify);
        request.another_follows = another_follows;
        PhaseEvents events = events_of(upgrade, request.phase, record);
        return run(upgrade, request, events);
    });
}

PhaseResult PhaseRunner::rollback(const UpgradeInRun& upgrade, const PhaseRecord& record) {
    PhaseRequest request = request_for(upgrade, HostPhase::rollback);
    request.signals_before = m_parts.signals.count();
    PhaseEvents events = events_of(upgrade, request.phase, record);
    PhaseResult result = run(upgrade, request, events);
    if (!request.write_paths.empty()) m_parts.folder.remove_if_empty(request.backup_folder);
    return result;
}

}  // namespace runner
