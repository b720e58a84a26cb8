// SPDX-License-Identifier: Apache-2.0
#include "cli/text_reporter.hpp"

#include <unistd.h>

#include <algorithm>

#include "support/log.hpp"
#include "support/output.hpp"
#include "support/text.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

constexpr const char* k_bold = "1";
constexpr const char* k_red = "31";
constexpr const char* k_green = "32";
constexpr const char* k_yellow = "33";
constexpr const char* k_cyan = "36";
constexpr const char* k_dim = "2";

using Lines = std::vector<std::string>;

std::string facts_of(const PlannedUpgrade& upgrade) {
    std::vector<std::string> facts;
    if (upgrade.manifest.severity != Severity::routine)
        facts.emplace_back(to_string(upgrade.manifest.severity));
    if (upgrade.late) facts.emplace_back("late: not above the cluster version");
    if (upgrade.manifest.downtime) facts.emplace_back("downtime");
    if (!upgrade.manifest.declared) facts.emplace_back("undeclared");
    return facts.empty() ? "" : "  [" + join(facts, ", ") + "]";
}

/// The name, marked where no upgrade of this cluster had it before.
std::string marked(const PlannedUpgrade& upgrade, const std::string& kind,
                   const std::string& name) {
    const bool is_new =
        std::any_of(upgrade.news.begin(), upgrade.news.end(), [&](const Declaration& declaration) {
            return declaration.kind == kind && declaration.name == name;
        });
    return name + (is_new ? " (new)" : "");
}

std::string all_marked(const PlannedUpgrade& upgrade, const std::string& kind,
                       const std::vector<std::string>& names) {
    std::vector<std::string> texts;
    for (const std::string& name : names) texts.push_back(marked(upgrade, kind, name));
    return join(texts, ", ");
}

void add_due(const PlannedUpgrade& upgrade, Lines& lines) {
    const Manifest& manifest = upgrade.manifest;
    const auto add = [&lines](const std::string& text) { lines.push_back("      " + text); };
    lines.push_back("  " + upgrade.version + facts_of(upgrade));
    if (!manifest.description.empty()) add(manifest.description);
    for (const std::string& change : manifest.changes) add("- " + change);
    if (upgrade.signer) add("signed by " + upgrade.signer->key + " at " + upgrade.signer->time);
    if (!manifest.permissions.write.empty())
        add("writes: " + all_marked(upgrade, "write", manifest.permissions.write));
    if (!manifest.permissions.commands.empty())
        add("runs: " + all_marked(upgrade, "command", manifest.permissions.commands));
    if (manifest.permissions.network) add("uses the network" + marked(upgrade, "network", ""));
    for (const Parameter& parameter : manifest.parameters) {
        add("parameter " + marked(upgrade, "parameter", parameter.name) +
            (parameter.required ? " (required)" : "") + ": " + parameter.description);
    }
    for (const std::string_view note : split_lines(upgrade.notes)) add("| " + std::string(note));
}

/// Whether there is something to do although no upgrade is due.
bool rises_without_upgrade(const RunReport& report) {
    return report.due.empty() && !report.final_version.empty() &&
           report.final_version != report.cluster_version;
}

/// Where the cluster is, and where it will be.
std::string versions_of(const RunReport& report) {
    if (!report.final_version.empty())
        return report.cluster_version + " -> " + report.final_version;
    return "at " + (report.cluster_version.empty() ? "an unknown version" : report.cluster_version);
}

}  // namespace

std::vector<std::string> other_lines(const RunReport& report) {
    Lines lines;
    if (!report.other.empty()) lines.emplace_back("Not due:");
    for (const OtherEntry& other : report.other) {
        lines.push_back("  " + other.version + "  " + to_string(other.reason) +
                        (other.detail.empty() ? "" : ": " + other.detail));
    }
    return lines;
}

std::vector<std::string> plan_lines(const RunReport& report) {
    if (report.due.empty() && rises_without_upgrade(report))
        return {"No upgrade is due; 'runner upgrade' would raise the version of the cluster '" +
                report.cluster + "' from " + report.cluster_version + " to " +
                report.final_version + "."};
    if (report.due.empty())
        return {"Nothing is due: the cluster '" + report.cluster + "' is at " +
                report.cluster_version + ", the target is " + report.target + "."};
    Lines lines{(report.rollback ? counted(report.due.size(), "upgrade") + " to roll back"
                                 : "Found " + counted(report.due.size(), "applicable upgrade")) +
                " for the cluster '" + report.cluster + "' (" + versions_of(report) + "):"};
    for (const PlannedUpgrade& upgrade : report.due) add_due(upgrade, lines);
    return lines;
}

TextReporter::TextReporter(bool quiet)
    : m_quiet(quiet), m_colour(OutputStyle::of(STDOUT_FILENO).colour) {}

void TextReporter::say(const std::string& text, const char* colour, Tabs tabs) {
    if (!m_quiet) print_line(text, {m_colour ? colour : nullptr, tabs});
}

void TextReporter::warning(const std::string& text) {
    log_warning(text);
}

void TextReporter::notice(const std::string& text) {
    say("Note: " + text);
}

void TextReporter::planned(const RunReport& report) {
    if (report.due.empty()) return;
    for (const std::string& line : plan_lines(report)) say(line);
}

void TextReporter::fetching(std::uint64_t done, std::uint64_t total) {
    if (m_quiet || total == 0) return;
    show_progress("fetching " + std::to_string(done * 100 / std::max(done, total)) + " %");
}

