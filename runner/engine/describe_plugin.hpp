// SPDX-License-Identifier: Apache-2.0
// Asking a built plugin what it is.
#pragma once

#include <filesystem>

#include "model/manifest.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"

namespace runner {

/// The manifest that a built plugin carries in itself. It is loaded for that, in a process of its
/// own. Throws Error{preparation} when it cannot be loaded.
Manifest describe_plugin(const std::filesystem::path& plugin, const StopSignals& signals,
                         const Clock& clock);

}  // namespace runner
