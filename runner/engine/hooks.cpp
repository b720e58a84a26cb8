// SPDX-License-Identifier: Apache-2.0
#include "engine/hooks.hpp"

#include "engine/documents.hpp"
#include "engine/lease_holder.hpp"
#include "host/host.hpp"
#include "model/error.hpp"
#include "model/harmless.hpp"
#include "services/command.hpp"
#include "services/service_error.hpp"
#include "support/text.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

/// What a hook prints, in lines, without secrets.
class MaskedOutput {
 public:
    explicit MaskedOutput(const EngineParts& parts) : m_parts(parts), m_lines(parts.redactor) {}

    void push(std::string_view piece) {
        m_output.push(piece, [this](std::string_view line) { take(line); });
    }
    void end() {
        m_output.flush([this](std::string_view line) { take(line); });
        show(m_lines.flush());
    }

 private:
    void take(std::string_view line) { show(m_lines.push(UPGRADE_LOG_INFO, std::string(line))); }
    void show(const std::vector<LineRedactor::Line>& lines) {
        for (const auto& [level, text] : lines)
            m_parts.reporter.line(level, harmless(text, Tabs::kept));
    }

    const EngineParts& m_parts;
    LineRedactor m_lines;
    LineBuffer m_output;
};

}  // namespace

std::string Hooks::run(const char* name, const HookConfig& hook, const RunReport& report) {
    m_parts.reporter.notice("hook " + std::string(name) + ": " + shell_command(hook.command));
    MaskedOutput output(m_parts);
    MaskedOutput errors(m_parts);
    upgrade::services::CommandSpec spec;
    spec.arguments = hook.command;
    spec.environment = plugin_environment(m_parts.config.environment);
    spec.folder = m_parts.config.folder.string();
    spec.own_session = true;
    spec.input = dump_json({{"schemaVersion", 1},
                            {"hook", name},
                            {"cluster", m_parts.config.name},
                            {"run", report.run},
                            {"result", m_parts.redactor.mask_texts(upgrade_document(report))}}) +
                 '\n';
    spec.timeout = hook.timeout;
    spec.on_output = [&](std::string_view piece) { output.push(piece); };
    spec.on_error = [&](std::string_view piece) { errors.push(piece); };
    const int signals_before = m_parts.signals.count();
    Heart heart(m_parts.clock);
    spec.cancelled = [&] {
        heart.beat(m_ledger);
        return m_parts.signals.count() > signals_before;
    };
    std::string problem;
    try {
        const int status = m_parts.processes.run_program(spec);
        if (status != 0) problem = "it ended with exit status " + std::to_string(status);
    } catch (const upgrade::services::Refusal& refusal) {
        problem = refusal.what();
    } catch (const Error& error) {  // the heartbeat
        problem = error.what();
    }
    output.end();
    errors.end();
    return problem;
}

void Hooks::before(const RunReport& report) {
    for (const auto& [name, hook] : {std::pair("before", &m_parts.config.hooks.before),
                                     std::pair("snapshot", &m_parts.config.hooks.snapshot)}) {
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
    // The user's own choice, with nothing changed, is no failure.
    const bool chosen = report.outcome == Outcome::interrupted && report.error->changed == "no";
    const bool failed = report.error.has_value() && !chosen;
    const char* name = failed ? "onFailure" : "after";
    const HookConfig& hook = failed ? m_parts.config.hooks.on_failure : m_parts.config.hooks.after;
    if (hook.command.empty()) return;
    const std::string problem = run(name, hook, report);
    if (problem.empty()) return;
    report.warnings.push_back("the hook '" + std::string(name) + "' failed: " + problem);
    m_parts.reporter.warning(report.warnings.back());
}

}  // namespace runner
