// SPDX-License-Identifier: Apache-2.0
// A release server with the part of GitHub's API that runner uses, over a folder per tag.
#pragma once

#include <string>

namespace runner {

struct ReleaseServerOptions {
    std::string directory;
    std::string host = "127.0.0.1";
    int port = 0;
    std::string repository;  ///< OWNER/NAME
};

/// Serves until a stop signal comes. Prints the address on standard output when it listens. Returns
/// the exit code.
int serve_releases(const ReleaseServerOptions& options);

}  // namespace runner
