// SPDX-License-Identifier: Apache-2.0
#include "engine/parameters.hpp"

#include <unistd.h>

#include <set>

#include "model/error.hpp"
#include "model/pattern.hpp"
#include "support/read.hpp"
#include "support/secret_memory.hpp"
#include "support/unique_fd.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_secret = 64U << 10U;

std::string check_pattern(const Parameter& parameter, const std::string& value) {
    if (parameter.pattern.empty() || Pattern(parameter.pattern).matches(value)) return {};
    return (parameter.secret ? "its value" : "'" + value + "'") + " does not match " +
           parameter.pattern;
}

/// Finds the values, and gathers what is wrong.
class Resolver {
 public:
    Resolver(const GivenParameters& given, const KnownParameters& known, Terminal* terminal)
        : m_given(given), m_known(known), m_terminal(terminal) {}

    ParameterValues resolve(const Manifest& manifest) {
        ParameterValues values;
        for (const Parameter& parameter : manifest.parameters) {
            m_declared.insert(parameter.name);
            const std::string place =
                manifest.version.to_string() + " needs '" + parameter.name + "'" +
                (parameter.description.empty() ? "" : " (" + parameter.description + ")");
            std::optional<Secret> value =
                parameter.secret ? secret_value(parameter, place) : plain_value(parameter);
            if (!value && parameter.required) value = typed(parameter, place);
            if (!value && parameter.required) m_problems.push_back(place + ", which has no value");
            if (value) {
                const std::string problem = check_pattern(parameter, value->reveal());
                if (!problem.empty()) m_problems.push_back(place + ": " + problem);
            }
            values[parameter.name] = value;
        }
        return values;
    }

    void finish() {
        for (const auto& [name, value] : m_given.values) check_declared("--env " + name, name);
        for (const auto& [name, value] : m_given.secrets) check_declared("--secret " + name, name);
        if (m_problems.empty()) return;
        throw Error::of_lines(Failure::preparation, m_problems,
                              "give values with --env NAME=VALUE or under 'parameters' in the "
                              "config, secrets with --secret NAME=env:VARIABLE, file:PATH or "
                              "fd:NUMBER");
    }

 private:
    void check_declared(const std::string& option, const std::string& name) {
        if (m_declared.count(name) == 0)
            m_problems.push_back(option + ": no due upgrade declares this parameter");
    }

    std::optional<Secret> plain_value(const Parameter& parameter) {
        if (m_given.secrets.count(parameter.name) != 0)
            m_problems.push_back("--secret " + parameter.name +
                                 ": it is no secret; give it with --env");
        if (const auto given = m_given.values.find(parameter.name); given != m_given.values.end())
            return Secret(given->second);
        for (const auto* values : {&m_known.configured, &m_known.kept}) {
            if (const auto found = values->find(parameter.name); found != values->end())
                return Secret(found->second);
        }
        if (!parameter.default_value) return std::nullopt;
        return Secret(*parameter.default_value);
    }

    std::optional<Secret> secret_value(const Parameter& parameter, const std::string& place) {
        if (m_given.values.count(parameter.name) != 0 ||
            m_known.configured.count(parameter.name) != 0)
            m_problems.push_back(place +
                                 ", a secret: it belongs neither into the config nor into --env");
        const auto given = m_given.secrets.find(parameter.name);
        return given == m_given.secrets.end() ? std::nullopt : std::optional(given->second);
    }

    std::optional<Secret> typed(const Parameter& parameter, const std::string& place) {
        const auto known = m_typed.find(parameter.name);
        if (known != m_typed.end()) return known->second;
        if (m_terminal == nullptr || !m_terminal->interactive()) return std::nullopt;
        auto answer =
            parameter.secret ? m_terminal->ask_secret(place + ": ") : m_terminal->ask(place + ": ");
        if (!answer || answer->empty()) return std::nullopt;
        return m_typed[parameter.name] = Secret(std::move(*answer));
    }

    const GivenParameters& m_given;
    const KnownParameters& m_known;
    Terminal* m_terminal;
    std::set<std::string> m_declared;
    std::map<std::string, Secret> m_typed;
    std::vector<std::string> m_problems;
};

std::string read_descriptor(const std::string& number, const std::string& place) {
    int fd = -1;
    try {
        std::size_t read = 0;
        fd = std::stoi(number, &read);
        if (read != number.size()) fd = -1;
    } catch (const std::exception&) {
        fd = -1;
    }
    constexpr int k_first_free = 3;
    if (fd < k_first_free)
        throw Error(Failure::usage,
                    place + ": expected the number of an open descriptor from 3 on");
    const UniqueFd owned(fd);  // read once: nobody else is to have it
    return read_to_end(fd, k_max_secret, place);
}

}  // namespace

Secret read_secret(const std::string& name, const std::string& reference) {
    const std::string place = "--secret " + name + '=' + reference;
    const std::size_t colon = reference.find(':');
    const std::string kind = reference.substr(0, colon);
    const std::string where = colon == std::string::npos ? "" : reference.substr(colon + 1);
    std::string value;
    if (kind == "env" && !where.empty()) {
        const auto variable = take_secret_variable(where);
        if (!variable)
            throw Error(Failure::usage,
                        place + ": the variable " + where + " is not set, or empty");
        value = variable->reveal();
    } else if (kind == "file" && !where.empty()) {
        try {
            value = read_given_file(where, k_max_secret);
        } catch (const Error& error) {
            throw error.as(Failure::usage).within(place);
        }
    } else if (kind == "fd" && !where.empty()) {
        try {
            value = read_descriptor(where, place);
        } catch (const Error& error) {
            throw error.as(Failure::usage);
        }
    } else {
        // Perhaps the value itself was written here: it is not repeated.
        throw Error(Failure::usage, "--secret " + name +
                                        ": expected env:VARIABLE, file:PATH or fd:NUMBER, not the "
                                        "value itself");
    }
    if (!value.empty() && value.back() == '\n') value.pop_back();
    if (value.empty()) throw Error(Failure::usage, place + ": it is empty");
    return Secret(std::move(value));
}

std::vector<ParameterValues> resolve_parameters(const std::vector<const Manifest*>& manifests,
                                                const GivenParameters& given,
                                                const KnownParameters& known, Terminal* terminal) {
    Resolver resolver(given, known, terminal);
    std::vector<ParameterValues> resolved;
    resolved.reserve(manifests.size());
    for (const Manifest* manifest : manifests) resolved.push_back(resolver.resolve(*manifest));
    resolver.finish();
    return resolved;
}

std::map<std::string, std::string> values_to_keep(const Manifest& manifest,
                                                  const ParameterValues& values) {
    std::map<std::string, std::string> kept;
    for (const Parameter& parameter : manifest.parameters) {
        const auto value = values.find(parameter.name);
        if (!parameter.secret && value != values.end() && value->second)
            kept[parameter.name] = value->second->reveal();
    }
    return kept;
}

std::map<std::string, Secret> secrets_in(const Manifest& manifest, const ParameterValues& values) {
    std::map<std::string, Secret> secrets;
    for (const Parameter& parameter : manifest.parameters) {
        const auto value = values.find(parameter.name);
        if (parameter.secret && value != values.end() && value->second)
            secrets[parameter.name] = *value->second;
    }
    return secrets;
}

}  // namespace runner
