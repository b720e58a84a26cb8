// SPDX-License-Identifier: Apache-2.0
#include "engine/parameters.hpp"

#include <regex>
#include <set>

#include "model/error.hpp"

namespace runner {
namespace {

std::string check_pattern(const Parameter& parameter, const std::string& value) {
    if (parameter.pattern.empty()) return {};
    try {
        if (std::regex_match(value, std::regex(parameter.pattern))) return {};
    } catch (const std::regex_error&) {
        return "its pattern '" + parameter.pattern + "' is no regular expression";
    }
    return "'" + value + "' does not match " + parameter.pattern;
}

}  // namespace

std::vector<ParameterValues> resolve_parameters(
    const std::vector<const Manifest*>& manifests, const std::map<std::string, std::string>& given,
    const std::map<std::string, std::string>& configured, Terminal* terminal) {
    std::vector<ParameterValues> resolved;
    std::vector<std::string> problems;
    std::set<std::string> declared;
    std::map<std::string, std::string> typed;
    for (const Manifest* manifest : manifests) {
        ParameterValues values;
        for (const Parameter& parameter : manifest->parameters) {
            declared.insert(parameter.name);
            std::optional<std::string> value = parameter.default_value;
            if (const auto found = configured.find(parameter.name); found != configured.end())
                value = found->second;
            if (const auto found = given.find(parameter.name); found != given.end())
                value = found->second;
            if (const auto found = typed.find(parameter.name); found != typed.end())
                value = found->second;
            const std::string place =
                manifest->version.to_string() + " needs '" + parameter.name + "'" +
                (parameter.description.empty() ? "" : " (" + parameter.description + ")");
            if (parameter.secret && parameter.required) {
                problems.push_back(place + ", a secret: secrets are not available in this version");
            } else if (!value && parameter.required && terminal != nullptr &&
                       terminal->interactive()) {
                const auto answer = terminal->ask(place + ": ");
                if (answer && !answer->empty()) value = typed[parameter.name] = *answer;
            }
            if (!value && parameter.required && !parameter.secret)
                problems.push_back(place + ", which has no value");
            if (value) {
                const std::string problem = check_pattern(parameter, *value);
                if (!problem.empty()) problems.push_back(place + ": " + problem);
            }
            values[parameter.name] = value;
        }
        resolved.push_back(std::move(values));
    }
    for (const auto& [name, value] : given) {
        if (declared.count(name) == 0)
            problems.push_back("--env " + name + ": no due upgrade declares this parameter");
    }
    if (problems.empty()) return resolved;
    std::string message;
    for (const std::string& problem : problems) message += (message.empty() ? "" : "\n") + problem;
    throw Error(Failure::preparation, message,
                "give values with --env NAME=VALUE or under 'parameters' in the config");
}

}  // namespace runner
