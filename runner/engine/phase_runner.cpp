// SPDX-License-Identifier: Apache-2.0
#include "engine/phase_runner.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/lease_holder.hpp"
#include "engine/recovery.hpp"
#include "host/sandbox.hpp"
#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "services/diff.hpp"
#include "services/files.hpp"
#include "support/memory_file.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

constexpr std::size_t k_max_changes = 512U << 20U;
constexpr std::size_t k_max_file = 256U << 20U;

/// The upgrade's own log file, made with its first line.
class AttemptLog {
 public:
    explicit AttemptLog(std::filesystem::path file) : m_file(std::move(file)) {}
    void write(const std::string& text) {
        if (m_file.empty()) return;
        if (!m_fd) {
            make_folders(m_file.parent_path());
            m_fd.reset(::open(m_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
            if (!m_fd) throw system_error("cannot write the log " + m_file.string(), errno);
        }
        write_all(m_fd.get(), text + '\n', m_file.string());
    }

 private:
    std::filesystem::path m_file;
    UniqueFd m_fd;
};

std::string join_arguments(const std::vector<std::string>& arguments) {
    return sanitize(join(arguments, " "));
}

/// The kernel's words for what the sandbox refuses, as programs print them.
bool tells_of_refusal(const std::string& text) {
    return text.find("ermission denied") != std::string::npos;
}

}  // namespace

/// Serves one phase.
class PhaseEvents final : public HostEvents {
 public:
    /// What is recorded, and where: nothing for phases that change nothing.
    struct Recording {
        Ledger* writer = nullptr;
        std::string run;
        std::filesystem::path log;
        bool force = false;  ///< rollback: files that were changed by hand are put back, too
    };

    PhaseEvents(const RunnableUpgrade& upgrade, HostPhase phase, LedgerView& view,
                const Recording& recording, const ClusterConfig& config,
                const PhaseRunnerOptions& options, const Redactor& redactor, Reporter& reporter,
                Terminal& terminal, const Clock& clock)
        : m_upgrade(upgrade),
          m_phase(phase),
          m_view(view),
          m_writer(recording.writer),
          m_run(recording.run),
          m_log(recording.log),
          m_force(recording.force),
          m_config(config),
          m_options(options),
          m_redactor(redactor),
          m_lines(redactor),
          m_reporter(reporter),
          m_terminal(terminal),
          m_heart(clock) {}

    void on_log(std::int32_t level, const std::string& text) override {
        if (level == UPGRADE_LOG_DEBUG && !m_options.debug) return;
        for (const std::string_view one : split_lines(text)) line(level, std::string(one));
    }

    void on_output(std::string_view bytes) override {
        m_output.push(bytes, [this](std::string_view text) { printed(text); });
    }

    /// Whether something was refused in a way that the sandbox refuses.
    [[nodiscard]] bool saw_refusal() const { return m_saw_refusal; }

    /// A last line without its newline.
    void end_of_output() {
        m_output.flush([this](std::string_view text) { printed(text); });
        flush_lines();
    }

    void on_progress(std::uint64_t done, std::uint64_t total, const std::string& message) override {
        m_reporter.progress(done, total, m_redactor.mask(message));
    }
    void on_command_shown(const std::vector<std::string>& arguments) override {
        flush_lines();
        m_reporter.command_shown(m_redactor.mask(join_arguments(arguments)));
    }
    void on_command_begun(const std::vector<std::string>&) override {}
    void on_step_begun(const std::string& id, const std::string& description) override {
        flush_lines();
        const std::string shown = m_redactor.mask(description);
        m_log.write("step " + m_redactor.mask(id) + ": " + shown);
        m_reporter.step(m_redactor.mask(id), shown, m_phase);
    }

    bool confirm(const std::string& question) override {
        if (m_options.yes) return true;
        if (!m_terminal.interactive()) return false;
        flush_lines();
        const auto answer =
            m_terminal.ask(m_upgrade.version + " asks: " + m_redactor.mask(question) + " [y/N] ");
        return means_yes(answer);
    }

