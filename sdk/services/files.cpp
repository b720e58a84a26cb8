// SPDX-License-Identifier: Apache-2.0
#include "services/files.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "upgrade/abi.h"

namespace upgrade::services {
namespace {

/// The folder below which everything is that a pattern can name.
std::string fixed_folder(std::string_view pattern) {
    const std::size_t wild = pattern.find_first_of("*?[\\");
    return parent_of(std::string(pattern.substr(0, wild)));
}

std::vector<std::string> parts_of(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        parts.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(path.size(), end + 1));
    }
    return parts;
}

bool matches_name(const std::string& pattern, const std::string& name) {
    return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0;
}

}  // namespace

bool covers(const std::vector<std::string>& declared, std::string_view path) {
    return std::any_of(declared.begin(), declared.end(), [path](std::string_view allowed) {
        if (allowed == "." || allowed == path) return true;
        while (!allowed.empty() && allowed.back() == '/') allowed.remove_suffix(1);
        return path.size() > allowed.size() && path.substr(0, allowed.size()) == allowed &&
               path[allowed.size()] == '/';
    });
}

void check_may_write(std::string_view path, const std::vector<std::string>& declared,
                     const std::vector<std::string>& protected_paths) {
    if (!covers(declared, path))
        throw Refusal(UPGRADE_DENIED, "'" + std::string(path) +
                                          "' is outside the paths that the manifest declares "
                                          "(permissions.write)");
    if (covers(protected_paths, path))
        throw Refusal(
            UPGRADE_DENIED,
            "'" + std::string(path) + "' belongs to runner or to git, and no upgrade changes it");
}

bool matches(std::string_view pattern, std::string_view path) {
    const std::vector<std::string> names = parts_of(path);
    const std::vector<std::string> wanted = parts_of(pattern);
    // reached[n]: the parts of the pattern so far can stand for the first n names.
    std::vector<bool> reached(names.size() + 1, false);
    reached[0] = true;
    for (std::size_t part = 0; part < wanted.size(); ++part) {
        std::vector<bool> next(names.size() + 1, false);
        const bool any_folders = wanted[part] == "**";
        const bool is_last = part + 1 == wanted.size();
        if (any_folders && !is_last) next[0] = reached[0];
        for (std::size_t n = 1; n <= names.size(); ++n) {
            if (any_folders) {
                next[n] = reached[n - 1] || next[n - 1] || (reached[n] && !is_last);
            } else {
                next[n] = reached[n - 1] && matches_name(wanted[part], names[n - 1]);
            }
        }
        reached = std::move(next);
    }
    return reached.back();
}

RepositoryFiles::RepositoryFiles(std::string root, FileChanges base)
    : m_repository(std::move(root)), m_base(std::move(base)) {}

const FileChange* RepositoryFiles::own_change(const std::string& path) const {
    for (const FileChanges* changes : {&m_pending, &m_settled}) {
        if (const auto found = changes->find(path); found != changes->end()) return &found->second;
    }
    return nullptr;
}

const FileChange* RepositoryFiles::overlaid(const std::string& path) const {
    if (const FileChange* change = own_change(path)) return change;
    const auto found = m_base.find(path);
    return found == m_base.end() ? nullptr : &found->second;
}

bool RepositoryFiles::has_below(const FileChanges& changes, const std::string& folder) const {
    const std::string below = folder + '/';
    for (auto file = changes.lower_bound(below);
         file != changes.end() && file->first.compare(0, below.size(), below) == 0; ++file) {
        if (overlaid(file->first)->content) return true;
    }
    return false;
}

bool RepositoryFiles::is_emptied(const std::string& folder,
                                 const std::vector<const FileChanges*>& changes) const {
    const auto has_any = [](const FileChanges& layer, const std::string& above) {
        const auto file = layer.lower_bound(above + '/');
        return file != layer.end() && file->first.compare(0, above.size() + 1, above + '/') == 0;
    };
    bool removes_any = false;
    for (const FileChanges* layer : changes) {
        if (has_below(*layer, folder)) return false;
        removes_any = removes_any || has_any(*layer, folder);
    }
    const auto goes = [&](const std::string& path) {
        for (const FileChanges* layer : changes) {
            const auto change = layer->find(path);
            if (change != layer->end()) return !change->second.content;
            // An empty folder goes with a file that was in it.
            if (has_any(*layer, path)) return true;
        }
        return false;
    };
    return removes_any && m_repository.what_stays(folder, goes).empty();
}

PathStatus RepositoryFiles::look(std::string_view path_view) const {
    check_path(path_view);
    return m_repository.look(std::string(path_view));
}

PathKind RepositoryFiles::kind_beneath(const std::string& path) const {
    PathKind kind = PathKind::link;
    const auto changed = m_base.find(path);
    if (changed != m_base.end() && changed->second.content) {
        kind = PathKind::file;
    } else if (has_below(m_base, path)) {
        kind = PathKind::folder;
    } else if (changed != m_base.end()) {
        kind = PathKind::none;
    } else {
        try {
            kind = kind_of(m_repository.mode(path));
            if (kind == PathKind::folder && is_emptied(path, {&m_base})) kind = PathKind::none;
        } catch (const Refusal&) {  // it leads through a link
            found(path, kind);
            throw;
        }
    }
    found(path, kind);
    return kind;
}

std::string RepositoryFiles::read_beneath(const std::string& path) const {
    const auto changed = m_base.find(path);
    if (changed != m_base.end() && changed->second.content) return *changed->second.content;
    if (changed == m_base.end()) {
        try {
            return m_repository.read(path);
        } catch (const Refusal&) {
            if (m_witness != nullptr) kind_beneath(path);
            throw;
        }
    }
    kind_beneath(path);
    fail("read " + path, ENOENT);
}

