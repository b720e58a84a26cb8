// SPDX-License-Identifier: Apache-2.0
// What the API tells of clusters, without the server's paths.
#pragma once

#include "api/clusters.hpp"
#include "model/json.hpp"

namespace runner {

/// `up-to-date`, `upgrade-available` or `unknown`.
const char* status_of(const ClusterView& view);

/// One row of the list; `active`: the run that is under way, empty when none is.
Json cluster_document(const std::string& name, const ClusterView& view, const std::string& active);

/// For each upgrade what it is here; defaults of secrets blank.
Json check_document(const std::string& name, const ClusterView& view);

}  // namespace runner
