// SPDX-License-Identifier: Apache-2.0
#include "engine/work_tree.hpp"

#include <time.h>

#include <set>

#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "support/sha256.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

namespace fs = std::filesystem;

using upgrade::services::PathKind;
using upgrade::services::Refusal;
using upgrade::services::Repository;

/// What the services refuse, in the engine's words.
template <typename Work>
auto translated(Work work) {
    try {
        return work();
    } catch (const Refusal& refusal) {
        throw Error(Failure::preparation, refusal.what());
    }
}

/// Absolute, without a slash at its end.
fs::path plain_path(const fs::path& path) {
    const fs::path plain = fs::absolute(path).lexically_normal();
    return plain.has_filename() ? plain : plain.parent_path();
}

/// Through all links, as far as it is there. Throws Error{preparation}.
fs::path real_path(const fs::path& path) {
    std::error_code problem;
    fs::path real = fs::weakly_canonical(plain_path(path), problem);
    // What is opened, but has no place, is a pipe that is named by its descriptor.
    if (problem == std::errc::no_such_file_or_directory) return plain_path(path);
    if (problem)
        throw Error(Failure::preparation,
                    "cannot find where " + path.string() + " lies: " + problem.message());
    return real;
}

}  // namespace

const Digest& digest_of_no_file() {
    static const Digest digest = sha256("what is there is no file");
    return digest;
}

std::optional<Digest> WorkTree::digest(const std::string& path) {
    return state(path).digest;
}

FileState WorkTree::state(const std::string& path) {
    const upgrade::services::PathStatus status = look(path);
    if (status.kind == PathKind::none || status.kind == PathKind::folder) return {};
    if (status.kind != PathKind::file) return {digest_of_no_file()};
    const auto found = content(path);
    if (!found) return {};
    return {sha256(*found), status.mode};
}

std::optional<std::string> DiskWorkTree::content(const std::string& path) {
    try {
        return m_repository.read(path);
    } catch (const Refusal& refusal) {
        if (refusal.status() == UPGRADE_NOT_FOUND) return std::nullopt;
        throw Error(Failure::preparation, refusal.what());
    }
}

upgrade::services::PathStatus DiskWorkTree::look(const std::string& path) {
    return translated([&] { return m_repository.look(path); });
}

std::string DiskWorkTree::why_not_writable(const std::string& path) {
    try {
        return m_repository.why_not_writable(path);
    } catch (const Refusal& refusal) {
        return refusal.what();
    }
}

std::vector<std::string> DiskWorkTree::names(const std::string& pattern) {
    return translated(
        [&] { return upgrade::services::RepositoryFiles(m_repository.root(), {}).glob(pattern); });
}

std::string DiskWorkTree::what_stays(const std::string& folder,
                                     const upgrade::services::EachPath& goes) {
    return translated([&] { return m_repository.what_stays(folder, goes); });
}

std::optional<std::string> DiskWorkTree::original(const FileIntent& change) {
    if (change.backup.empty()) return std::nullopt;
    return translated([&] {
        const auto [folder, name] = place_of_original(change);
        return folder.read(name);
    });
}

std::pair<Repository, std::string> DiskWorkTree::place_of_original(const FileIntent& change) const {
    const fs::path original = change.backup;
    const fs::path own_folder = m_state.parent_path();
    const fs::path below = original.lexically_relative(own_folder);
    if (!below.empty() && *below.begin() != "..")
        return {Repository(own_folder.string()), below.string()};
    // By the path that the ledger's folder had then.
    return {Repository(original.parent_path().string()), original.filename().string()};
}

std::vector<std::string> DiskWorkTree::put_back(const FileIntent& change) {
    return translated([&] {
        if (!change.backup.empty()) {
            const auto [folder, name] = place_of_original(change);
            return m_repository.put_back(change.path, folder, name);
        }
        m_repository.remove(change.path);
        return std::vector<std::string>();
    });
}

void DiskWorkTree::remove_made_folders(const FileIntent& change) {
    translated([&] {
        m_repository.remove_empty_folders(change.path,
                                          change.made_folders.value_or(Repository::k_all_folders));
    });
}

void DiskWorkTree::remove_temporary(const FileIntent& change) {
    std::vector<std::string> names;
    if (!change.temporary.empty()) names.push_back(change.temporary);
    if (!change.backup.empty()) names.push_back(Repository::name_before_put_back(change.path));
    for (const std::string& name : names) {
        try {
            m_repository.remove(name);
        } catch (const Refusal& refusal) {
            // What lies behind a link is nothing that an upgrade has left.
            if (refusal.status() != UPGRADE_DENIED)
                throw Error(Failure::preparation, refusal.what());
        }
    }
}

std::chrono::milliseconds DiskWorkTree::file_time() const {
    timespec now{};
#ifdef CLOCK_REALTIME_COARSE
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
#else
    ::clock_gettime(CLOCK_REALTIME, &now);
#endif
    return std::chrono::milliseconds(now.tv_sec * 1000LL + now.tv_nsec / 1'000'000);
}

std::vector<std::string> DiskWorkTree::written_since(std::chrono::milliseconds moment,
                                                     std::size_t limit) {
    const std::vector<std::string> own = own_paths();
    return translated([&] {
        return m_repository.written_since(moment, limit, [&](const std::string& path) {
            return upgrade::services::covers(own, path);
        });
    });
}

std::vector<std::string> DiskWorkTree::own_paths() {
    std::set<std::string> paths;
    const auto add = [&](const fs::path& root, const auto& spelled) {
        std::vector<fs::path> places = all_of_ledger(spelled(m_state), root);
        for (const fs::path& own : m_own) places.push_back(spelled(own));
        for (const fs::path& place : places) {
            const fs::path below = place.lexically_relative(root);
            if (!below.empty() && *below.begin() != ".." && *below.begin() != ".")
                paths.insert(below.string());
        }
    };
    add(plain_path(m_repository.root()), plain_path);
    // Who names them, or the repository, by way of a link means the same places.
    add(real_path(m_repository.root()), real_path);
    return {paths.begin(), paths.end()};
}

}  // namespace runner
