// SPDX-License-Identifier: Apache-2.0
#include "ledger/records.hpp"

#include <algorithm>
#include <array>

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

bool is_settled(const std::optional<Outcome>& outcome) {
    if (!outcome) return false;
    switch (*outcome) {
        case Outcome::succeeded:
        case Outcome::nothing_to_do:
        case Outcome::rolled_back:
        case Outcome::blocked:
        case Outcome::skipped:
            return true;
        case Outcome::failed:
        case Outcome::rollback_failed:
        case Outcome::cancelled:
        case Outcome::interrupted:
        case Outcome::aborted:
            return false;
    }
    return false;
}

bool is_by_hand(std::string_view kind) {
    constexpr std::array<std::string_view, 10> k_kinds{
        "recorded", "forgotten", "skipped",  "unskipped",       "version_corrected",
        "locked",   "unlocked",  "imported", "digest_accepted", "repaired"};
    return std::find(k_kinds.begin(), k_kinds.end(), kind) != k_kinds.end();
}

}  // namespace runner
