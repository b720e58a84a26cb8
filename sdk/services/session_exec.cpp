// SPDX-License-Identifier: Apache-2.0
// The service exec/1: what is run, what is only shown, and what becomes of what a program prints.
#include <algorithm>

#include "services/command.hpp"
#include "services/service_error.hpp"
#include "services/session.hpp"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_output = 64U << 20U;

std::string_view view(upgrade_string text) {
    return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

void give(upgrade_sink sink, std::string_view text) {
    if (sink.write != nullptr) sink.write(sink.context, {text.data(), text.size()});
}

std::string shown(const std::vector<std::string>& arguments) {
    std::string line;
    for (const std::string& argument : arguments) line += (line.empty() ? "" : " ") + argument;
    return line;
}

/// Cuts a stream into lines for the log.
class LineLog {
 public:
    explicit LineLog(Backend& backend) : m_backend(backend) {}
    ~LineLog() {
        try {
            if (!m_partial.empty()) m_backend.log(UPGRADE_LOG_INFO, m_partial);
        } catch (...) {  // the line is lost; a destructor does not throw
        }
    }
    LineLog(const LineLog&) = delete;
    LineLog& operator=(const LineLog&) = delete;
    void add(std::string_view piece) {
        m_partial += piece;
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = m_partial.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            m_backend.log(UPGRADE_LOG_INFO, std::string_view(m_partial).substr(begin, end - begin));
        }
        m_partial.erase(0, begin);
    }

 private:
    Backend& m_backend;
    std::string m_partial;
};

/// Its arguments. Throws Refusal when it is none.
std::vector<std::string> arguments_of(const upgrade_command& command) {
    std::vector<std::string> arguments;
    for (std::size_t i = 0; i < command.argument_count; ++i) {
        arguments.emplace_back(view(command.arguments[i]));
        if (arguments.back().find('\0') != std::string::npos)
            throw Refusal(UPGRADE_INVALID, "a command's argument holds a zero byte");
    }
    if (arguments.empty()) throw Refusal(UPGRADE_INVALID, "a command without a program");
    return arguments;
}

}  // namespace

void Session::begin(const std::vector<std::string>& arguments) {
    std::vector<TextRanges> learned;
    for (const std::string& argument : arguments) learned.push_back(m_learned.in(argument));
    m_backend.command_begun(arguments, learned);
    m_options.after_effects = true;
}

std::int32_t Session::run(const upgrade_command& command, upgrade_sink output) {
    CommandSpec spec;
    spec.arguments = arguments_of(command);
    const std::string& program = spec.arguments.front();
    const bool declared =
        std::any_of(m_options.commands.begin(), m_options.commands.end(),
                    [&](const std::string& name) { return name == "*" || name == program; });
    if (!declared) {
        throw Refusal(UPGRADE_DENIED, "'" + program +
                                          "' is not among the commands that the manifest declares "
                                          "(permissions.commands)");
    }
    if (command.kind != UPGRADE_EXEC_QUERY) {
        if (command.kind != UPGRADE_EXEC_CHANGE && command.kind != UPGRADE_EXEC_RENDER)
            throw Refusal(UPGRADE_INVALID, "a command of an unknown kind");
        if (!may_change())
            throw Refusal(UPGRADE_DENIED, "'" + shown(spec.arguments) +
                                              "' would change something in "
                                              "preflight or verify");
        if (m_walking) return 0;
        if (is_simulation()) {
            m_backend.command_shown(spec.arguments, view(command.input));
            if (command.kind == UPGRADE_EXEC_RENDER) {
                ++m_renders;
                if (m_asked_for.empty()) ++m_blind_renders;
            }
            m_asked_for.clear();
            return 0;
        }
        begin(spec.arguments);
    }
    spec.input = view(command.input);
    spec.timeout = std::chrono::milliseconds(command.timeout_ms);
    spec.cancelled = [this] { return m_backend.cancelled(); };
    spec.wake = m_backend.wake_descriptor();
    LineLog lines(m_backend);
    std::string learned;
    std::size_t total = 0;
    const bool renders = command.kind == UPGRADE_EXEC_RENDER;
    std::string rendered;
    const bool learns = is_real() && m_options.after_effects && output.write != nullptr;
    const bool wanted = output.write != nullptr && command.kind != UPGRADE_EXEC_CHANGE;
    spec.on_output = [&](std::string_view piece) {
        total += piece.size();
        if (total > k_max_output)
            throw Refusal(UPGRADE_FAILED, "'" + program + "' wrote more than 64 MiB");
        if (output.write != nullptr) give(output, piece);
        if (renders) rendered += piece;
        if (learns) learned += piece;
        if (!wanted) lines.add(piece);
    };
    spec.on_error = [&](std::string_view piece) { lines.add(piece); };
    const std::int32_t exit_status = run_command(spec);
    m_command_signal = exit_status > k_ended_by_signal ? exit_status - k_ended_by_signal : 0;
    m_learned.add(learned);
    if (renders && output.write != nullptr && total == 0) give(output, {});
    if (renders && exit_status == 0) m_rendered.insert(std::move(rendered));
    return exit_status;
}

}  // namespace upgrade::services
