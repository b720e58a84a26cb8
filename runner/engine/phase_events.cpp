// SPDX-License-Identifier: Apache-2.0
#include "engine/phase_events.hpp"

#include <algorithm>
#include <filesystem>

#include "engine/recovery.hpp"
#include "engine/undo.hpp"
#include "host/frame.hpp"
#include "host/message.hpp"
#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "model/harmless.hpp"
#include "services/files.hpp"
#include "support/sha256.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

// The most that is shown of a text, in bytes.
constexpr std::size_t k_max_line = 64U << 10U;
constexpr std::size_t k_max_input = 64U << 10U;
constexpr std::size_t k_max_description = 4096;
constexpr std::size_t k_max_question = 4096;
constexpr std::size_t k_max_progress = 512;

/// The plugin process cuts texts off; what is left of a secret there is one no longer.
TextEnd end_of(const std::string& text, std::size_t limit) {
    return text.size() >= limit ? TextEnd::cut : TextEnd::whole;
}

}  // namespace

bool tells_of_refusal(const std::string& text) {
    return text.find("ermission denied") != std::string::npos;
}

PhaseEvents::PhaseEvents(const EngineParts& parts, const PhaseRunnerOptions& options,
                         const Redactor& redactor, LedgerView& view, const UpgradeInRun& upgrade,
                         HostPhase phase, const PhaseRecord& record)
    : m_parts(parts),
      m_options(options),
      m_redactor(redactor),
      m_view(view),
      m_upgrade(upgrade),
      m_phase(phase),
      m_record(record),
      m_log(parts.folder.log(record.run.empty() ? ""
                                                : log_name(record.run, upgrade.version).string())),
      m_lines(redactor),
      m_heart(parts.clock) {}

void PhaseEvents::on_log(std::int32_t level, const std::string& text) {
    if (level == UPGRADE_LOG_DEBUG && !m_options.debug) return;
    for (const std::string_view one : split_lines(text)) line(level, std::string(one));
}

void PhaseEvents::on_output(std::string_view bytes) {
    m_output.push(bytes, [this](std::string_view text) { printed(text); });
}

void PhaseEvents::end_of_output() {
    m_output.flush([this](std::string_view text) { printed(text); });
    flush_lines();
}

void PhaseEvents::on_progress(std::uint64_t done, std::uint64_t total, const std::string& message) {
    m_parts.reporter.progress(done, total, shown(message, k_max_progress));
}

void PhaseEvents::on_command_shown(const std::vector<std::string>& arguments,
                                   const CommandInput& input) {
    flush_lines();
    CommandWords words;
    for (const std::string& argument : arguments) words.push_back(comparable(argument));
    m_commands.push_back(std::move(words));
    ToldCommand command = told(arguments);
    const TextEnd end = input.bytes > input.text.size() ? TextEnd::cut : TextEnd::whole;
    command.input = shortened(harmless_lines(m_redactor.mask(input.text, end)), k_max_input);
    m_parts.reporter.command_shown(command);
}

void PhaseEvents::on_command_begun(const BegunCommand& begun) {
    if (is_held_to_shown()) hold_to_shown(begun);
    if (!m_has_open_effects && m_record.writer != nullptr)
        m_record.writer->record_other_effects(m_record.run, m_upgrade.version);
    m_has_open_effects = true;
    const ToldCommand command = told(begun.arguments);
    m_begun.push_back(command.text);
    if (m_step_is_open) m_in_open_step.push_back(command.text);
    flush_lines();
    m_log->write("run: " + command.text);
    m_parts.reporter.command_begun(command);
}

ToldCommand PhaseEvents::told(const std::vector<std::string>& arguments) const {
    ToldCommand command;
    for (const std::string& argument : arguments)
        command.arguments.push_back(m_redactor.mask(argument, end_of(argument, k_told_argument)));
    command.text = m_redactor.mask(shell_command(command.arguments));
    return command;
}

std::string PhaseEvents::shown(const std::string& text, std::size_t limit) const {
    return shortened(harmless(m_redactor.mask(text, end_of(text, k_max_text))), limit);
}

std::string PhaseEvents::comparable(const std::string& word) const {
    std::string text = m_redactor.mask(word);
    const std::string& folder = m_options.temporary_folder;
    if (folder.empty()) return text;
    for (std::size_t at = 0; (at = text.find(folder, at)) != std::string::npos;)
        text.replace(at, folder.size(), "$TMPDIR");
    return text;
}

