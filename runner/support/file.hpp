// SPDX-License-Identifier: Apache-2.0
// Files: opening, replacing durably, temporary folders; see support/read.hpp for reading.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "support/unique_fd.hpp"

namespace runner {

/// Whether a written file must survive a power cut.
enum class Durability {
    durable,      ///< fsync of the file and of its folder
    replaceable,  ///< can be made again (caches): renamed into place, not synced
};

/// Opens `path` for reading, without ever waiting for it. Throws Error{preparation} that names it.
UniqueFd open_for_reading(const std::filesystem::path& path);

/// As open_for_reading, but nothing when there is no such file.
UniqueFd open_if_there(const std::filesystem::path& path);

/// Replaces `path` by `bytes` in one step: a temporary file beside it, then rename. Whoever reads
/// sees the old bytes or the new ones. Folders on the way are made. Throws Error{preparation};
/// `path` is then as it was.
void replace_file(const std::filesystem::path& path, std::string_view bytes,
                  Durability durability = Durability::durable);

/// Writes a new file; throws Error{refused} when something is there already.
void create_file(const std::filesystem::path& path, std::string_view bytes);

/// Makes `folder` and those above it. Throws Error{preparation}.
void make_folders(const std::filesystem::path& folder);

/// fsync of a folder, so that a rename in it survives a power cut.
void sync_folder(const std::filesystem::path& folder);

/// When a file was written last, and how long it was: what tells, without reading it, whether it is
/// the same still.
class FileStamp {
 public:
    /// As of now; a file that is not there has one, too.
    explicit FileStamp(const std::filesystem::path& file);
    /// Whether the file is as it was at `before`. Clocks of file systems tick in milliseconds:
    /// what had been written just before a stamp was taken may have been written once more within
    /// the same tick, and counts as changed.
    [[nodiscard]] bool proves_same(const std::optional<FileStamp>& before) const;

 private:
    std::filesystem::file_time_type m_written;
    std::uintmax_t m_size = 0;
    bool m_settled = false;
};

/// A folder of its own below the system's temporary folder, removed with everything in it by the
/// destructor.
class TemporaryFolder {
 public:
    explicit TemporaryFolder(const std::string& prefix);
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

 private:
    std::filesystem::path m_path;
};

}  // namespace runner
