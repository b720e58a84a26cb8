// SPDX-License-Identifier: Apache-2.0
// What upgrades see of the environment.
#include <array>
#include <cstdlib>

#include "host/host.hpp"

namespace runner {
namespace {

constexpr std::array<const char*, 12> k_environment{
    "PATH", "HOME", "USER",     "LOGNAME", "SHELL",         "LANG",
    "TERM", "TZ",   "NO_COLOR", "LC_ALL",  "SSL_CERT_FILE", "SSL_CERT_DIR"};

}  // namespace

std::vector<std::string> plugin_environment(const std::map<std::string, std::string>& declared) {
    std::map<std::string, std::string> variables;
    for (const char* name : k_environment) {
        if (const char* value = std::getenv(name); value != nullptr) variables[name] = value;
    }
    for (const auto& [name, value] : declared) {
        if (!name.starts_with("LD_") && !name.starts_with("DYLD_")) variables[name] = value;
    }
    std::vector<std::string> list;
    for (const auto& [name, value] : variables) list.push_back(name + '=' + value);
    return list;
}

}  // namespace runner
