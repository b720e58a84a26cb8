// SPDX-License-Identifier: Apache-2.0
// `runner serve`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace runner {

struct ServeOptions {
    std::vector<std::filesystem::path> clusters;
    std::string address = "127.0.0.1";
    int port = 8765;
    std::filesystem::path certificate;  ///< PEM; empty: plain HTTP
    std::filesystem::path key;
    std::filesystem::path tokens = "tokens.json";
    bool insecure = false;          ///< plain HTTP on other addresses than loopback is meant
    std::filesystem::path program;  ///< runner
};

/// Serves until a stop signal; jobs go on. Returns the exit code; throws Error when it cannot
/// begin.
int serve_api(const ServeOptions& options);

}  // namespace runner
