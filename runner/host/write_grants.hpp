// SPDX-License-Identifier: Apache-2.0
// Which files and folders of a repository the programs of an upgrade may write.
#pragma once

#include <string>
#include <vector>

#include "support/unique_fd.hpp"

namespace runner {

/// Opens what the declared paths (relative; "." is all) name, for rules of the sandbox: a file, or
/// a folder with everything below it. No link is followed, and what is not there is not granted,
/// nor the folder above it. Of a folder in which a protected path lies (relative, too), all else
/// that is in it is granted, but nothing new can be made in the folder itself.
std::vector<UniqueFd> write_grants(const std::string& repository,
                                   const std::vector<std::string>& declared,
                                   const std::vector<std::string>& protected_paths);

}  // namespace runner
