// SPDX-License-Identifier: Apache-2.0
// What is below an open folder of a repository, found through no link, at most 256 folders deep.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <functional>
#include <string>
#include <vector>

#include "services/repository.hpp"

namespace upgrade::services {

constexpr int k_open_folder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// Called for each regular file; whether to go on.
using EachFile = std::function<bool(const std::string& path, const struct stat& status)>;

/// What cannot be looked at on a walk, or lies too deep.
enum class Unreadable { is_refused, is_left_out };

/// Walks through all below `folder` but `.git` and folders that `enter` says no to; what went away
/// meanwhile is left out. Paths begin with `prefix` (empty, or a folder with its slash). Returns
/// false when `each` has ended it. Throws Refusal.
bool walk(const Descriptor& folder, const std::string& prefix, Unreadable unreadable,
          const EachPath& enter, const EachFile& each);

/// Every `.git`, a folder or a file, below `folder`; what cannot be opened is left out. Throws
/// Refusal when folders are too deep.
std::vector<std::string> find_git(const Descriptor& folder, const std::string& prefix);

/// The first thing below `folder`, whose path is `path`, that stays when all goes of which `goes`
/// says so; empty: nothing stays. Throws Refusal.
std::string first_that_stays(const Descriptor& folder, const std::string& path,
                             const EachPath& goes);

}  // namespace upgrade::services
