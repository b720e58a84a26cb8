// SPDX-License-Identifier: Apache-2.0
// Files of a step that died half-way, put back before anything else happens.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ledger/ledger.hpp"

namespace runner {

/// Restores every file that an unfinished step had replaced or removed, and removes what it had
/// made or laid beside. A file that is neither the original nor what the step wrote was changed by
/// somebody else since: it is left alone, and named in the result. Throws Error{preparation} when a
/// file cannot be restored; the ledger keeps the rows then.
std::vector<std::string> restore_unfinished_files(Ledger& ledger,
                                                  const std::filesystem::path& repository);

}  // namespace runner