FileChanges RepositoryFiles::changes() const {
    FileChanges all = m_settled;
    for (const auto& [path, change] : m_pending) all[path] = change;
    return all;
}

std::optional<std::string> RepositoryFiles::committed(const std::string& path) const {
    for (const FileChanges* changes : {&m_settled, &m_base}) {
        if (const auto found = changes->find(path); found != changes->end())
            return found->second.content;
    }
    const PathKind now = kind_of(m_repository.mode(path));
    if (now == PathKind::none) return std::nullopt;
    if (now == PathKind::folder && is_emptied(path, {&m_settled, &m_base})) return std::nullopt;
    return m_repository.read(path);
}

int RepositoryFiles::kind(std::string_view path_view) const {
    check_path(path_view);
    const std::string path(path_view);
    const FileChange* change = own_change(path);
    if (change != nullptr && change->content) return UPGRADE_FILE_REGULAR;
    if (has_below(m_pending, path) || has_below(m_settled, path)) return UPGRADE_FILE_FOLDER;
    if (change != nullptr) return UPGRADE_FILE_NONE;
    const PathKind kind = kind_beneath(path);
    if (kind == PathKind::file) return UPGRADE_FILE_REGULAR;
    const bool folder = kind == PathKind::folder && !is_emptied(path, {&m_settled, &m_base});
    return folder ? UPGRADE_FILE_FOLDER : UPGRADE_FILE_NONE;
}

std::string RepositoryFiles::read(std::string_view path_view) const {
    check_path(path_view);
    const std::string path(path_view);
    if (const FileChange* change = own_change(path)) {
        if (change->content) return *change->content;
        fail("read " + path, ENOENT);
    }
    std::string content = read_beneath(path);
    found(path, PathKind::file, &content);
    return content;
}

bool RepositoryFiles::is_file(const std::string& path) const {
    if (const FileChange* change = overlaid(path)) return change->content.has_value();
    return kind_of(m_repository.mode(path)) == PathKind::file;
}

void RepositoryFiles::refuse_below_a_file(const std::string& path) const {
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
        if (is_file(above))
            throw Refusal(UPGRADE_INVALID, "'" + path + "' cannot be written: '" + above +
                                               "' is a file, not a folder");
    }
}

void RepositoryFiles::write(std::string_view path, std::string_view content) {
    if (kind(path) == UPGRADE_FILE_FOLDER) {
        throw Refusal(UPGRADE_INVALID, "'" + std::string(path) + "' is a folder");
    }
    refuse_below_a_file(std::string(path));
    if (content.size() > k_max_file)
        throw Refusal(UPGRADE_INVALID, "'" + std::string(path) + "' would have " +
                                           std::to_string(content.size()) +
                                           " bytes; a file has at most 256 MiB");
    m_pending[std::string(path)].content = std::string(content);
}

void RepositoryFiles::remove(std::string_view path) {
    if (kind(path) != UPGRADE_FILE_REGULAR) fail("remove " + std::string(path), ENOENT);
    m_pending[std::string(path)] = {};
}

void RepositoryFiles::move(std::string_view from, std::string_view to) {
    const std::string content = read(from);
    if (kind(to) != UPGRADE_FILE_NONE) {
        throw Refusal(UPGRADE_INVALID, "'" + std::string(to) +
                                           "' is there already and is not overwritten by a move");
    }
    const std::string source = source_of(std::string(from));
    write(to, content);
    m_pending[std::string(to)].moved_from = source;
    remove(from);
}

std::string RepositoryFiles::source_of(const std::string& path) const {
    const auto change = m_pending.find(path);
    const bool moved = change != m_pending.end() && !change->second.moved_from.empty();
    return moved ? change->second.moved_from : path;
}

std::vector<std::string> RepositoryFiles::glob(std::string_view pattern) const {
    check_path(pattern);
    std::set<std::string> files;
    for (std::string& path : m_repository.list(fixed_folder(pattern))) {
        if (matches(pattern, path)) files.insert(std::move(path));
    }
    const auto lay = [&](const FileChanges& changes) {
        for (const auto& [path, change] : changes) {
            if (!change.content) {
                files.erase(path);
            } else if (matches(pattern, path)) {
                files.insert(path);
            }
        }
    };
    lay(m_base);
    if (m_witness != nullptr) m_witness->listed(std::string(pattern), {files.begin(), files.end()});
    lay(m_settled);
    lay(m_pending);
    return {files.begin(), files.end()};
}

void RepositoryFiles::set_pending(FileChanges changes) {
    for (const auto& [path, change] : changes) {
        check_path(path);
        if (!change.moved_from.empty()) check_path(change.moved_from);
    }
    m_pending = std::move(changes);
}

void RepositoryFiles::lay_over(const FileChanges& changes) {
    take_over(changes);
}

void RepositoryFiles::take_over(FileChanges changes) {
    for (auto& [path, change] : changes) {
        if (!change.content) continue;
        // Where it came from before all of them.
        const auto earlier = m_settled.find(change.moved_from.empty() ? path : change.moved_from);
        if (earlier != m_settled.end() && !earlier->second.moved_from.empty())
            change.moved_from = earlier->second.moved_from;
    }
    for (auto& [path, change] : changes) m_settled[path] = std::move(change);
}

void RepositoryFiles::settle(const std::function<void(const std::vector<ShownFile>&)>& shown) {
    std::vector<ShownFile> made;
    for (const auto& [path, change] : m_pending) {
        if (is_made(path, change))
            made.push_back({path, change.content ? &*change.content : nullptr});
    }
    if (!made.empty()) shown(made);
    take_over(std::exchange(m_pending, {}));
}

}  // namespace upgrade::services
