// SPDX-License-Identifier: Apache-2.0
#include "engine/work_tree.hpp"

#include <time.h>

#include "ledger/beside.hpp"
#include "model/error.hpp"
#include "support/sha256.hpp"
#include "upgrade/abi.h"

namespace runner {
namespace {

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

}  // namespace

const Digest& digest_of_no_file() {
    static const Digest digest = sha256("what is there is no file");
    return digest;
}

std::optional<Digest> WorkTree::digest(const std::string& path) {
    const PathKind kind = look(path).kind;
    if (kind == PathKind::none || kind == PathKind::folder) return std::nullopt;
    if (kind != PathKind::file) return digest_of_no_file();
    const auto found = content(path);
    return found ? std::optional(sha256(*found)) : std::nullopt;
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

std::vector<std::string> DiskWorkTree::files_below(const std::string& folder) {
    return translated([&] { return m_repository.list(folder); });
}

std::optional<std::string> DiskWorkTree::original(const FileIntent& change) {
    if (change.backup.empty()) return std::nullopt;
    return translated([&] {
        const auto [folder, name] = place_of_original(change);
        return folder.read(name);
    });
}

std::pair<Repository, std::string> DiskWorkTree::place_of_original(const FileIntent& change) const {
    const std::filesystem::path original = change.backup;
    const std::filesystem::path own_folder = m_state.parent_path();
    const std::filesystem::path below = original.lexically_relative(own_folder);
    if (!below.empty() && *below.begin() != "..")
        return {Repository(own_folder.string()), below.string()};
    // By the path that the ledger's folder had then.
    return {Repository(original.parent_path().string()), original.filename().string()};
}

void DiskWorkTree::put_back(const FileIntent& change) {
    translated([&] {
        if (!change.backup.empty()) {
            const auto [folder, name] = place_of_original(change);
            m_repository.put_back(change.path, folder, name);
            return;
        }
        m_repository.remove(change.path);
        m_repository.remove_empty_folders(change.path);
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
    return translated([&] {
        const auto own_folder = m_state.parent_path().lexically_relative(m_repository.root());
        return m_repository.written_since(moment, limit, own_folder.string());
    });
}

std::vector<std::string> DiskWorkTree::protected_paths() {
    std::vector<std::filesystem::path> places = all_of_ledger(m_state, m_repository.root());
    places.insert(places.end(), m_own.begin(), m_own.end());
    std::vector<std::string> paths = translated([&] { return m_repository.git_folders(); });
    for (const std::filesystem::path& place : places) {
        const std::filesystem::path below =
            std::filesystem::absolute(place).lexically_normal().lexically_relative(
                m_repository.root());
        if (!below.empty() && *below.begin() != ".." && *below.begin() != ".")
            paths.push_back(below.string());
    }
    return paths;
}

}  // namespace runner
