// SPDX-License-Identifier: Apache-2.0
// Reading JSON that somebody else wrote: bounded in depth, typed, with errors that name the key.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner {

using Json = nlohmann::ordered_json;

/// How deep lists and objects may be nested in each other. Deeper documents would overflow the
/// stack of whoever copies or prints them.
constexpr int k_max_json_depth = 64;

/// Parses `text`: the only way from text to Json. Throws Error{preparation} with `what` as the name
/// of the document, also when it is nested deeper than k_max_json_depth.
Json parse_json(std::string_view text, const std::string& what);

/// `value` as text that a terminal can show: invalid UTF-8 replaced, and what `harmless` would
/// escape escaped as JSON has it.
std::string dump_json(const Json& value, int indent = -1);

/// Typed access to one object; wrong or missing values throw Error{preparation} that names document
/// and key.
class JsonObject {
 public:
    JsonObject(const Json& value, std::string what);

    [[nodiscard]] bool has(const char* key) const;
    [[nodiscard]] std::string string(const char* key) const;
    [[nodiscard]] std::string string_or(const char* key, std::string fallback) const;
    [[nodiscard]] std::int64_t integer(const char* key) const;
    [[nodiscard]] std::int64_t integer_or(const char* key, std::int64_t fallback) const;
    [[nodiscard]] bool boolean_or(const char* key, bool fallback) const;
    [[nodiscard]] std::vector<std::string> strings_or_empty(const char* key) const;
    [[nodiscard]] const Json* find(const char* key) const;  ///< null when absent or null
    [[nodiscard]] const Json& at(const char* key) const;

    [[noreturn]] void fail(const char* key, const std::string& reason) const;

 private:
    const Json& m_value;
    std::string m_what;
};

}  // namespace runner