void PhaseEvents::on_step_begun(const std::string& id, const std::string& description) {
    flush_lines();
    refuse_secret("a step's id", id);
    m_step_is_open = true;
    const std::string id_shown = shown(id, k_max_description);
    const std::string words = shown(description, k_max_description);
    m_log->write("step " + id_shown + ": " + words);
    m_parts.reporter.step(id_shown, words, m_phase);
}

bool PhaseEvents::confirm(const std::string& question) {
    if (m_options.yes) return true;
    if (!m_parts.terminal.interactive()) return false;
    flush_lines();
    const auto answer = m_parts.terminal.ask(
        m_upgrade.version + " asks: " + shown(question, k_max_question) + " [y/N] ");
    return means_yes(answer);
}

std::optional<std::string> PhaseEvents::state_value(std::int32_t scope, const std::string& key) {
    return m_view.state_value(scope, m_upgrade.version, key);
}

void PhaseEvents::record_files(const std::string& step,
                               const std::vector<HostFileChange>& changes) {
    refuse_secret("a step's id", step);
    for (const HostFileChange& change : changes) refuse_secret("a path", change.path);
    std::vector<FileIntent> intents;
    const std::vector<std::string> own_paths = m_parts.work_tree.own_paths();
    for (const HostFileChange& change : changes) {
        intents.push_back(checked_intent(change, own_paths));
        if (is_held_to_shown()) hold_to_shown(step, change, intents.back());
    }
    writer().record_files(m_record.run, m_upgrade.version, step, intents);
}

void PhaseEvents::refuse_as_changed(const std::string& why) {
    m_changed = "changed since it was shown: " + why;
    throw Error(Failure::preparation, m_upgrade.version + " " + m_changed);
}

void PhaseEvents::hold_to_shown(const std::string& step, const HostFileChange& change,
                                const FileIntent& intent) {
    const std::string other = m_upgrade.shown.why_other(step, change, intent);
    if (!other.empty()) refuse_as_changed(other);
    if (m_upgrade.shown.replaces_what_was(intent, m_parts.work_tree)) return;
    const std::vector<FileIntent> own = m_view.changed_files(m_upgrade.version);
    const bool wrote_it = std::any_of(own.begin(), own.end(), [&](const FileIntent& earlier) {
        return earlier.path == intent.path && earlier.new_digest == intent.old_digest;
    });
    if (!wrote_it) refuse_as_changed(change.path + " is not as it was when that was shown");
}

void PhaseEvents::hold_to_shown(const BegunCommand& command) {
    std::vector<WordPieces> words;
    for (std::size_t i = 0; i < command.arguments.size(); ++i) {
        static const upgrade::services::TextRanges k_none;
        const auto& learned = i < command.learned.size() ? command.learned[i] : k_none;
        words.push_back(pieces_of(command.arguments[i], learned));
        for (std::string& piece : words.back()) piece = comparable(piece);
    }
    if (is_shown(m_upgrade.shown.commands, words)) return;
    refuse_as_changed("its simulation did not show the command '" + told(command.arguments).text +
                      "'");
}

void PhaseEvents::record_step(const std::string& id, const HostValues& values) {
    refuse_secret("a step's id", id);
    refuse_secrets(values);
    writer().record_step(m_record.run, m_upgrade.version, id, values);
    end_step();
    m_finished_a_step = true;
    if (m_options.after_step) m_options.after_step(id);
}

void PhaseEvents::record_step_undone(const std::string& id, const HostValues& values) {
    refuse_secret("a step's id", id);
    refuse_secrets(values);
    refuse_changed_by_hand();
    writer().record_step_undone(m_record.run, m_upgrade.version, id, values);
    end_step();
    // Dying here is dying in an unfinished step: the next run puts its files back.
    restore_unfinished_files(writer(), m_parts.work_tree, m_record.force);
    m_parts.reporter.step(shown(id, k_max_description), "undone", m_phase);
}

/// Commands of an undo take their time: somebody may have changed a file since all were looked at.
void PhaseEvents::refuse_changed_by_hand() {
    if (m_record.force) return;
    const std::vector<HandChangedFile> changed =
        changed_by_hand(writer().changed_files(m_upgrade.version), m_parts.work_tree);
    if (changed.empty()) return;
    m_changed = words_for_changed_by_hand(changed) + " meanwhile";
    throw Error(Failure::preparation, m_upgrade.version + ": " + m_changed);
}

upgrade::services::FileChanges PhaseEvents::undone_in_simulation(const std::string& step) {
    upgrade::services::FileChanges originals =
        originals_of(undone_with(m_view.changed_files(m_upgrade.version), step), m_parts.work_tree);
    m_parts.reporter.step(shown(step, k_max_description), "would be undone", m_phase);
    return originals;
}

