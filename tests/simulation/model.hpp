// SPDX-License-Identifier: Apache-2.0
// What must be true of a world whatever happens in it (ARCHITECTURE.md, "Invariants"), from its
// files, its commands and its ledger.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/engine_world.hpp"

namespace test {

/// Beside the world: what an observer who sees everything knows.
class Model {
 public:
    explicit Model(World& world) : m_world(world) {}

    /// A person has added this line.
    void person_wrote(const std::string& path, const std::string& line);
    /// Lines of people may be overwritten from now on: --force was given.
    void people_were_overruled() { m_by_people.clear(); }
    /// Something went wrong, so that a command may run once more.
    void disturbed() { ++m_disturbances; }
    /// A person has taken back, by hand, whatever there is of it.
    void took_back(const ScriptedUpgrade& upgrade);
    /// It was undone: what its commands did counts no more.
    void undone(const ScriptedUpgrade& upgrade);
    /// Whether a command of it that nothing undoes has run, though it is not done.
    [[nodiscard]] bool is_half_done(const ScriptedUpgrade& upgrade);

    /// Before an operation.
    void begin();
    /// After one that has lived: its exit code and whether it says that nothing was changed.
    void check_outcome(int exit_code, bool says_unchanged);
    /// Any time.
    void check_world();
    /// After an operation that must not change anything at all.
    void check_nothing_changed(const std::string& operation);

    /// What is wrong; empty: nothing.
    [[nodiscard]] const std::vector<std::string>& faults() const { return m_faults; }
    void fault(const std::string& text) { m_faults.push_back(text); }

    /// How often each line of the upgrade is in its file: all, none or some of them, at most once.
    enum class Presence { none, some, all, twice };
    [[nodiscard]] Presence presence(const ScriptedUpgrade& upgrade) const;

    /// Whether a person's change of a file of its unfinished step has made recovery leave it alone.
    [[nodiscard]] bool is_tainted(const std::string& version) const;

 private:
    struct Snapshot {
        Surroundings now;
        std::map<std::string, int> effects;
        std::vector<std::string> done;
        std::string version;
        std::size_t events = 0;
        bool unfinished = false;
    };
    [[nodiscard]] Snapshot snapshot();
    void check_upgrade(const ScriptedUpgrade& upgrade, const runner::LedgerFacts& facts);
    void check_commands(const ScriptedUpgrade& upgrade, bool done, bool open);
    void check_people();
    [[nodiscard]] std::string outcome_when_done(const std::string& version) const;

    World& m_world;
    Snapshot m_before;
    std::vector<std::pair<std::string, std::string>> m_by_people;
    std::set<std::string> m_tainted;
    int m_disturbances = 0;
    std::vector<std::string> m_faults;
};

}  // namespace test
