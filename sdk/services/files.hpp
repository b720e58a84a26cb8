// SPDX-License-Identifier: Apache-2.0
// The files service: reads through an overlay, holds writes back, commits them with the originals
// kept.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/changes.hpp"
#include "services/repository.hpp"
#include "services/service_error.hpp"

namespace upgrade::services {

/// One change that is ready to be made: new bytes lie beside the target, the original lies in the
/// backup folder.
struct PreparedChange {
    std::string path;  ///< relative to the repository directory
    /// Relative path that the new bytes have just before they replace the file; nothing is there
    /// yet, where the file system can do that. Empty when the file is removed.
    std::string temporary;
    std::string backup;  ///< the file that holds the original; empty when there was none
    const std::string* content = nullptr;  ///< the new bytes; null when the file is removed
    /// The bits that chmod sets, which the new file will have; absent when it is removed, or when
    /// that is seen only when it is made.
    std::optional<unsigned> mode;
    std::size_t made_folders = 0;  ///< how many folders above it are made for it, the nearest first
};

/// One change that a simulation shows where a real run would make it.
struct ShownFile {
    std::string path;                      ///< relative to the repository directory
    const std::string* content = nullptr;  ///< the new bytes; null when the file is removed
};

/// Is told what a session finds in the repository beneath its own changes: what its work was made
/// from.
class FileWitness {
 public:
    virtual ~FileWitness() = default;
    /// Somebody has looked at `path`. `content`: of a file that was read, else null.
    virtual void found(const std::string& path, PathKind kind, const std::string* content) = 0;
    /// Somebody has asked for the files of this pattern.
    virtual void listed(const std::string& pattern, const std::vector<std::string>& paths) = 0;
};

/// Whether the declared write paths (files, or folders with everything below; "." is all) cover
/// `path`.
bool covers(const std::vector<std::string>& declared, std::string_view path);

/// Throws Refusal{UPGRADE_DENIED} when `path` is not covered by the declared write paths, or is one
/// of the protected paths or below one.
void check_may_write(std::string_view path, const std::vector<std::string>& declared,
                     const std::vector<std::string>& protected_paths);

/// Whether a pattern of RepositoryFiles::glob names `path`: '*' and '?' within one part, '**' for
/// any number of parts.
bool matches(std::string_view pattern, std::string_view path);

/// What new bytes are called just before they replace the file at `path`, beside it. `process`: the
/// id of the one that writes them.
std::string name_before_commit(const std::string& path, long process);
/// Whether `name` is such a path, of whatever process.
bool is_name_before_commit(const std::string& name, const std::string& path);

class RepositoryFiles {
 public:
    /// `root`: the repository directory. `base`: changes that earlier upgrades of a simulated chain
    /// would have made.
    RepositoryFiles(std::string root, FileChanges base);

    /// From now on this one, which must outlive the object, is told what is found; null: nobody.
    void tell(FileWitness* witness) { m_witness = witness; }

    /// What is at `path` on the disk, whatever lies over it. Throws Refusal.
    [[nodiscard]] PathStatus look(std::string_view path) const;

    /// UPGRADE_FILE_*.
    [[nodiscard]] int kind(std::string_view path) const;
    [[nodiscard]] std::string read(std::string_view path) const;
    void write(std::string_view path, std::string_view content);
    void remove(std::string_view path);
    void move(std::string_view from, std::string_view to);
    [[nodiscard]] std::vector<std::string> glob(std::string_view pattern) const;

    /// What was written since the beginning or the last commit.
    [[nodiscard]] const FileChanges& pending() const { return m_pending; }
    /// Leaves out what was to be changed.
    void forget_pending() { m_pending.clear(); }

    /// What this object shows differently from `root` and `base`: all that was written, settled or
    /// laid over it.
    [[nodiscard]] FileChanges changes() const;

    /// Makes the pending changes on disk. New bytes are written and synced beside their targets and
    /// the originals are copied to `backup_folder` (made when needed, synced) first; then
    /// `recorded` is called, which must remember them durably; only then is anything renamed or
    /// removed. Throws Refusal; before `recorded` has returned, nothing that others see has
    /// changed. Returns what of owners, modes and attributes could not be kept, in words.
    std::vector<std::string> commit(
        const std::string& backup_folder,
        const std::function<void(const std::vector<PreparedChange>&)>& recorded);

    /// What a simulation does where a real run commits: from now on the pending changes count as
    /// made, and `shown` is told those that `commit` would make, in its order; it is not called
    /// when there are none. Nothing is written. Throws Refusal where `commit` would find something
    /// that it cannot replace.
    void settle(const std::function<void(const std::vector<ShownFile>&)>& shown);

    /// These are pending now, and nothing else. Throws Refusal when a path is none.
    void set_pending(FileChanges changes);

    /// From now on these count as made, below what is pending.
    void lay_over(const FileChanges& changes);

 private:
    /// The newest change of `path` among those of this object.
    [[nodiscard]] const FileChange* own_change(const std::string& path) const;
    /// The same, or else that of the upgrades before it.
    [[nodiscard]] const FileChange* overlaid(const std::string& path) const;
    /// Whether one of these changes has put a file below `folder` that is still there.
    [[nodiscard]] bool has_below(const FileChanges& changes, const std::string& folder) const;
    /// Whether these changes, the newest first, have removed every file below `folder` on the disk:
    /// the folder goes with the last one.
    [[nodiscard]] bool is_emptied(const std::string& folder,
                                  const std::vector<const FileChanges*>& changes) const;
    /// These count as made from now on.
    void take_over(FileChanges changes);
    /// The file whose owner, mode and attributes the change brings to `path`; nothing is there when
    /// it is new.
    [[nodiscard]] std::string source_of(const std::string& path) const;
    /// What is there beneath the changes of this object, and tells it. Throws Refusal.
    PathKind kind_beneath(const std::string& path) const;
    [[nodiscard]] std::string read_beneath(const std::string& path) const;
    [[nodiscard]] bool is_file(const std::string& path) const;
    /// What could not be made for real is refused in a simulation, too.
    void refuse_below_a_file(const std::string& path) const;
    void found(const std::string& path, PathKind kind, const std::string* content = nullptr) const {
        if (m_witness != nullptr) m_witness->found(path, kind, content);
    }
    /// The content that the newest commit has left at `path`; nothing where there is no file.
    [[nodiscard]] std::optional<std::string> committed(const std::string& path) const;
    /// Whether a commit makes the change: not when the file is that way already, nor when it was
    /// made and removed again since the last commit.
    [[nodiscard]] bool is_made(const std::string& path, const FileChange& change) const {
        return committed(path) != change.content;
    }

    Repository m_repository;
    FileWitness* m_witness = nullptr;
    FileChanges m_base;
    FileChanges m_settled;  ///< over m_base
    FileChanges m_pending;  ///< over m_settled
    std::size_t m_backups = 0;
};

}  // namespace upgrade::services