void PhaseEvents::refuse_secret(const std::string& what, const std::string& text) const {
    if (m_redactor.finds_in(text))
        throw Error(
            Failure::preparation,
            m_upgrade.version + " wants a secret stored in the ledger, as " + what + ": refused");
}

void PhaseEvents::refuse_secrets(const HostValues& values) const {
    for (const auto& [key, value] : values) {
        refuse_secret("the name of a state value", key.second);
        refuse_secret("a state value", value);
    }
}

void PhaseEvents::refuse_secrets_in(const PhaseResult& result) const {
    refuse_secrets(result.values);
    for (const ShownChange& change : result.shown) {
        refuse_secret("a step's id", change.step);
        refuse_secret("a path", change.path);
    }
    for (const auto& [path, file] : result.found.files) refuse_secret("a path", path);
    for (const auto& [pattern, names] : result.found.lists) refuse_secret("a path", pattern);
}

void PhaseEvents::on_stop_signal(int count) {
    if (count == 1)
        m_parts.reporter.notice("stopping after " + m_upgrade.version +
                                "; a second signal cancels it");
    if (count == 2)
        m_parts.reporter.notice("cancelling " + m_upgrade.version + "; a third signal kills it");
}

void PhaseEvents::tick() {
    if (m_record.writer != nullptr) m_heart.beat(*m_record.writer);
}

void PhaseEvents::printed(std::string_view text) {
    line(UPGRADE_LOG_INFO, std::string(text));
}

void PhaseEvents::line(std::int32_t level, const std::string& text) {
    m_saw_refusal = m_saw_refusal || tells_of_refusal(text);
    show(m_lines.push(level, text));
}

void PhaseEvents::show(const std::vector<LineRedactor::Line>& lines) {
    for (const auto& [level, text] : lines) {
        const std::string line = shortened(harmless(text, Tabs::kept), k_max_line);
        m_log->write("  " + line);  // a step and a command stand at the very beginning
        m_parts.reporter.line(level, line);
    }
}

/// The messages come from another process: what they name is what its manifest allows, or it has
/// broken the protocol.
FileIntent PhaseEvents::checked_intent(const HostFileChange& change,
                                       const std::vector<std::string>& own_paths) const {
    FileIntent intent;
    intent.path = change.path;
    intent.temporary = change.temporary;
    intent.backup = change.backup;
    try {
        upgrade::services::check_path(change.path);
        upgrade::services::check_may_write(change.path, m_upgrade.manifest().permissions.write,
                                           own_paths);
        intent.new_digest = Digest::parse(change.digest);
    } catch (const std::runtime_error& error) {
        throw ProtocolError(error.what());
    }
    if (intent.new_digest.has_value() == change.temporary.empty())
        throw ProtocolError("new bytes for " + change.path +
                            " without their digest, or a digest without bytes");
    if (!change.temporary.empty() &&
        !upgrade::services::is_name_before_commit(change.temporary, change.path))
        throw ProtocolError("new bytes for " + change.path + " in " + change.temporary);
    check_original(change);
    const upgrade::services::PathStatus now = m_parts.work_tree.look(change.path);
    if (now.kind == upgrade::services::PathKind::link)
        throw ProtocolError(change.path + " is a link, or behind one");
    if (now.kind == upgrade::services::PathKind::file) intent.old_mode = now.mode;
    if (change.mode && *change.mode > upgrade::services::k_mode_bits)
        throw ProtocolError(change.path + " with a mode that no file has");
    if (intent.new_digest) intent.new_mode = change.mode;
    intent.made_folders = change.made_folders;
    if (const auto original = m_parts.work_tree.original(intent))
        intent.old_digest = sha256(*original);
    return intent;
}

void PhaseEvents::check_original(const HostFileChange& change) const {
    if (change.backup.empty()) return;
    const std::filesystem::path originals = m_parts.folder.originals_of(m_upgrade.version);
    try {
        upgrade::services::check_path(
            std::filesystem::path(change.backup).lexically_relative(originals).string());
    } catch (const std::runtime_error&) {
        throw ProtocolError("the original of " + change.path + " in " + change.backup);
    }
}

Ledger& PhaseEvents::writer() {
    if (m_record.writer == nullptr)
        throw Error(Failure::preparation, "a phase that changes nothing wants something recorded");
    return *m_record.writer;
}

}  // namespace runner
