// SPDX-License-Identifier: Apache-2.0
// What a ledger in SQLite answers, for those who look and for those who write.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/sqlite_ledger.hpp"

namespace runner {

/// The questions of `Base`, LedgerView or Ledger, each passed on to SqliteQueries. `Self` derives
/// from it, and its `answer(query)` says how: it returns query(SqliteQueries&).
template <typename Base, typename Self>
class SqliteReader : public Base {
 public:
    LedgerFacts facts() override { return ask(&SqliteQueries::facts); }
    std::vector<DoneRecord> done() override { return ask(&SqliteQueries::done); }
    std::optional<LeaseInfo> lease() override { return ask(&SqliteQueries::lease); }
    std::vector<RunRecord> runs(std::size_t limit, const std::string& upgrade) override {
        return ask(&SqliteQueries::runs, limit, upgrade);
    }
    std::optional<RunRecord> run(const std::string& id) override {
        return ask(&SqliteQueries::run, id);
    }
    std::vector<HandChange> changes_by_hand(std::size_t limit) override {
        return ask(&SqliteQueries::changes_by_hand, limit);
    }
    std::vector<RunTally> tallies() override { return ask(&SqliteQueries::tallies); }
    std::optional<Digest> pinned(const std::string& version, const std::string& platform) override {
        return ask(&SqliteQueries::pinned, version, platform);
    }
    std::optional<AttemptedManifest> manifest_of(const std::string& version) override {
        return ask(&SqliteQueries::manifest_of, version);
    }
    std::vector<std::string> finished_steps(const std::string& version) override {
        return ask(&SqliteQueries::finished_steps, version);
    }
    std::optional<std::string> state_value(std::int32_t scope, const std::string& version,
                                           const std::string& key) override {
        return ask(&SqliteQueries::state_value, scope, version, key);
    }
    std::vector<FileIntent> changed_files(const std::string& version) override {
        return ask(&SqliteQueries::changed_files, version);
    }
    std::vector<FileIntent> changed_later(const std::string& version) override {
        return ask(&SqliteQueries::changed_later, version);
    }
    std::vector<LeftFile> files_as_left() override { return ask(&SqliteQueries::files_as_left); }
    LedgerDump dump() override { return ask(&SqliteQueries::dump); }
    LooseEnds loose_ends() override { return ask(&SqliteQueries::loose_ends); }
    std::optional<std::int64_t> first_broken_event() override {
        return ask(&SqliteQueries::first_broken_event);
    }
    std::optional<std::string> plan_key() override { return ask(&SqliteQueries::plan_key); }

 private:
    template <typename Answer, typename... Parameters>
    Answer ask(Answer (SqliteQueries::*question)(Parameters...),
               const std::decay_t<Parameters>&... arguments) {
        return static_cast<Self*>(this)->answer(
            [&](SqliteQueries& queries) { return (queries.*question)(arguments...); });
    }
};

}  // namespace runner
