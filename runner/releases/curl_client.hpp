// SPDX-License-Identifier: Apache-2.0
// The HTTP client over libcurl's multi interface: one thread, a bounded number of transfers at a
// time.
#pragma once

#include <functional>
#include <memory>

#include "releases/http_client.hpp"

namespace runner {

/// `stopped` is asked between events; true ends all transfers.
std::unique_ptr<HttpClient> make_http_client(std::function<bool()> stopped);

}  // namespace runner
