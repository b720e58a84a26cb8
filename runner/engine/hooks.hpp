// SPDX-License-Identifier: Apache-2.0
// The programs beside a run that the cluster config names: before, snapshot, after, onFailure.
#pragma once

#include <string>

#include "engine/parts.hpp"
#include "engine/report.hpp"
#include "ledger/ledger.hpp"

namespace runner {

/// Each program runs in the config's folder, with the environment that upgrades get, and one JSON
/// document on its standard input: `hook`, and the plan or result as `result`. Its output is part
/// of the run's. It ends with its time limit, or with the next stop signal, and all it has started
/// with it.
class Hooks {
 public:
    /// All must outlive it; `ledger` gets heartbeats meanwhile.
    Hooks(const EngineParts& parts, Ledger& ledger) : m_parts(parts), m_ledger(ledger) {}

    /// `before`, then `snapshot`. Throws Error{preparation} when one fails.
    void before(const RunReport& report);
    /// `after` or `onFailure`, by what the report says: once for each run that has called
    /// `before`, whatever became of it. A failure is a warning, and added to the report.
    void after(RunReport& report);

 private:
    /// What went wrong; empty: nothing.
    std::string run(const char* name, const HookConfig& hook, const RunReport& report);

    const EngineParts& m_parts;
    Ledger& m_ledger;
};

}  // namespace runner
