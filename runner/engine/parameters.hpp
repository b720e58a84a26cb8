// SPDX-License-Identifier: Apache-2.0
// Values for the parameters that upgrades declare.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/manifest.hpp"
#include "support/terminal.hpp"

namespace runner {

using ParameterValues = std::map<std::string, std::optional<std::string>>;

/// A value for every declared parameter of each upgrade: from `given` (--env), else `configured`,
/// else typed by the user where one can be asked, else the default. Throws Error{preparation} that
/// names all that are missing or do not match their pattern, and every given name that no upgrade
/// declares.
std::vector<ParameterValues> resolve_parameters(
    const std::vector<const Manifest*>& manifests, const std::map<std::string, std::string>& given,
    const std::map<std::string, std::string>& configured, Terminal* terminal);

}  // namespace runner
