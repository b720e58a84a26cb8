// SPDX-License-Identifier: Apache-2.0
#include "engine/hooks.hpp"

#include <filesystem>

#include "engine/documents.hpp"
#include "host/host.hpp"
#include "model/error.hpp"
#include "services/command.hpp"
#include "services/service_error.hpp"
#include "support/text.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

constexpr auto k_heartbeat_interval = std::chrono::seconds(5);

/// Pieces of output as lines.
class Lines {
 public:
    Lines(Reporter& reporter, std::int32_t level) : m_reporter(reporter), m_level(level) {}
    void push(std::string_view piece) {
        m_partial += piece;
        for (std::size_t end = 0; (end = m_partial.find('\n')) != std::string::npos;) {
            m_reporter.line(m_level, sanitize(std::string_view(m_partial).substr(0, end)));
            m_partial.erase(0, end + 1);
        }
    }
    void flush() {
        if (!m_partial.empty()) m_reporter.line(m_level, sanitize(m_partial));
        m_partial.clear();
    }

 private:
    Reporter& m_reporter;
    std::int32_t m_level;
    std::string m_partial;
};

}  // namespace

std::string Hooks::run(const char* name, const HookConfig& hook, const RunReport& report) {
    m_reporter.notice("hook " + std::string(name) + ": " + sanitize(join(hook.command, " ")));
    Lines output(m_reporter, UPGRADE_LOG_INFO);
    Lines errors(m_reporter, UPGRADE_LOG_INFO);
    upgrade::services::CommandSpec spec;
    spec.arguments = hook.command;
    spec.environment = plugin_environment(m_config.environment);
    spec.folder = std::filesystem::absolute(m_config.file).parent_path().string();
    spec.own_group = true;
    spec.input = dump_json({{"schemaVersion", 1},
                            {"hook", name},
                            {"cluster", m_config.name},
                            {"run", report.run},
                            {"result", upgrade_document(report)}}) +
                 '\n';
    spec.timeout = hook.timeout;
    spec.on_output = [&](std::string_view piece) { output.push(piece); };
    spec.on_error = [&](std::string_view piece) { errors.push(piece); };
    const int signals_before = m_signals.count();
    auto last_heartbeat = m_clock.steady();
    spec.cancelled = [&] {
        if (m_clock.steady() - last_heartbeat >= k_heartbeat_interval) {
            last_heartbeat = m_clock.steady();
            m_ledger.heartbeat();
        }
        return m_signals.count() > signals_before;
    };
    std::string problem;
    try {
        const int status = upgrade::services::run_command(spec);
        if (status != 0) problem = "it ended with exit status " + std::to_string(status);
    } catch (const upgrade::services::Refusal& refusal) {
        problem = refusal.what();
    } catch (const Error& error) {  // the heartbeat
        problem = error.what();
    }
    output.flush();
    errors.flush();
    return problem;
}

void Hooks::before(const RunReport& report) {
    for (const auto& [name, hook] : {std::pair("before", &m_config.hooks.before),
                                     std::pair("snapshot", &m_config.hooks.snapshot)}) {
        if (hook->command.empty()) continue;
        const std::string problem = run(name, *hook, report);
        if (problem.empty()) continue;
        throw Error(
            Failure::preparation,
            "the hook '" + std::string(name) + "' failed: " + problem + "; nothing was changed",
            "mend it, or take it out of 'hooks' in the config");
    }
}

void Hooks::after(RunReport& report) {
    const bool failed = report.error.has_value();
    // The user's own choice is no failure.
    if (report.outcome == Outcome::aborted || report.outcome == Outcome::nothing_to_do ||
        (report.outcome == Outcome::interrupted && report.error->changed == "no"))
        return;
    const char* name = failed ? "onFailure" : "after";
    const HookConfig& hook = failed ? m_config.hooks.on_failure : m_config.hooks.after;
    if (hook.command.empty()) return;
    const std::string problem = run(name, hook, report);
    if (problem.empty()) return;
    report.warnings.push_back("the hook '" + std::string(name) + "' failed: " + problem);
    m_reporter.warning(report.warnings.back());
}

}  // namespace runner
