// SPDX-License-Identifier: Apache-2.0
#include "engine/escape_hatch.hpp"

#include <map>

namespace runner {
namespace {

/// One word of a shell.
std::string quoted(const std::string& text) {
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

}  // namespace

std::vector<std::string> escape_hatch(LedgerView& ledger, const ClusterConfig& config,
                                      const std::string& version) {
    const std::string cluster = " -c " + quoted(config.file.string());
    std::vector<std::string> lines{
        "# what it printed",
        "runner logs " + version + cluster,
        ledger.finished_steps(version).empty() ? "# run it again, from its start"
                                               : "# go on after its last finished step",
        "runner upgrade" + cluster,
        "# finished by hand: count it as done",
        "runner state record " + version + " --reason 'finished by hand'" + cluster,
    };
    // Of several changes of a file the oldest has the original.
    std::map<std::string, FileIntent> oldest;
    for (const FileIntent& change : ledger.changed_files(version)) oldest[change.path] = change;
    if (!oldest.empty()) lines.emplace_back("# undo it by hand: its files, then its records");
    for (const auto& [path, change] : oldest) {
        const std::string file = quoted((config.repository_directory / path).string());
        lines.push_back(change.backup.empty() ? "rm -f " + file
                                              : "cp -p " + quoted(change.backup) + ' ' + file);
    }
    if (oldest.empty()) lines.emplace_back("# undone by hand: its records");
    lines.push_back("runner state forget " + version + " --reason 'undone by hand'" + cluster);
    return lines;
}

}  // namespace runner
