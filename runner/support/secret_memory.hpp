// SPDX-License-Identifier: Apache-2.0
// Secrets in the environment and in the memory of this process.
#pragma once

#include <optional>
#include <string>

#include "model/secret.hpp"

namespace runner {

/// What the environment variable holds; nothing when it is not set or empty. From then on it is
/// gone from the environment, also from what other processes see of it; asked again, it is still
/// known here. Call it from one thread, and while no other changes the environment.
std::optional<Secret> take_secret_variable(const std::string& name);

/// The same, but the variable stays, for programs that this one starts.
std::optional<Secret> secret_variable(const std::string& name);

/// From now on no core file is made of this process, and no other process of the same user reads
/// its memory or its environment. Programs that it starts are not affected.
void keep_memory_to_itself();

}  // namespace runner
