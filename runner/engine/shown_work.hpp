// SPDX-License-Identifier: Apache-2.0
// What a simulation has shown of an upgrade and what that was made from, and whether what is about
// to happen is that still.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/work_tree.hpp"
#include "host/host.hpp"

namespace runner {

/// A path as it was when it was shown what an upgrade does, as far as that was looked at.
struct PathBefore {
    upgrade::services::PathKind kind = upgrade::services::PathKind::none;
    std::optional<Digest> digest{};  ///< of a file's content; absent: nobody has read it
    std::optional<unsigned> mode{};  ///< of a file that is to be changed
    bool changed = false;            ///< its diff was shown

    bool operator==(const PathBefore&) const = default;
    /// For a saved plan: `none`, `folder`, or a digest and a mode.
    [[nodiscard]] std::string to_string() const;
};

/// The words of a command as they can be shown and compared: secrets masked, the phase's temporary
/// folder by its name.
using CommandWords = std::vector<std::string>;

/// What a simulation has shown of an upgrade.
struct ShownWork {
    std::vector<ShownChange> commits;          ///< what it writes, step by step, in order
    std::map<std::string, PathBefore> before;  ///< by path: what it was made from
    std::map<std::string, Digest> lists;       ///< by pattern: the files that there were
    std::size_t renders = 0;                   ///< programs whose output becomes a file
    std::size_t blind_renders = 0;             ///< those of which it is not known which file
    std::vector<CommandWords> commands;        ///< that would be run, as they were shown

    /// Over all of it: what a saved plan pins.
    [[nodiscard]] Digest digest() const;
    /// The paths and patterns that are not as they were. May throw Error{preparation}.
    [[nodiscard]] std::vector<std::string> not_as_before(WorkTree& work_tree) const;
    /// Why a change of a file, which is about to be made, is not what was shown; empty: it is.
    [[nodiscard]] std::string why_other(const std::string& step, const HostFileChange& change,
                                        const FileIntent& intent) const;
    /// Whether what the change replaces is what there was. What a program renders has no diff:
    /// where it is not known what there was, nothing is compared. May throw Error{preparation}.
    [[nodiscard]] bool replaces_what_was(const FileIntent& intent, WorkTree& work_tree) const;
};

/// A word of a command that begins: these pieces in this order, and between any two of them what
/// its simulation could not know.
using WordPieces = std::vector<std::string>;

/// The pieces of a word whose `learned` parts its simulation could not know.
WordPieces pieces_of(const std::string& word, const upgrade::services::TextRanges& learned);

/// Whether one of the commands shown is this one: word by word the same, but for what the
/// simulation could not know. Its program is never one of that.
bool is_shown(const std::vector<CommandWords>& shown, const std::vector<WordPieces>& command);

}  // namespace runner
