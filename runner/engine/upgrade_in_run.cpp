// SPDX-License-Identifier: Apache-2.0
#include "engine/upgrade_in_run.hpp"

#include "support/sha256.hpp"

namespace runner {
namespace {

/// Appends a text with its length, so that no two lists of texts look alike.
void append(std::string& bytes, const std::string& text) {
    bytes += std::to_string(text.size());
    bytes += ':';
    bytes += text;
}

std::string text_of(const std::optional<Digest>& digest) {
    return digest ? digest->to_string() : "";
}

}  // namespace

Digest ShownWork::digest() const {
    std::string bytes;
    for (const auto& [path, digest_before] : before) {
        append(bytes, path);
        append(bytes, text_of(digest_before));
    }
    for (const ShownChange& commit : commits) {
        append(bytes, commit.step);
        append(bytes, commit.path);
        append(bytes, text_of(commit.digest));
    }
    for (const std::string& command : commands) append(bytes, command);
    return sha256(bytes);
}

bool may_change_the_world(const UpgradeInRun& upgrade) {
    if (upgrade.verdict == Verdict::nothing_to_do || upgrade.verdict == Verdict::left_out)
        return false;
    const Permissions& permissions = upgrade.manifest().permissions;
    // What was not simulated yet has not shown its commands.
    const bool unseen = upgrade.verdict == Verdict::later && !permissions.commands.empty();
    return upgrade.form == UpgradeForm::executable || permissions.network || unseen ||
           !upgrade.shown.commands.empty();
}

}  // namespace runner
