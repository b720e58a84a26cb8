// SPDX-License-Identifier: Apache-2.0
#include "cli/event_reporter.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/documents.hpp"
#include "model/error.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

const char* level_name(std::int32_t level) {
    switch (level) {
        case UPGRADE_LOG_DEBUG:
            return "debug";
        case UPGRADE_LOG_WARNING:
            return "warning";
        case UPGRADE_LOG_ERROR:
            return "error";
        default:
            return "info";
    }
}

}  // namespace

EventReporter::EventReporter(const std::filesystem::path& file, Reporter& next,
                             const Redactor& redactor, const Clock& clock)
    : m_file(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)),
      m_next(next),
      m_redactor(redactor),
      m_clock(clock) {
    if (!m_file)
        throw Error(Failure::usage,
                    "--events " + file.string() + ": cannot be written: " + std::strerror(errno));
}

void EventReporter::write(const char* event, const Json& fields) {
    if (!m_file) return;
    Json line = {{"seq", ++m_sequence}, {"at", format_time(m_clock.wall())}, {"event", event}};
    line.update(m_redactor.mask_texts(fields));
    const std::string text = dump_json(line) + '\n';
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t count = ::write(m_file.get(), text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            const int error = errno;
            m_file.reset();
            m_next.warning(std::string("no more events are written: ") + std::strerror(error));
            return;
        }
        done += static_cast<std::size_t>(count);
    }
}

void EventReporter::warning(const std::string& text) {
    write("warning", {{"text", text}});
    m_next.warning(text);
}
void EventReporter::notice(const std::string& text) {
    write("notice", {{"text", text}});
    m_next.notice(text);
}
void EventReporter::moved(const std::string& run, RunState from, RunState to) {
    write("state", {{"run", run}, {"from", to_string(from)}, {"to", to_string(to)}});
    m_next.moved(run, from, to);
}
void EventReporter::planned(const RunReport& report) {
    write("planned", {{"plan", plan_document(report)}});
    m_next.planned(report);
}
void EventReporter::fetching(std::uint64_t done, std::uint64_t total) {
    write("fetching", {{"done", done}, {"total", total}});
    m_next.fetching(done, total);
}
void EventReporter::simulation_begins(std::size_t count) {
    write("simulating", {{"count", count}});
    m_next.simulation_begins(count);
}
void EventReporter::phase_begins(const std::string& version, HostPhase phase, std::size_t position,
                                 std::size_t count) {
    write("phaseBegan", {{"version", version},
                         {"phase", to_string(phase)},
                         {"position", position},
                         {"count", count}});
    m_next.phase_begins(version, phase, position, count);
}
void EventReporter::phase_ends(const std::string& version, HostPhase phase,
                               const std::string& words, bool good) {
    write("phaseEnded",
          {{"version", version}, {"phase", to_string(phase)}, {"message", words}, {"good", good}});
    m_next.phase_ends(version, phase, words, good);
}
void EventReporter::recorded(const std::string& version, Outcome outcome, bool done) {
    write("recorded", {{"version", version}, {"outcome", to_string(outcome)}, {"done", done}});
    m_next.recorded(version, outcome, done);
}
void EventReporter::line(std::int32_t level, const std::string& text) {
    write("line", {{"level", level_name(level)}, {"text", text}});
    m_next.line(level, text);
}
void EventReporter::step(const std::string& id, const std::string& description, HostPhase phase) {
    write("step", {{"id", id}, {"description", description}, {"phase", to_string(phase)}});
    m_next.step(id, description, phase);
}
void EventReporter::command_shown(const ToldCommand& command) {
    Json fields = {{"command", command.text}, {"argv", command.arguments}};
    if (!command.input.empty()) fields["input"] = command.input;
    write("command", fields);
    m_next.command_shown(command);
}
void EventReporter::command_begun(const ToldCommand& command) {
    write("commandBegan", {{"command", command.text}, {"argv", command.arguments}});
    m_next.command_begun(command);
}
void EventReporter::diff(const std::string& text) {
    write("diff", {{"diff", text}});
    m_next.diff(text);
}
void EventReporter::progress(std::uint64_t done, std::uint64_t total, const std::string& message) {
    write("progress", {{"done", done}, {"total", total}, {"message", message}});
    m_next.progress(done, total, message);
}
void EventReporter::applying_begins(std::size_t count) {
    write("applying", {{"count", count}});
    m_next.applying_begins(count);
}
void EventReporter::finished(const RunReport& report) {
    write("finished", {{"result", upgrade_document(report)}, {"exitCode", report.exit_code}});
    m_next.finished(report);
}

}  // namespace runner
