// SPDX-License-Identifier: Apache-2.0
// Which files and folders of a repository the programs of an upgrade may write.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace runner {

/// Is given a file, or a folder with everything below it, opened for a rule of the sandbox (O_PATH)
/// and closed afterwards.
using EachGrant = std::function<void(int opened)>;

/// Grants what the declared paths name, as check_path allows them, a folder's with a slash behind
/// it or not; "." is all. No link is followed, and what is not there is not granted, nor the folder
/// above it. Nor is any `.git`, nor a protected path: of a folder in which one lies, all else that
/// is in it is granted, but nothing new can be made in the folder itself.
void grant_writes(const std::string& repository, const std::vector<std::string>& declared,
                  const std::vector<std::string>& protected_paths, const EachGrant& grant);

}  // namespace runner
