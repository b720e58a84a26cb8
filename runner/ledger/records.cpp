// SPDX-License-Identifier: Apache-2.0
#include "ledger/records.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace runner {

std::vector<Declaration> declarations_of(const Manifest& manifest) {
    std::vector<Declaration> declarations;
    for (const std::string& path : manifest.permissions.write)
        declarations.push_back({"write", path});
    for (const std::string& command : manifest.permissions.commands)
        declarations.push_back({"command", command});
    if (manifest.permissions.network) declarations.push_back({"network", ""});
    for (const Parameter& parameter : manifest.parameters)
        declarations.push_back({"parameter", parameter.name});
    return declarations;
}

std::string stored_scope(std::int32_t scope, const std::string& version) {
    return scope == 0 ? "upgrade:" + version : "cluster";
}

std::vector<FileIntent> undone_with(const std::vector<FileIntent>& changes,
                                    const std::string& step) {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const FileIntent& change : changes) {
        if (change.step == step) first = std::min(first, change.number);
    }
    std::vector<FileIntent> undone;
    for (const FileIntent& change : changes) {
        if (change.step == step || (change.step.empty() && change.number > first))
            undone.push_back(change);
    }
    return undone;
}

std::map<std::string, FileIntent> oldest_of_each(const std::vector<FileIntent>& changes) {
    std::map<std::string, FileIntent> oldest;
    for (const FileIntent& change : changes) oldest[change.path] = change;
    return oldest;
}

std::vector<UnfinishedFiles> by_version(std::vector<FileIntent> changes) {
    std::vector<UnfinishedFiles> all;
    for (FileIntent& change : changes) {
        if (all.empty() || all.back().version != change.version)
            all.push_back({change.version, {}});
        all.back().changes.push_back(std::move(change));
    }
    return all;
}

bool is_done(const LedgerFacts& facts, const std::string& version) {
    return std::any_of(facts.cluster.done.begin(), facts.cluster.done.end(),
                       [&](const DoneUpgrade& one) { return one.version == version; });
}

Settles settled_by(const std::optional<Outcome>& outcome) {
    if (!outcome) return Settles::nothing;
    switch (*outcome) {
        case Outcome::succeeded:
        case Outcome::nothing_to_do:
        case Outcome::rolled_back:
            return Settles::upgrade;
        case Outcome::blocked:
        case Outcome::skipped:
            return Settles::attempt;
        case Outcome::failed:
        case Outcome::rollback_failed:
        case Outcome::cancelled:
        case Outcome::interrupted:
        case Outcome::aborted:
            return Settles::nothing;
    }
    return Settles::nothing;
}

bool is_by_hand(std::string_view kind) {
    constexpr std::array<std::string_view, 10> k_kinds{
        "recorded", "forgotten", "skipped",  "unskipped",       "version_corrected",
        "locked",   "unlocked",  "imported", "digest_accepted", "repaired"};
    return std::find(k_kinds.begin(), k_kinds.end(), kind) != k_kinds.end();
}

}  // namespace runner
