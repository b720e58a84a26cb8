// SPDX-License-Identifier: Apache-2.0
// Asking a built plugin what it is.
#pragma once

#include <filesystem>

#include "model/manifest.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"
#include "support/unique_fd.hpp"

namespace runner {

/// The manifest that a built plugin carries in itself. It is loaded for that, in a process of its
/// own. `image`: the plugin, sealed; `file`: where it was read from. Throws Error{preparation} when
/// it cannot be loaded.
Manifest describe_plugin(const UniqueFd& image, const std::filesystem::path& file,
                         const StopSignals& signals, const Clock& clock);

}  // namespace runner
