// SPDX-License-Identifier: Apache-2.0
#include "engine/shown_work.hpp"

#include <algorithm>

#include "host/message.hpp"
#include "services/attributes.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

using upgrade::services::PathKind;

/// Appends a text with its length, so that no two lists of texts look alike.
void append(std::string& bytes, const std::string& text) {
    bytes += std::to_string(text.size());
    bytes += ':';
    bytes += text;
}

std::string text_of(const std::optional<Digest>& digest) {
    return digest ? digest->to_string() : "";
}

const char* word_for(PathKind kind) {
    switch (kind) {
        case PathKind::none:
            return "none";
        case PathKind::file:
            return "file";
        case PathKind::folder:
            return "folder";
        case PathKind::link:
            return "link";
        case PathKind::other:
            return "other";
    }
    return "other";
}

/// Whether the pieces stand in the text in this order, from its beginning to its end.
bool fits(const std::string& text, const WordPieces& pieces) {
    if (pieces.empty()) return true;
    if (pieces.size() == 1) return text == pieces.front();
    const std::string& last = pieces.back();
    if (text.rfind(pieces.front(), 0) != 0) return false;
    std::size_t at = pieces.front().size();
    for (std::size_t i = 1; i + 1 < pieces.size(); ++i) {
        const std::size_t found = text.find(pieces[i], at);
        if (found == std::string::npos) return false;
        at = found + pieces[i].size();
    }
    return text.size() >= at + last.size() &&
           text.compare(text.size() - last.size(), last.size(), last) == 0;
}

bool is_as_before(WorkTree& work_tree, const std::string& path, const PathBefore& before) {
    const upgrade::services::PathStatus now = work_tree.look(path);
    if (now.kind != before.kind) return false;
    if (before.mode && *before.mode != now.mode) return false;
    return !before.digest || work_tree.digest(path) == before.digest;
}

}  // namespace

std::string PathBefore::to_string() const {
    std::string text = digest ? digest->to_string() : word_for(kind);
    return mode ? text + ' ' + upgrade::services::octal(*mode) : text;
}

Digest ShownWork::digest() const {
    std::string bytes;
    for (const auto& [path, as_before] : before) {
        append(bytes, path);
        append(bytes, as_before.to_string());
    }
    for (const auto& [pattern, names] : lists) {
        append(bytes, pattern);
        append(bytes, names.to_string());
    }
    for (const ShownChange& commit : commits) {
        append(bytes, commit.step);
        append(bytes, commit.path);
        append(bytes, text_of(commit.digest));
    }
    for (const CommandWords& command : commands) {
        append(bytes, std::to_string(command.size()));
        for (const std::string& word : command) append(bytes, word);
    }
    return sha256(bytes);
}

std::vector<std::string> ShownWork::not_as_before(WorkTree& work_tree) const {
    std::vector<std::string> changed;
    for (const auto& [path, as_before] : before) {
        if (!is_as_before(work_tree, path, as_before)) changed.push_back(path);
    }
    for (const auto& [pattern, names] : lists) {
        if (digest_of_list(work_tree.names(pattern)) != names) changed.push_back(pattern);
    }
    return changed;
}

std::string ShownWork::why_other(const std::string& step, const HostFileChange& change,
                                 const FileIntent& intent) const {
    const auto of_path = [&](const ShownChange& commit) { return commit.path == change.path; };
    if (!std::any_of(commits.begin(), commits.end(), of_path)) {
        // What a program renders is not known in a simulation, nor a name that is made from that:
        // it may be another new file, or one that the upgrade has looked at, never any other.
        const bool expected =
            before.count(change.path) != 0 || !intent.old_digest || blind_renders > 0;
        if (change.rendered && renders > 0 && expected) return {};
        return "its simulation did not show that " + change.path + " would be changed";
    }
    const bool as_shown =
        std::any_of(commits.begin(), commits.end(), [&](const ShownChange& commit) {
            return of_path(commit) && commit.step == step && commit.digest == intent.new_digest;
        });
    return as_shown ? "" : "what it writes to " + change.path + " is not what was shown";
}

bool ShownWork::replaces_what_was(const FileIntent& intent, WorkTree& work_tree) const {
    const auto found = before.find(intent.path);
    if (found == before.end())
        return std::none_of(commits.begin(), commits.end(),
                            [&](const ShownChange& commit) { return commit.path == intent.path; });
    PathBefore status = found->second;
    status.digest.reset();  // that of the original, which was just kept, is at hand
    if (status.kind == PathKind::folder && work_tree.look(intent.path).kind == PathKind::none)
        return true;  // it has gone with the last file in it
    const bool unread = found->second.kind == PathKind::file && !found->second.digest;
    return (unread || found->second.digest == intent.old_digest) &&
           is_as_before(work_tree, intent.path, status);
}

WordPieces pieces_of(const std::string& word, const upgrade::services::TextRanges& learned) {
    WordPieces pieces;
    std::size_t at = 0;
    for (const auto& [begin, end] : learned) {
        pieces.push_back(word.substr(at, begin - at));
        at = end;
    }
    pieces.push_back(word.substr(at));
    return pieces;
}

bool is_shown(const std::vector<CommandWords>& shown, const std::vector<WordPieces>& command) {
    return std::any_of(shown.begin(), shown.end(), [&](const CommandWords& words) {
        return words.size() == command.size() && command.front().size() == 1 &&
               std::equal(words.begin(), words.end(), command.begin(), fits);
    });
}

}  // namespace runner
