// SPDX-License-Identifier: Apache-2.0
#include "testing/harness.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "services/diff.hpp"

namespace upgrade::testing {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void spill(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    stream << content;
    if (!stream.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::string joined(const std::vector<std::string>& arguments) {
    std::string line;
    for (const std::string& argument : arguments) line += (line.empty() ? "" : " ") + argument;
    return line;
}

std::optional<std::string> copy_of(const std::string* content) {
    return content == nullptr ? std::nullopt : std::optional<std::string>(*content);
}

}  // namespace

Harness::Harness() {
    std::string folder = (fs::temp_directory_path() / "upgrade-test-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("cannot make " + folder);
    m_folder = folder;
    m_repository = folder + "/repository";
    fs::create_directories(m_repository);
    fs::create_directories(m_folder + "/bin");
    const char* path = std::getenv("PATH");
    m_old_path = path == nullptr ? "" : path;
    ::setenv("PATH", (m_folder + "/bin:" + m_old_path).c_str(), 1);
}

Harness::~Harness() {
    ::setenv("PATH", m_old_path.c_str(), 1);
    std::error_code ignored;
    fs::remove_all(m_folder, ignored);
}

void Harness::copy_from(const std::string& folder) {
    fs::copy(folder, m_repository, fs::copy_options::recursive);
}

void Harness::write(const std::string& path, const std::string& content) {
    spill(m_repository + '/' + path, content);
}

std::string Harness::read(const std::string& path) const {
    return slurp(m_repository + '/' + path);
}

bool Harness::exists(const std::string& path) const {
    return fs::exists(m_repository + '/' + path);
}

std::map<std::string, std::string> Harness::snapshot() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(m_repository)) {
        if (entry.is_regular_file())
            files[fs::relative(entry.path(), m_repository).string()] = slurp(entry.path());
    }
    return files;
}

void Harness::parameter(const std::string& name, std::optional<std::string> value) {
    m_parameters[name] = std::move(value);
}

void Harness::can_command(const std::string& name, const std::string& output, int exit_status) {
    const std::string stem = m_folder + "/bin/" + name;
    spill(stem + ".output", output);
    spill(stem + ".status", std::to_string(exit_status));
    install_command(stem);
}

void Harness::can_command_with(const std::string& name, const std::string& arguments,
                               const std::string& output, int exit_status) {
    const std::string stem = m_folder + "/bin/" + name;
    const std::string answer = stem + ".answers/" + std::to_string(++m_answers);
    spill(answer + ".arguments", arguments);
    spill(answer + ".output", output);
    spill(answer + ".status", std::to_string(exit_status));
    if (!fs::exists(stem + ".status")) can_command(name, "", 127);
}

void Harness::install_command(const std::string& stem) {
    spill(stem, "#!/bin/sh\nstem='" + stem +
                    "'\n"
                    "echo \"$*\" >> \"$stem.calls\"\n"
                    "for answer in \"$stem.answers\"/*.arguments; do\n"
                    "  [ -e \"$answer\" ] && [ \"$*\" = \"$(cat \"$answer\")\" ] &&\n"
                    "    stem=${answer%.arguments}\n"
                    "done\n"
                    "cat \"$stem.output\"\nexit \"$(cat \"$stem.status\")\"\n");
    fs::permissions(stem, fs::perms::owner_all);
}

std::vector<std::string> Harness::calls(const std::string& name) const {
    std::vector<std::string> lines;
    std::ifstream stream(m_folder + "/bin/" + name + ".calls");
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::optional<std::string> Harness::state_value(const std::string& key) const {
    const auto found = m_values.find({UPGRADE_SCOPE_UPGRADE, key});
    return found == m_values.end() ? std::nullopt : std::optional<std::string>(found->second);
}

services::SessionOptions Harness::options(services::Phase phase) {
    fs::current_path(m_repository);
    m_shown.clear();
    m_begun.clear();
    m_committed.clear();
    m_phase = phase;
    services::SessionOptions options;
    options.phase = phase;
    options.repository = m_repository;
    options.write_paths = m_write_paths;
    options.commands = m_commands;
    options.info = m_info;
    options.parameters = m_parameters;
    return options;
}

void Harness::finish(services::Phase phase, services::Session& session, std::int32_t status,
                     PhaseResult& result) {
    if (status == UPGRADE_OK) {
        try {
            for (auto& [key, value] : session.complete()) {
                if (phase == services::Phase::apply) m_values[key] = value;
            }
        } catch (const std::exception& error) {
            status = UPGRADE_FAILED;
            session.report_error(error.what(), "");
        }
    }
    result.status = status;
    result.message = session.report().message;
    result.remedy = session.report().remedy;
    if (phase == services::Phase::simulate) result.changes = session.changes();
    if (phase == services::Phase::simulate_rollback) result.changes = contents_of(m_originals);
    for (const auto& [path, change] : result.changes) {
        std::optional<std::string> before;
        if (exists(path)) before = read(path);
        result.diff += services::unified_diff(path, {before}, {change.content});
    }
    result.shown_commands = m_shown;
    result.renders = session.renders();
    result.begun_commands = m_begun;
    result.committed = m_committed;
}

std::vector<Harness::Original> Harness::take_undone_with(const std::string& step,
                                                         std::vector<Original>& originals) {
    const auto first =
        std::find_if(originals.begin(), originals.end(),
                     [&](const Original& original) { return original.step == step; });
    const auto undone = std::stable_partition(first, originals.end(), [&](const Original& one) {
        return one.step != step && !one.step.empty();
    });
    std::vector<Original> taken(undone, originals.end());
    originals.erase(undone, originals.end());
    return taken;
}

services::FileChanges Harness::contents_of(const std::vector<Original>& originals) {
    services::FileChanges files;
    // The oldest change of a path knows what it was before.
    for (auto original = originals.rbegin(); original != originals.rend(); ++original)
        files[original->path].content = original->content;
    return files;
}

void Harness::make(const services::FileChanges& changes) {
    for (const auto& [path, change] : changes) {
        if (change.content) {
            write(path, *change.content);
        } else {
            fs::remove(m_repository + '/' + path);
        }
    }
}

void Harness::restore_files() {
    make(contents_of(m_originals));
    m_originals.clear();
}

void Harness::log(std::int32_t, std::string_view text) {
    m_log.emplace_back(text);
}

void Harness::command_shown(const std::vector<std::string>& arguments, std::string_view) {
    m_shown.push_back(joined(arguments));
}

void Harness::command_begun(const std::vector<std::string>& arguments,
                            const std::vector<services::TextRanges>&) {
    m_begun.push_back(joined(arguments));
}

bool Harness::step_is_finished(const std::string& id) {
    return std::find(m_finished.begin(), m_finished.end(), id) != m_finished.end();
}

void Harness::commit(const std::string& step, services::RepositoryFiles& files,
                     const std::set<std::string>& rendered) {
    const auto recorded = [&](const std::vector<services::PreparedChange>& changes) {
        for (const services::PreparedChange& change : changes) {
            m_committed.push_back(
                {step, change.path, copy_of(change.content), rendered.count(change.path) != 0});
            m_originals.push_back({step, change.path,
                                   change.backup.empty()
                                       ? std::nullopt
                                       : std::optional<std::string>(read(change.path))});
        }
    };
    files.commit(m_folder + "/originals/" + std::to_string(m_commits++), recorded);
}

void Harness::files_shown(const std::string& step,
                          const std::vector<services::ShownFile>& changes) {
    for (const services::ShownFile& change : changes)
        m_committed.push_back({step, change.path, copy_of(change.content), false});
}

void Harness::step_finished(const std::string& id, const services::StateValues& values) {
    m_finished.push_back(id);
    for (const auto& [key, value] : values) m_values[key] = value;
    if (m_die_after == id) {
        m_die_after.clear();
        throw services::Refusal(UPGRADE_CANCELLED, "the run died after step " + id);
    }
}

services::FileChanges Harness::step_undone(const std::string& id, const services::StateValues&) {
    if (m_phase == services::Phase::simulate_rollback) {
        std::vector<Original> originals = m_originals;
        return contents_of(take_undone_with(id, originals));
    }
    m_finished.erase(std::remove(m_finished.begin(), m_finished.end(), id), m_finished.end());
    make(contents_of(take_undone_with(id, m_originals)));
    return {};
}

std::optional<std::string> Harness::state(std::int32_t scope, const std::string& key) {
    const auto found = m_values.find({scope, key});
    return found == m_values.end() ? std::nullopt : std::optional<std::string>(found->second);
}

}  // namespace upgrade::testing
