// SPDX-License-Identifier: Apache-2.0
// Checks a YAML document against a table of keys and gathers every problem with its place.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "config/config_schema.hpp"

namespace runner {

/// A problem at a place; line and column count from 1.
struct ConfigProblem {
    int line = 0;
    int column = 0;
    std::string message;
};

/// All that is wrong with `node`, which should be what `schema` describes; empty when nothing is.
std::vector<ConfigProblem> check_config(const YAML::Node& node, const SchemaEntry& schema);

}  // namespace runner