    std::optional<std::string> state_value(std::int32_t scope, const std::string& key) override {
        return m_view.state_value(scope, m_upgrade.version, key);
    }

    void record_files(const std::string& step,
                      const std::vector<HostFileChange>& changes) override {
        std::vector<FileIntent> intents;
        for (const HostFileChange& change : changes) intents.push_back(checked_intent(change));
        writer().record_files(m_run, m_upgrade.version, step, intents);
    }

    void record_step(const std::string& id, const HostValues& values) override {
        refuse_secrets(id, values);
        writer().record_step(m_run, m_upgrade.version, id, values);
        if (m_options.after_step) m_options.after_step(id);
    }
    void record_step_undone(const std::string& id, const HostValues& values) override {
        refuse_secrets(id, values);
        writer().record_step_undone(m_run, m_upgrade.version, id, values);
        // Dying here is dying in an unfinished step: the next run puts its files back.
        restore_unfinished_files(writer(), m_config.repository_directory, m_force);
        m_reporter.step(id, "undone", m_phase);
    }

    /// What the ledger keeps it keeps for ever, and readable.
    void refuse_secrets(const std::string& step, const HostValues& values) const {
        if (m_redactor.empty()) return;
        bool found = m_redactor.finds_in(step);
        for (const auto& [key, value] : values)
            found = found || m_redactor.finds_in(key.second) || m_redactor.finds_in(value);
        if (found)
            throw Error(Failure::preparation, m_upgrade.version +
                                                  " wants a secret stored in the ledger, as a "
                                                  "step's id or a state value: refused");
    }

    void on_stop_signal(int count) override {
        if (count == 1)
            m_reporter.notice("stopping after " + m_upgrade.version +
                              "; a second signal cancels it");
        if (count == 2)
            m_reporter.notice("cancelling " + m_upgrade.version + "; a third signal kills it");
    }

    void tick() override {
        if (m_writer != nullptr) m_heart.beat(*m_writer);
    }

 private:
    void printed(std::string_view text) { line(UPGRADE_LOG_INFO, sanitize(text)); }
    void line(std::int32_t level, const std::string& text) {
        m_saw_refusal = m_saw_refusal || tells_of_refusal(text);
        show(m_lines.push(level, text));
    }
    void flush_lines() { show(m_lines.flush()); }
    void show(const std::vector<LineRedactor::Line>& lines) {
        for (const auto& [level, text] : lines) {
            m_log.write(text);
            m_reporter.line(level, text);
        }
    }
    /// The messages come from another process: no path in them may lead anywhere else than it
    /// should.
    [[nodiscard]] FileIntent checked_intent(const HostFileChange& change) const {
        const std::filesystem::path originals = originals_beside(m_config.state, m_upgrade.version);
        FileIntent intent{change.path, change.temporary, change.backup, std::nullopt, std::nullopt};
        try {
            upgrade::services::check_path(change.path);
            if (!change.temporary.empty()) upgrade::services::check_path(change.temporary);
            if (!change.backup.empty()) {
                upgrade::services::check_path(
                    std::filesystem::path(change.backup).lexically_relative(originals).string());
            }
        } catch (const std::runtime_error& error) {
            throw Error(Failure::preparation,
                        m_upgrade.version + " names a file that it may not: " + error.what());
        }
        intent.new_digest = Digest::parse(change.digest);
        if (intent.new_digest.has_value() == change.temporary.empty())
            throw Error(Failure::preparation,
                        m_upgrade.version + " names new bytes for " + change.path +
                            " without their digest, or a digest without bytes");
        if (!change.backup.empty())
            intent.old_digest = sha256(read_file(change.backup, k_max_file));
        return intent;
    }

    Ledger& writer() {
        if (m_writer == nullptr)
            throw Error(Failure::preparation,
                        "a phase that changes nothing wants something recorded");
        return *m_writer;
    }

