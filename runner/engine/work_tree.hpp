// SPDX-License-Identifier: Apache-2.0
// The files of the cluster's repository, as the engine reads and restores them. What upgrades write
// is committed by their own processes (sdk/services).
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/records.hpp"
#include "model/digest.hpp"
#include "services/files.hpp"

namespace runner {

using upgrade::services::k_max_file;

/// Stands for what is no file where a file is asked for: no content has it.
const Digest& digest_of_no_file();

/// Paths are relative to the repository directory. Every call may throw Error{preparation}.
class WorkTree {
 public:
    virtual ~WorkTree() = default;
    /// A file's content; nothing when nothing is there. Throws Error{preparation} also where a link
    /// or something else that is no file is there.
    virtual std::optional<std::string> content(const std::string& path) = 0;
    /// What is at a path; a link, or what lies behind one, is a link.
    virtual upgrade::services::PathStatus look(const std::string& path) = 0;
    /// Why no file can be made or replaced at a path: its folder, or the nearest one above it that
    /// is there, may not be written by this process. Empty: nothing is known against it.
    virtual std::string why_not_writable(const std::string& path) = 0;
    /// The files that a pattern of the files service names, sorted.
    virtual std::vector<std::string> names(const std::string& pattern) = 0;
    /// The first thing below a folder that stays when all goes of which `goes` says so, as
    /// Repository::what_stays has it. Empty: nothing.
    virtual std::string what_stays(const std::string& folder,
                                   const upgrade::services::EachPath& goes) = 0;
    /// The original that was kept for a change; nothing when the change made the file.
    virtual std::optional<std::string> original(const FileIntent& change) = 0;
    /// The original in its place again, durably; a file that the change made is removed. Returns
    /// what of its owner, mode and attributes could not be put back, in words.
    virtual std::vector<std::string> put_back(const FileIntent& change) = 0;
    /// Removes the folders that were made for a file which the change made, as far as they are
    /// empty.
    virtual void remove_made_folders(const FileIntent& change) = 0;
    /// Removes what a change that died has left beside its file; nothing when there is nothing.
    virtual void remove_temporary(const FileIntent& change) = 0;
    /// Now, on the clock that files get their times from (milliseconds since the Unix epoch): it
    /// lags behind the wall clock, as it moves only with the kernel's ticks.
    [[nodiscard]] virtual std::chrono::milliseconds file_time() const = 0;
    /// The files that were written since `moment`, as file_time() has it, sorted; at most `limit`.
    /// own_paths() and `.git` are left out.
    virtual std::vector<std::string> written_since(std::chrono::milliseconds moment,
                                                   std::size_t limit) = 0;

    /// What no upgrade may change, whatever it declares, though it need not be there: the ledger
    /// with what stands beside it, and other places of the runner.
    virtual std::vector<std::string> own_paths() = 0;

    /// The digest of a file's content; nothing when nothing or a folder is there (a file may be
    /// made below what was one); of anything else (a link, a pipe), digest_of_no_file().
    std::optional<Digest> digest(const std::string& path);
    /// The same with the file's mode.
    FileState state(const std::string& path);
};

/// The repository directory on disk.
class DiskWorkTree final : public WorkTree {
 public:
    /// `state`: the ledger's file, whose folder is no part of the repository. `own`: what else
    /// belongs to the runner and may lie in the repository.
    DiskWorkTree(const std::filesystem::path& repository, std::filesystem::path state,
                 std::vector<std::filesystem::path> own = {})
        : m_repository(repository.string()), m_state(std::move(state)), m_own(std::move(own)) {}
    std::optional<std::string> content(const std::string& path) override;
    upgrade::services::PathStatus look(const std::string& path) override;
    std::string why_not_writable(const std::string& path) override;
    std::vector<std::string> names(const std::string& pattern) override;
    std::string what_stays(const std::string& folder,
                           const upgrade::services::EachPath& goes) override;
    std::optional<std::string> original(const FileIntent& change) override;
    std::vector<std::string> put_back(const FileIntent& change) override;
    void remove_made_folders(const FileIntent& change) override;
    void remove_temporary(const FileIntent& change) override;
    [[nodiscard]] std::chrono::milliseconds file_time() const override;
    std::vector<std::string> written_since(std::chrono::milliseconds moment,
                                           std::size_t limit) override;
    std::vector<std::string> own_paths() override;

 private:
    /// The folder in which an original is kept, and its path there: it is opened through no link.
    [[nodiscard]] std::pair<upgrade::services::Repository, std::string> place_of_original(
        const FileIntent& change) const;

    upgrade::services::Repository m_repository;
    std::filesystem::path m_state;
    std::vector<std::filesystem::path> m_own;
};

}  // namespace runner
