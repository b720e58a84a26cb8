// SPDX-License-Identifier: Apache-2.0
// What the engine tells while it works, and the result at the end: data first, rendering elsewhere.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "ledger/records.hpp"
#include "model/manifest.hpp"
#include "plan/plan.hpp"
#include "releases/trust.hpp"

namespace runner {

/// What a saved plan pins of an upgrade beside its release: what somebody who reviews it has seen.
struct PinnedWork {
    std::string verdict;                        ///< ready, nothing_to_do or later
    std::map<std::string, std::string> values;  ///< of parameters; secrets as keyed digests
    std::map<std::string, std::string> files;   ///< the digest of each that its diff was made from
    std::string shown;                          ///< the digest of all that was shown
    bool operator==(const PinnedWork&) const = default;
};

/// A due upgrade with everything that is shown of it, and later how it ended.
struct PlannedUpgrade {
    std::string version;
    std::string tag;
    std::string digest;
    std::string notes;
    Manifest manifest;
    std::optional<Signer> signer;
    bool late = false;
    std::vector<Declaration> news;  ///< permissions and parameters that no upgrade had before
    std::optional<Outcome> outcome;
    std::string message;
    std::optional<PinnedWork> pinned;  ///< for a saved plan
};

struct OtherEntry {
    std::string version;
    Reason reason = Reason::done;
    std::string detail;
};

/// More files than these are not listed.
constexpr std::size_t k_max_listed_files = 1000;

/// What an upgrade that did not come to its end has left.
struct Changes {
    std::vector<std::string> files;     ///< relative to the repository directory
    std::vector<std::string> commands;  ///< changing commands that it has started, masked
    bool unknown_commands = false;      ///< an executable upgrade: nobody knows what it ran
};

struct RunError {
    std::string code;
    std::string message;
    std::string next;
    std::string changed = "no";           ///< no, perhaps, undone
    std::vector<std::string> commands{};  ///< the escape hatch: to finish or undo by hand
    Changes changes{};                    ///< of the upgrade that failed
};

/// What of a plan has to be confirmed by itself.
struct Risks {
    std::vector<std::string> downtime;  ///< the versions that cause it
    bool major_step = false;            ///< to another major version
};

/// The plan, and after a run its result.
struct RunReport {
    std::string run;  ///< empty when none was recorded
    std::string cluster;
    std::string target;
    std::string original_version;
    std::string cluster_version;
    std::string final_version;  ///< of the plan: where a complete run ends; empty: it moves none
    std::string raised_from;    ///< the version that was raised without an upgrade; empty: none
    std::string ledger_copy;    ///< the file with the ledger as it was before; empty: none
    bool dry_run = false;
    bool rollback = false;  ///< `due` is undone, not done
    std::vector<PlannedUpgrade> due;
    std::vector<OtherEntry> other;
    Risks risks;
    std::vector<std::string> warnings;
    std::optional<Outcome> outcome;
    std::optional<RunError> error;
    int exit_code = 0;
};

/// Of what is due; routine when nothing is.
inline Severity highest_severity(const RunReport& report) {
    Severity highest = Severity::routine;
    for (const PlannedUpgrade& upgrade : report.due)
        highest = std::max(highest, upgrade.manifest.severity);
    return highest;
}

/// A command that changes something, with its secrets masked.
struct ToldCommand {
    std::string text;                    ///< as a shell takes it
    std::vector<std::string> arguments;  ///< the program first
    std::string input{};                 ///< harmless lines; in a simulation
};

/// Hears what happens, in order. One call at a time, on the engine's thread.
class Reporter {
 public:
    virtual ~Reporter() = default;
    virtual void warning(const std::string& text) = 0;
    /// Something worth knowing that is no warning: a lease taken over, an interrupted run found.
    virtual void notice(const std::string& text) = 0;
    /// The recorded run `run` is in another state.
    virtual void moved(const std::string& run, RunState from, RunState to) = 0;
    virtual void planned(const RunReport& report) = 0;
    virtual void fetching(std::uint64_t done, std::uint64_t total) = 0;
    virtual void simulation_begins(std::size_t count) = 0;
    virtual void phase_begins(const std::string& version, HostPhase phase, std::size_t position,
                              std::size_t count) = 0;
    virtual void phase_ends(const std::string& version, HostPhase phase, const std::string& words,
                            bool good) = 0;
    /// How the attempt ended is in the ledger: from here on it is true whatever happens.
    /// `done`: it counts as done.
    virtual void recorded(const std::string& version, Outcome outcome, bool done) = 0;
    /// Lines of the upgrade, both what it logs and what it prints.
    virtual void line(std::int32_t level, const std::string& text) = 0;
    virtual void step(const std::string& id, const std::string& description, HostPhase phase) = 0;
    /// It would be run.
    virtual void command_shown(const ToldCommand& command) = 0;
    /// It is run now.
    virtual void command_begun(const ToldCommand& command) = 0;
    virtual void diff(const std::string& text) = 0;
    virtual void progress(std::uint64_t done, std::uint64_t total, const std::string& message) = 0;
    virtual void applying_begins(std::size_t count) = 0;
    virtual void finished(const RunReport& report) = 0;
};

/// Hears nothing; a base for those who want to hear a little.
class QuietReporter : public Reporter {
 public:
    void warning(const std::string&) override {}
    void notice(const std::string&) override {}
    void moved(const std::string&, RunState, RunState) override {}
    void planned(const RunReport&) override {}
    void fetching(std::uint64_t, std::uint64_t) override {}
    void simulation_begins(std::size_t) override {}
    void phase_begins(const std::string&, HostPhase, std::size_t, std::size_t) override {}
    void phase_ends(const std::string&, HostPhase, const std::string&, bool) override {}
    void recorded(const std::string&, Outcome, bool) override {}
    void line(std::int32_t, const std::string&) override {}
    void step(const std::string&, const std::string&, HostPhase) override {}
    void command_shown(const ToldCommand&) override {}
    void command_begun(const ToldCommand&) override {}
    void diff(const std::string&) override {}
    void progress(std::uint64_t, std::uint64_t, const std::string&) override {}
    void applying_begins(std::size_t) override {}
    void finished(const RunReport&) override {}
};

}  // namespace runner
