// SPDX-License-Identifier: Apache-2.0
// Values for the parameters that upgrades declare.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/manifest.hpp"
#include "model/secret.hpp"
#include "support/terminal.hpp"

namespace runner {

/// What an upgrade gets, by name. Whether a value is one that may be seen, its manifest says.
using ParameterValues = std::map<std::string, std::optional<Secret>>;

/// Values by name, from where the user gives them.
struct GivenParameters {
    std::map<std::string, std::string> values;  ///< --env
    std::map<std::string, Secret> secrets;      ///< --secret, resolved
};

/// Values by name that nobody has to give again.
struct KnownParameters {
    std::map<std::string, std::string> configured;  ///< the config's
    std::map<std::string, std::string> kept;        ///< what earlier upgrades of the cluster got
};

/// Where a secret is: `env:VARIABLE`, `file:PATH` or `fd:NUMBER`. Returns what is there, without
/// one newline at its end. A variable is gone from the environment then. Throws Error{usage} that
/// names the reference and never the value.
Secret read_secret(const std::string& name, const std::string& reference);

/// A value for every declared parameter of each upgrade: what is given, else configured, else kept,
/// else the default, else typed by the user where one can be asked (a secret without echo). A
/// secret comes from --secret or from the user, never from the config. Throws Error{preparation}
/// that names all that are missing or do not match their pattern, and every given name that no
/// upgrade declares.
std::vector<ParameterValues> resolve_parameters(const std::vector<const Manifest*>& manifests,
                                                const GivenParameters& given,
                                                const KnownParameters& known, Terminal* terminal);

/// The values that are no secrets: what the ledger keeps.
std::map<std::string, std::string> values_to_keep(const Manifest& manifest,
                                                  const ParameterValues& values);

/// The values among `values` that the manifest calls secret, by name.
std::map<std::string, Secret> secrets_in(const Manifest& manifest, const ParameterValues& values);

}  // namespace runner
