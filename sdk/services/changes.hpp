// SPDX-License-Identifier: Apache-2.0
// Changes to files as a value, and their form in the file in memory that carries them between
// processes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace upgrade::services {

/// What one path will be: its new content, or nothing when it is removed.
struct FileChange {
    std::optional<std::string> content;
    /// The file that was moved here: this one gets what it has beside its content (owner, mode,
    /// attributes, times). Empty: it stays as it is, or is new.
    std::string moved_from{};
};

/// By path relative to the repository directory.
using FileChanges = std::map<std::string, FileChange>;

/// Appends to what `encode` made earlier: a later change of a path replaces the earlier one.
std::string encode(const FileChanges& changes);

/// Reads what `encode` wrote, possibly several times over. Throws std::runtime_error when the bytes
/// are anything else: they come from another process and are not trusted.
FileChanges decode(std::string_view bytes);

}  // namespace upgrade::services
