// SPDX-License-Identifier: Apache-2.0
// What of a cluster is news, compared with what was told last: that is on disk, so that a server
// that starts anew neither repeats nor forgets.
#pragma once

#include "api/clusters.hpp"
#include "api/webhooks.hpp"

namespace runner {

/// Tells of upgrades that are due, and of runs that have begun or ended, since the last call.
/// Throws Error{preparation}.
void announce_news(const ClusterView& view, Webhooks& webhooks);

}  // namespace runner
