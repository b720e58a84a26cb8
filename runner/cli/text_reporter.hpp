// SPDX-License-Identifier: Apache-2.0
// The story of a run for people: on standard output, with warnings and progress on standard error.
#pragma once

#include <string>
#include <vector>

#include "engine/report.hpp"
#include "model/harmless.hpp"
#include "support/terminal.hpp"

namespace runner {

class TextReporter final : public Reporter {
 public:
    /// `quiet`: only warnings (JSON output keeps standard output for its document).
    explicit TextReporter(bool quiet);

    void warning(const std::string& text) override;
    void notice(const std::string& text) override;
    void moved(const std::string&, RunState, RunState) override {}
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
    void say(const std::string& text, const char* colour = nullptr, Tabs tabs = Tabs::escaped);

    bool m_quiet;
    bool m_colour;
};

/// What is not due, and why: lines; none when there is nothing.
std::vector<std::string> other_lines(const RunReport& report);

/// What is due, in lines.
std::vector<std::string> plan_lines(const RunReport& report);

}  // namespace runner