    const RunnableUpgrade& m_upgrade;
    HostPhase m_phase;
    LedgerView& m_view;
    Ledger* m_writer;
    std::string m_run;
    AttemptLog m_log;
    bool m_force;
    const ClusterConfig& m_config;
    const PhaseRunnerOptions& m_options;
    const Redactor& m_redactor;
    LineRedactor m_lines;
    Reporter& m_reporter;
    Terminal& m_terminal;
    Heart m_heart;
    LineBuffer m_output;
    bool m_saw_refusal = false;
};

namespace {

std::string words_for(const Permissions& permissions) {
    const auto list = [](const std::vector<std::string>& words, const char* none) {
        return words.empty() ? std::string(none) : join(words, ", ");
    };
    return "writing below " + list(permissions.write, "nothing") + ", the commands " +
           list(permissions.commands, "none") +
           (permissions.network ? ", network" : ", no network");
}

}  // namespace

UniqueFd seal(const UpgradeImage& image) {
    return make_sealed_file(image.name.c_str(), image.content,
                            image.form == UpgradeForm::executable);
}

PhaseRunner::PhaseRunner(const ClusterConfig& config, PhaseRunnerOptions options,
                         LedgerView& ledger, Reporter& reporter, Terminal& terminal,
                         const StopSignals& signals, const Clock& clock)
    : m_config(config),
      m_options(std::move(options)),
      m_ledger(ledger),
      m_reporter(reporter),
      m_terminal(terminal),
      m_signals(signals),
      m_clock(clock),
      m_host({plugin_environment(config.environment), options.lease}, signals, clock) {}

PhaseRunner::~PhaseRunner() = default;

void PhaseRunner::keep_secrets_of(const RunnableUpgrade& upgrade) {
    const std::vector<std::string> secrets = secrets_in(upgrade.manifest, upgrade.parameters);
    if (secrets.empty()) return;
    for (const std::string& secret : secrets) m_redactor.add(secret);
    // No core file of this process either.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

PhaseResult PhaseRunner::run(const RunnableUpgrade& upgrade, const PhaseRequest& request,
                             PhaseEvents& events) {
    PhaseResult result = m_host.run(request, events);
    events.end_of_output();
    events.refuse_secrets("", result.values);
    result.message = m_redactor.mask(result.message);
    result.remedy = m_redactor.mask(result.remedy);
    const bool good = result.ok() || result.end == PhaseEnd::nothing_to_do;
    if (!good && request.sandbox && sandbox_support() != SandboxSupport::none &&
        (events.saw_refusal() || tells_of_refusal(result.message))) {
        const bool changes =
            request.phase == HostPhase::apply || request.phase == HostPhase::rollback;
        result.message += "; the kernel allows it only what its manifest declares: " +
                          words_for(upgrade.manifest.permissions) +
                          (changes ? "" : "; and no writing in this phase");
    }
    return result;
}

PhaseResult PhaseRunner::retried(const RunnableUpgrade& upgrade, Ledger* writer,
                                 const std::function<PhaseResult()>& once) {
    std::chrono::milliseconds delay = m_config.retry.delay;
    for (int attempt = 1;; ++attempt) {
        PhaseResult result = once();
        if (result.end != PhaseEnd::transient || m_signals.count() > 0) return result;
        if (attempt >= m_config.retry.attempts) {
            result.message += " (tried " + counted(static_cast<std::size_t>(attempt), "time") + ")";
            return result;
        }
        m_reporter.notice(upgrade.version + ": " + result.message + "; that may pass: attempt " +
                          std::to_string(attempt + 1) + " of " +
                          std::to_string(m_config.retry.attempts) + " in " +
                          format_duration(delay));
        pause(delay, writer);
        if (m_signals.count() > 0) return result;
        delay *= 2;
        if (writer == nullptr) continue;
        for (const std::string& note :
             restore_unfinished_files(*writer, m_config.repository_directory))
            m_reporter.notice(note);
    }
}

void PhaseRunner::pause(std::chrono::milliseconds length, Ledger* writer) {
    const auto end = m_clock.steady() + length;
    for (auto left = length; left.count() > 0 && m_signals.count() == 0;
         left = end - m_clock.steady()) {
        wait_for_signal(m_signals, std::min(left, k_heartbeat_interval));
        if (writer != nullptr) writer->heartbeat();
    }
}

PhaseRequest PhaseRunner::request_for(const RunnableUpgrade& upgrade, HostPhase phase) {
    PhaseRequest request;
    request.phase = phase;
    request.form = upgrade.form;
    request.image = upgrade.image.get();
    // Compared once: what is applied is the same sealed image as what was simulated.
    const bool simulation = phase == HostPhase::preflight || phase == HostPhase::simulate;
    if (upgrade.check_description && simulation) request.manifest = &upgrade.manifest_json;
    request.repository = m_config.repository_directory;
    request.backup_folder =
        originals_beside(m_config.state, upgrade.version) / std::to_string(m_clock.wall().count());
    request.write_paths = upgrade.manifest.permissions.write;
    request.commands = upgrade.manifest.permissions.commands;
    request.network = upgrade.manifest.permissions.network;
    request.sandbox = m_options.sandbox && m_config.policy.enforcement != Enforcement::disabled;
    request.info = {{"version", upgrade.version},
                    {"clusterName", m_config.name},
                    {"clusterRegion", m_config.region},
                    {"clusterAccountID", m_config.account_id},
                    {"repositoryDirectory", m_config.repository_directory.string()},
                    {"debug", m_options.debug ? "true" : "false"}};
    request.parameters = upgrade.parameters;
    request.timeout = upgrade.manifest.timeout;
    if (upgrade.form == UpgradeForm::plugin)
        request.finished_steps = m_ledger.finished_steps(upgrade.version);
    if (upgrade.form == UpgradeForm::executable) {
        if (m_options.debug) request.arguments.emplace_back("--debug");
        request.arguments.emplace_back(phase == HostPhase::simulate ? "--dry-run=true"
                                                                    : "--dry-run=false");
        if (m_options.yes) request.arguments.emplace_back("--confirm");
        request.relay_input = !m_options.yes && m_terminal.interactive();
    }
    return request;
}

PhaseResult PhaseRunner::simulate(const RunnableUpgrade& upgrade, bool another_follows) {
    const auto run = [&](HostPhase phase) {
        PhaseRequest request = request_for(upgrade, phase);
        request.stop_at_first_signal = true;
        request.overlay = m_overlay.get();
        request.another_follows = another_follows || phase == HostPhase::preflight;
        if (phase == HostPhase::preflight) request.without_preflight = HostPhase::simulate;
        PhaseEvents events(upgrade, phase, m_ledger, {}, m_config, m_options, m_redactor,
                           m_reporter, m_terminal, m_clock);
        return this->run(upgrade, request, events);
    };
    // An upgrade that died half-way goes on: whether it can run was judged before its first step,
    // and what that step has changed would be judged now.
    const bool goes_on =
        upgrade.form == UpgradeForm::plugin && !m_ledger.finished_steps(upgrade.version).empty();
    const bool judged = upgrade.form == UpgradeForm::executable || goes_on;
    PhaseResult result = retried(
        upgrade, nullptr, [&] { return run(judged ? HostPhase::simulate : HostPhase::preflight); });
    if (result.ok() && result.phase == HostPhase::preflight && result.has("preflight"))
        result = retried(upgrade, nullptr, [&] { return run(HostPhase::simulate); });
    if (result.ok() && result.changes) report_changes(result);
    return result;
}

std::optional<std::string> PhaseRunner::content_before(const std::string& path) const {
    const auto earlier = m_chain.find(path);
    if (earlier != m_chain.end()) return earlier->second.content;
    return read_file_if_there(m_config.repository_directory / path, k_max_file);
}

void PhaseRunner::report_changes(const PhaseResult& result) {
    const std::string bytes =
        read_all(result.changes.get(), k_max_changes, "the simulated changes");
    upgrade::services::FileChanges changes;
    try {
        changes = upgrade::services::decode(bytes);
        for (const auto& [path, change] : changes) upgrade::services::check_path(path);
    } catch (const std::exception& error) {
        throw Error(Failure::preparation,
                    std::string("the simulation's result is refused: ") + error.what());
    }
    for (const auto& [path, change] : changes) {
        const auto before = content_before(path);
        std::optional<std::string_view> old_text;
        std::optional<std::string_view> new_text;
        if (before) old_text = *before;
        if (change.content) new_text = *change.content;
        const std::string diff = upgrade::services::unified_diff(path, old_text, new_text);
        if (!diff.empty()) m_reporter.diff(m_redactor.mask(diff));
    }
    for (auto& [path, change] : changes) m_chain[path] = std::move(change);
    if (!m_overlay) m_overlay = make_memory_file("overlay");
    ::lseek(m_overlay.get(), 0, SEEK_END);
    write_all(m_overlay.get(), bytes, "the changes so far");
}

PhaseResult PhaseRunner::apply(const RunnableUpgrade& upgrade, Ledger& writer,
                               const std::string& run, const std::filesystem::path& log,
                               bool another_follows) {
    return retried(upgrade, &writer, [&] {
        PhaseRequest request = request_for(upgrade, HostPhase::apply);
        request.another_follows = another_follows;
        PhaseEvents events(upgrade, HostPhase::apply, writer, {&writer, run, log}, m_config,
                           m_options, m_redactor, m_reporter, m_terminal, m_clock);
        PhaseResult result = this->run(upgrade, request, events);
        tidy(request);
        return result;
    });
}

void PhaseRunner::tidy(const PhaseRequest& request) {
    if (request.write_paths.empty()) return;
    for (const std::filesystem::path& folder :
         {request.backup_folder, request.backup_folder.parent_path()}) {
        if (::rmdir(folder.c_str()) != 0) return;  // it holds something
    }
}

PhaseResult PhaseRunner::verify(const RunnableUpgrade& upgrade, Ledger* writer,
                                const std::string& run, const std::filesystem::path& log,
                                bool another_follows) {
    LedgerView& view = writer != nullptr ? *writer : m_ledger;
    return retried(upgrade, writer, [&] {
        PhaseRequest request = request_for(upgrade, HostPhase::verify);
        request.another_follows = another_follows;
        PhaseEvents events(upgrade, HostPhase::verify, view, {writer, run, log}, m_config,
                           m_options, m_redactor, m_reporter, m_terminal, m_clock);
        return this->run(upgrade, request, events);
    });
}

PhaseResult PhaseRunner::rollback(const RunnableUpgrade& upgrade, Ledger& writer,
                                  const std::string& run, const std::filesystem::path& log,
                                  bool force) {
    PhaseRequest request = request_for(upgrade, HostPhase::rollback);
    request.finished_steps = writer.finished_steps(upgrade.version);
    request.signals_before = m_signals.count();
    PhaseEvents events(upgrade, HostPhase::rollback, writer, {&writer, run, log, force}, m_config,
                       m_options, m_redactor, m_reporter, m_terminal, m_clock);
    PhaseResult result = this->run(upgrade, request, events);
    tidy(request);
    return result;
}

PhaseResult PhaseRunner::describe(const RunnableUpgrade& upgrade) {
    PhaseRequest request = request_for(upgrade, HostPhase::preflight);
    request.describe = true;
    request.manifest = nullptr;
    PhaseEvents events(upgrade, HostPhase::preflight, m_ledger, {}, m_config, m_options, m_redactor,
                       m_reporter, m_terminal, m_clock);
    return m_host.run(request, events);
}

}  // namespace runner
