// SPDX-License-Identifier: Apache-2.0
// What a run tells, as JSON lines in a file, for those who follow it: --events.
#pragma once

#include <filesystem>

#include "engine/report.hpp"
#include "model/json.hpp"
#include "support/clock.hpp"
#include "support/redaction.hpp"
#include "support/unique_fd.hpp"

namespace runner {

/// Writes each event as one line, and hands it on. A line is written whole, at once; when that
/// fails, a warning says so once, and the run goes on without.
class EventReporter final : public Reporter {
 public:
    /// Appends to `file`, which is made when it is not there (a pipe or /dev/fd/N is as good).
    /// Throws Error{usage} when it cannot be written. `next`,
    /// `redactor` (of what is in the events) and `clock` must outlive it.
    EventReporter(const std::filesystem::path& file, Reporter& next, const Redactor& redactor,
                  const Clock& clock);

    void warning(const std::string& text) override;
    void notice(const std::string& text) override;
    void moved(const std::string& run, RunState from, RunState to) override;
    void planned(const RunReport& report) override;
    void fetching(std::uint64_t done, std::uint64_t total) override;
    void simulation_begins(std::size_t count) override;
    void phase_begins(const std::string& version, HostPhase phase, std::size_t position,
                      std::size_t count) override;
    void phase_ends(const std::string& version, HostPhase phase, const std::string& words,
                    bool good) override;
    void recorded(const std::string& version, Outcome outcome, bool done) override;
    void line(std::int32_t level, const std::string& text) override;
    void step(const std::string& id, const std::string& description, HostPhase phase) override;
    void command_shown(const ToldCommand& command) override;
    void command_begun(const ToldCommand& command) override;
    void diff(const std::string& text) override;
    void progress(std::uint64_t done, std::uint64_t total, const std::string& message) override;
    void applying_begins(std::size_t count) override;
    void finished(const RunReport& report) override;

 private:
    void write(const char* event, const Json& fields);

    UniqueFd m_file;
    Reporter& m_next;
    const Redactor& m_redactor;
    const Clock& m_clock;
    std::int64_t m_sequence = 0;
};

}  // namespace runner
