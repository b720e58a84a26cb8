// SPDX-License-Identifier: Apache-2.0
// What people say yes to before anything is changed.
#pragma once

#include <string>
#include <vector>

#include "engine/planning.hpp"
#include "support/stop_signals.hpp"
#include "support/terminal.hpp"

namespace runner {

/// Asks `question`, and returns when the answer means yes. Throws Interrupted when a stop signal
/// came, Error{declined} otherwise.
void confirm(Terminal& terminal, const StopSignals& signals, const std::string& question);

/// What is asked by itself, because neither --yes nor the first yes covers it: downtime, and a step
/// to another major version.
class Risks {
 public:
    /// Of a plan whose manifests are loaded; the flags: the user has said already that it is meant.
    Risks(const PreparedPlan& prepared, bool downtime_confirmed, bool major_confirmed);
    /// For a run that asks nobody. Throws Error{preparation} that names the missing options.
    void require_confirmed() const;
    /// What there is left to say yes to, a sentence each.
    [[nodiscard]] std::vector<std::string> sentences() const;

 private:
    std::string m_downtime;  ///< the versions that cause it; empty: none, or confirmed
    std::string m_major;     ///< "FROM to another major version, TO"; empty: none, or confirmed
};

}  // namespace runner