void TextReporter::simulation_begins(std::size_t count) {
    say("Simulating " + counted(count, "upgrade") + "; nothing is changed", k_bold);
}

void TextReporter::phase_begins(const std::string& version, HostPhase phase, std::size_t position,
                                std::size_t count) {
    const std::string verb = phase == HostPhase::simulate   ? "simulating "
                             : phase == HostPhase::rollback ? "rolling back "
                             : phase == HostPhase::verify   ? "checking "
                                                            : "running ";
    say("--- " + verb + version + " (" + std::to_string(position) + " of " + std::to_string(count) +
            ") ---",
        k_cyan);
}

void TextReporter::phase_ends(const std::string& version, HostPhase, const std::string& words,
                              bool good) {
    say("--- " + version + ": " + words + " ---", good ? k_green : k_red);
}

void TextReporter::recorded(const std::string& version, Outcome outcome, bool done) {
    const bool good = outcome == Outcome::succeeded || outcome == Outcome::nothing_to_do;
    const std::string words = done                              ? "done"
                              : good                            ? "succeeded; not recorded as done"
                              : outcome == Outcome::rolled_back ? "rolled back"
                                                                : to_string(outcome);
    const bool well = good || outcome == Outcome::rolled_back;
    say(version + ": " + words, well ? k_green : k_red);
}

void TextReporter::line(std::int32_t level, const std::string& text) {
    const char* colour = level == UPGRADE_LOG_ERROR     ? k_red
                         : level == UPGRADE_LOG_WARNING ? k_yellow
                                                        : nullptr;
    const std::string prefix = level == UPGRADE_LOG_ERROR     ? "error: "
                               : level == UPGRADE_LOG_WARNING ? "warning: "
                                                              : "";
    say("  | " + prefix + text, colour, Tabs::kept);
}

void TextReporter::step(const std::string& id, const std::string& description, HostPhase) {
    say("  step " + id + (description.empty() ? "" : ": " + description));
}

void TextReporter::command_shown(const ToldCommand& command) {
    if (m_quiet) return;
    print_command("  would run: ", command.text);
    for (const std::string_view text : split_lines(command.input))
        say("    < " + std::string(text), k_dim, Tabs::kept);
    if (!command.input.empty() && command.input.back() != '\n')
        say("    \\ No newline at end of input", k_dim);
}

void TextReporter::command_begun(const ToldCommand& command) {
    if (!m_quiet) print_command("  run: ", command.text);
}

/// One file: two lines that name it, or one, and then its hunks. Their lines stand further right,
/// so that none of them can be taken for the name of another file.
void TextReporter::diff(const std::string& text) {
    std::size_t number = 0;
    bool in_hunks = false;
    for (const std::string_view line : split_lines(text)) {
        in_hunks = in_hunks || (++number > 1 && line.starts_with("@@"));
        const char* colour = !in_hunks                ? k_bold
                             : line.starts_with("+")  ? k_green
                             : line.starts_with("-")  ? k_red
                             : line.starts_with("@@") ? k_cyan
                                                      : k_dim;
        say((in_hunks ? "    " : "  ") + std::string(line), colour, Tabs::kept);
    }
}

void TextReporter::progress(std::uint64_t done, std::uint64_t total, const std::string& message) {
    if (m_quiet) return;
    const std::string amount =
        total == 0 ? std::to_string(done) : std::to_string(done) + " of " + std::to_string(total);
    show_progress("  " + amount + ' ' + message);
}

void TextReporter::applying_begins(std::size_t count) {
    say("");
    say("Running " + counted(count, "upgrade"), k_bold);
}

void TextReporter::finished(const RunReport& report) {
    if (report.error) {
        log_failure(report.error->message, report.error->next);
        if (!report.error->commands.empty()) print_error_line("       By hand:");
        for (const std::string& command : report.error->commands) {
            if (command.starts_with('#')) {
                print_error_comment("         ", command);
            } else {
                print_error_command("         ", command);
            }
        }
        if (report.error->changed == "perhaps" && !report.cluster_version.empty()) {
            say("The cluster version is " + report.cluster_version + ".");
            if (!report.ledger_copy.empty())
                say("The ledger as it was before this run: " + report.ledger_copy);
        }
        return;
    }
    if (report.dry_run && !report.due.empty() && !report.cluster_version.empty()) {
        say("This was a dry run: nothing was changed. The cluster version is still " +
                report.cluster_version + ".",
            k_bold);
    } else if (report.dry_run && rises_without_upgrade(report)) {
        say("This was a dry run: nothing was changed. No upgrade is due; the cluster "
            "version would become " +
                report.final_version + ".",
            k_bold);
    } else if (!report.raised_from.empty()) {
        say("No upgrade was due. The cluster version was raised from " + report.raised_from +
                " to " + report.cluster_version + ".",
            k_bold);
    } else if (report.outcome == Outcome::nothing_to_do && report.due.empty()) {
        say("Nothing to do." + (report.cluster_version.empty()
                                    ? ""
                                    : " The cluster version is " + report.cluster_version + "."));
    } else if (report.outcome == Outcome::rolled_back) {
        say("Rolled back. The cluster version is now " + report.cluster_version + ".", k_bold);
    } else if (!report.cluster_version.empty() && report.final_version.empty()) {
        say("Done. The cluster version is " + report.cluster_version + ".", k_bold);
    } else if (!report.cluster_version.empty()) {
        say("Upgrade complete. The cluster version is now " + report.cluster_version + ".", k_bold);
    } else {
        say(report.dry_run ? "This was a dry run: nothing was changed." : "Done.", k_bold);
    }
}

}  // namespace runner
