// SPDX-License-Identifier: Apache-2.0
#include "support/secret_memory.hpp"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <map>

namespace runner {

std::optional<Secret> secret_variable(const std::string& name) {
    const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return Secret(value);
}

std::optional<Secret> take_secret_variable(const std::string& name) {
    static std::map<std::string, Secret> taken;  // the environment of this process, continued
    if (auto value = secret_variable(name)) {
        char* text = std::getenv(name.c_str());
        ::explicit_bzero(text, ::strlen(text));
        ::unsetenv(name.c_str());
        taken[name] = std::move(*value);
    }
    const auto known = taken.find(name);
    return known == taken.end() ? std::nullopt : std::optional(known->second);
}

void keep_memory_to_itself() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace runner
