// SPDX-License-Identifier: Apache-2.0
// The rules that every upgrade keeps (docs/writing-an-upgrade.md), proven from outside on the built
// plugin, in copies of a fixture.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/parameters.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"

namespace runner {

enum class RuleVerdict { kept, broken, not_judged };
const char* to_string(RuleVerdict verdict);

struct RuleResult {
    std::string rule;     ///< a stable name, such as `idempotent`
    std::string meaning;  ///< the rule, in one line
    RuleVerdict verdict = RuleVerdict::not_judged;
    std::string detail;  ///< what was seen, or why it was not judged
};

struct ConformanceRequest {
    std::filesystem::path plugin;
    std::filesystem::path fixture;  ///< what the repository holds before; empty: nothing
    std::string cluster_name = "demo";
    GivenParameters parameters;
};

/// Every rule with its verdict, always in the same order. The changing commands of the upgrade are
/// really run, with copies of the fixture as their working directory. Throws Error when the proof
/// itself cannot be made: no such file, a parameter without a value.
std::vector<RuleResult> prove_conformance(const ConformanceRequest& request,
                                          const StopSignals& signals, const Clock& clock);

}  // namespace runner
