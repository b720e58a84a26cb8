// SPDX-License-Identifier: Apache-2.0
#include "cli/text_reporter.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "support/log.hpp"
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

std::string indented(const std::string& text, const std::string& by) {
    std::string result;
    for (const std::string_view line : split_lines(text)) {
        result += by;
        result += line;
        result += '\n';
    }
    return result;
}

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
    return sanitize(name) + (is_new ? " (new)" : "");
}

std::string all_marked(const PlannedUpgrade& upgrade, const std::string& kind,
                       const std::vector<std::string>& names) {
    std::vector<std::string> texts;
    for (const std::string& name : names) texts.push_back(marked(upgrade, kind, name));
    return join(texts, ", ");
}

std::string due_text(const PlannedUpgrade& upgrade) {
    const Manifest& manifest = upgrade.manifest;
    std::string text = "  " + upgrade.version + facts_of(upgrade) + '\n';
    if (!manifest.description.empty()) text += "      " + sanitize(manifest.description) + '\n';
    for (const std::string& change : manifest.changes) text += "      - " + sanitize(change) + '\n';
    if (upgrade.signer) {
        text += "      signed by " + upgrade.signer->key + " at " + sanitize(upgrade.signer->time) +
                '\n';
    }
    if (!manifest.permissions.write.empty())
        text += "      writes: " + all_marked(upgrade, "write", manifest.permissions.write) + '\n';
    if (!manifest.permissions.commands.empty()) {
        text +=
            "      runs: " + all_marked(upgrade, "command", manifest.permissions.commands) + '\n';
    }
    if (manifest.permissions.network)
        text += "      uses the network" + marked(upgrade, "network", "") + '\n';
    for (const Parameter& parameter : manifest.parameters) {
        text += "      parameter " + marked(upgrade, "parameter", parameter.name) +
                (parameter.required ? " (required)" : "") + ": " + sanitize(parameter.description) +
                '\n';
    }
    if (!upgrade.notes.empty()) text += indented(sanitize(upgrade.notes), "      | ");
    return text;
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

std::string other_text(const RunReport& report) {
    std::string text = report.other.empty() ? "" : "Not due:\n";
    for (const OtherEntry& other : report.other) {
        text += "  " + other.version + "  " + to_string(other.reason) +
                (other.detail.empty() ? "" : ": " + other.detail) + '\n';
    }
    return text;
}

std::string plan_text(const RunReport& report, bool with_other) {
    std::string text;
    if (report.due.empty() && rises_without_upgrade(report)) {
        text += "No upgrade is due; 'runner upgrade' would raise the version of the cluster '" +
                report.cluster + "' from " + report.cluster_version + " to " +
                report.final_version + ".\n";
    } else if (report.due.empty()) {
        text += "Nothing is due: the cluster '" + report.cluster + "' is at " +
                report.cluster_version + ", the target is " + report.target + ".\n";
    } else {
        text += (report.rollback ? counted(report.due.size(), "upgrade") + " to roll back"
                                 : "Found " + counted(report.due.size(), "applicable upgrade")) +
                " for the cluster '" + report.cluster + "' (" + versions_of(report) + "):\n";
        for (const PlannedUpgrade& upgrade : report.due) text += due_text(upgrade);
    }
    return with_other ? text + other_text(report) : text;
}

TextReporter::TextReporter(bool quiet)
    : m_quiet(quiet),
      m_out(OutputStyle::of(STDOUT_FILENO)),
      m_error(OutputStyle::of(STDERR_FILENO)) {}

std::string TextReporter::paint(const char* code, const std::string& text) const {
    return m_out.colour ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
}

void TextReporter::clear_progress() {
    if (!m_progress_shown) return;
    std::fputs("\r\x1b[K", stderr);
    m_progress_shown = false;
}

void TextReporter::say(const std::string& text) {
    if (m_quiet) return;
    clear_progress();
    std::fputs(text.c_str(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);  // live, through a pipe too
}

void TextReporter::warning(const std::string& text) {
    clear_progress();
    std::fflush(stdout);
    log_warning(text);
}

void TextReporter::notice(const std::string& text) {
    say("Note: " + text);
}

void TextReporter::planned(const RunReport& report) {
    if (!report.due.empty()) say(plan_text(report, false));
}

void TextReporter::fetching(std::uint64_t done, std::uint64_t total) {
    if (m_quiet || !m_error.terminal || total == 0) return;
    std::fprintf(stderr, "\rfetching %3d %%", static_cast<int>(done * 100 / std::max(done, total)));
    m_progress_shown = true;
}

void TextReporter::simulation_begins(std::size_t count) {
    say(paint(k_bold, "Simulating " + counted(count, "upgrade") + "; nothing is changed"));
}

void TextReporter::phase_begins(const std::string& version, HostPhase phase, std::size_t position,
                                std::size_t count) {
    m_phase = phase;
    const std::string verb = phase == HostPhase::simulate   ? "simulating "
                             : phase == HostPhase::rollback ? "rolling back "
                             : phase == HostPhase::verify   ? "checking "
                                                            : "running ";
    say(paint(k_cyan, "--- " + verb + version + " (" + std::to_string(position) + " of " +
                          std::to_string(count) + ") ---"));
}

void TextReporter::phase_ends(const std::string& version, HostPhase, const std::string& words,
                              bool good) {
    say(paint(good ? k_green : k_red, "--- " + version + ": " + words + " ---"));
}

void TextReporter::recorded(const std::string& version, Outcome outcome, bool done) {
    const bool good = outcome == Outcome::succeeded || outcome == Outcome::nothing_to_do;
    const std::string words = done                              ? "done"
                              : good                            ? "succeeded; not recorded as done"
                              : outcome == Outcome::rolled_back ? "rolled back"
                                                                : to_string(outcome);
    const bool well = good || outcome == Outcome::rolled_back;
    say(paint(well ? k_green : k_red, version + ": " + words));
}

void TextReporter::line(std::int32_t level, const std::string& text) {
    const char* code = level == UPGRADE_LOG_ERROR     ? k_red
                       : level == UPGRADE_LOG_WARNING ? k_yellow
                                                      : nullptr;
    const std::string prefix = level == UPGRADE_LOG_ERROR     ? "error: "
                               : level == UPGRADE_LOG_WARNING ? "warning: "
                                                              : "";
    say(code == nullptr ? "  " + text : paint(code, "  " + prefix + text));
}

void TextReporter::step(const std::string& id, const std::string& description, HostPhase) {
    say("  step " + id + (description.empty() ? "" : ": " + description));
}

void TextReporter::command_shown(const std::string& command) {
    say("  would run: " + command);
}

void TextReporter::diff(const std::string& text) {
    const std::string clean = sanitize(text);
    for (const std::string_view line : split_lines(clean)) {
        const bool heading = line.starts_with("--- ") || line.starts_with("+++ ");
        const char* code = heading                  ? k_bold
                           : line.starts_with("+")  ? k_green
                           : line.starts_with("-")  ? k_red
                           : line.starts_with("@@") ? k_cyan
                                                    : k_dim;
        say("  " + paint(code, std::string(line)));
    }
}

void TextReporter::progress(std::uint64_t done, std::uint64_t total, const std::string& message) {
    if (m_quiet || !m_error.terminal) return;
    clear_progress();
    const std::string amount =
        total == 0 ? std::to_string(done) : std::to_string(done) + " of " + std::to_string(total);
    std::fprintf(stderr, "\r  %s %s", amount.c_str(), message.c_str());
    m_progress_shown = true;
}

void TextReporter::applying_begins(std::size_t count) {
    say('\n' + paint(k_bold, "Running " + counted(count, "upgrade")));
}

void TextReporter::finished(const RunReport& report) {
    clear_progress();
    if (report.error) {
        std::fflush(stdout);
        for (const std::string_view text : split_lines(report.error->message))
            log_error(std::string(text));
        if (!report.error->next.empty())
            std::fprintf(stderr, "       %s\n", report.error->next.c_str());
        if (!report.error->commands.empty()) std::fputs("       By hand:\n", stderr);
        for (const std::string& command : report.error->commands)
            std::fprintf(stderr, "         %s\n", command.c_str());
        if (report.error->changed == "perhaps" && !report.cluster_version.empty()) {
            say("The cluster version is " + report.cluster_version + ".");
            if (!report.ledger_copy.empty())
                say("The ledger as it was before this run: " + report.ledger_copy);
        }
        return;
    }
    if (report.dry_run && !report.due.empty() && !report.cluster_version.empty()) {
        say(paint(k_bold, "This was a dry run: nothing was changed. The cluster version is still " +
                              report.cluster_version + "."));
    } else if (report.dry_run && rises_without_upgrade(report)) {
        say(paint(k_bold,
                  "This was a dry run: nothing was changed. No upgrade is due; the cluster "
                  "version would become " +
                      report.final_version + "."));
    } else if (!report.raised_from.empty()) {
        say(paint(k_bold, "No upgrade was due. The cluster version was raised from " +
                              report.raised_from + " to " + report.cluster_version + "."));
    } else if (report.outcome == Outcome::nothing_to_do && report.due.empty()) {
        say("Nothing to do." + (report.cluster_version.empty()
                                    ? ""
                                    : " The cluster version is " + report.cluster_version + "."));
    } else if (report.outcome == Outcome::rolled_back) {
        say(paint(k_bold,
                  "Rolled back. The cluster version is now " + report.cluster_version + "."));
    } else if (!report.cluster_version.empty() && report.final_version.empty()) {
        say(paint(k_bold, "Done. The cluster version is " + report.cluster_version + "."));
    } else if (!report.cluster_version.empty()) {
        say(paint(k_bold,
                  "Upgrade complete. The cluster version is now " + report.cluster_version + "."));
    } else {
        say(paint(k_bold, report.dry_run ? "This was a dry run: nothing was changed." : "Done."));
    }
}

}  // namespace runner
