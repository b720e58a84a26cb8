// SPDX-License-Identifier: Apache-2.0
// One upgrade by itself: `runner run`. And asking a plugin for its description, for `runner
// package`.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/upgrade_run.hpp"

namespace runner {

struct SingleRunRequest {
    std::string upgrade;  ///< a plugin's or program's file, or the version of a release
    bool dry_run = true;
    bool confirm = false;
    bool debug = false;
    bool record = false;  ///< as done, when it succeeds for real
    GivenParameters parameters;
};

/// Runs it; the exit code is in the result.
/// The library or program in a file, as it is: nothing verifies it.
UpgradeImage image_from_file(const std::filesystem::path& file);

RunReport run_single(const EngineParts& parts, const SingleRunRequest& request);

/// The manifest that a built plugin carries in itself. Throws Error{preparation} when it cannot be
/// loaded.
Manifest describe_plugin(const std::filesystem::path& plugin, const StopSignals& signals,
                         const Clock& clock);

}  // namespace runner
