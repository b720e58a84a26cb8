// SPDX-License-Identifier: Apache-2.0
#include "engine/escape_hatch.hpp"

#include "engine/advice.hpp"
#include "engine/standing.hpp"
#include "engine/undo.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

using Lines = std::vector<std::string>;

/// First what runner can undo by itself, where there is something to undo: with nothing of it
/// there, `runner rollback` would undo another upgrade.
void add_rollback(Lines& lines, LedgerView& ledger, const UnsettledUpgrade* half,
                  const std::string& version, const std::string& cluster) {
    UpgradeInRun upgrade = from_ledger(version, "", "", "");
    if (half == nullptr || !recall_attempt(ledger, upgrade)) return;
    if (is_half_undone(*half)) {
        lines.emplace_back("# finish its undo, before which nothing else runs");
        lines.push_back("runner rollback" + cluster);
        return;
    }
    if (!is_half_applied(*half)) return;
    upgrade.undo_steps = can_undo_steps(upgrade, *half);
    const std::string reason = why_not_undoable(upgrade);
    if (reason.empty()) {
        lines.emplace_back("# undo it: its finished steps and its files");
        lines.push_back("runner rollback" + cluster);
    } else {
        lines.push_back("# 'runner rollback' cannot undo it: " + reason);
    }
}

/// A comment each: what has to be undone of them nobody but the author knows.
void add_commands(Lines& lines, const std::vector<std::string>& commands) {
    if (commands.empty()) return;
    lines.emplace_back("# undo by hand what these did, which it has run:");
    for (const std::string& command : commands) lines.push_back("#   " + command);
}

void add_files(Lines& lines, LedgerView& ledger, const ClusterConfig& config,
               const std::string& version) {
    const auto oldest = oldest_of_each(ledger.changed_files(version));
    lines.emplace_back(oldest.empty() ? "# undone by hand: its records"
                                      : "# undo it by hand: its files, then its records");
    for (const auto& [path, change] : oldest) {
        const std::string file = shell_quoted((config.repository_directory / path).string());
        lines.push_back(change.backup.empty()
                            ? "rm -f " + file
                            : "cp -p " + shell_quoted(change.backup) + ' ' + file);
    }
}

}  // namespace

std::vector<std::string> escape_hatch(LedgerView& ledger, const LedgerFacts& facts,
                                      const ClusterConfig& config, const std::string& version,
                                      const std::vector<std::string>& commands) {
    // What has come by a pipe has no name by which it would be found again.
    const std::string file = is_stream(config.file) ? std::string() : config.file.string();
    const std::string cluster = file.empty() ? "" : " -c " + shell_quoted(file);
    Lines lines;
    if (file.empty())
        lines.emplace_back("# the config came by a pipe: RUNNER_CLUSTER has to name it for these");
    lines.emplace_back("# what it printed");
    lines.push_back("runner logs " + version + cluster);
    const UnsettledUpgrade* half = unsettled_in(facts, version);
    add_rollback(lines, ledger, half, version, cluster);
    if (half == nullptr || !is_half_undone(*half)) {
        lines.emplace_back(ledger.finished_steps(version).empty()
                               ? "# run it again, from its start"
                               : "# go on after its last finished step");
        lines.push_back("runner upgrade" + cluster);
    }
    lines.emplace_back("# finished by hand: count it as done");
    lines.push_back(record_by_hand(version, "finished by hand", file));
    add_commands(lines, commands);
    add_files(lines, ledger, config, version);
    lines.push_back(forget_by_hand(version, "undone by hand", file));
    return lines;
}

}  // namespace runner
