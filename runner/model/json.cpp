// SPDX-License-Identifier: Apache-2.0
#include "model/json.hpp"

#include <algorithm>
#include <utility>

#include "model/error.hpp"
#include "model/harmless.hpp"

namespace runner {
namespace {

/// Refuses text whose brackets and braces are nested too deep, without any recursion.
void check_depth(std::string_view text, const std::string& what) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == ']' || c == '}') {
            --depth;
        } else if ((c == '[' || c == '{') && ++depth > k_max_json_depth) {
            const std::string_view before = text.substr(0, i);
            throw Error(Failure::preparation,
                        what + " is nested too deep at line " +
                            std::to_string(1 + std::count(before.begin(), before.end(), '\n')) +
                            ", column " + std::to_string(i - (before.rfind('\n') + 1) + 1) +
                            ": more than " + std::to_string(k_max_json_depth) + " levels");
        }
    }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& what) {
    check_depth(text, what);
    try {
        return Json::parse(text);
    } catch (const nlohmann::json::exception& error) {
        throw Error(Failure::preparation, what + " is not valid JSON: " + error.what());
    }
}

std::string dump_json(const Json& value, int indent) {
    return harmless_json(value.dump(indent, ' ', false, Json::error_handler_t::replace));
}

JsonObject::JsonObject(const Json& value, std::string what)
    : m_value(value), m_what(std::move(what)) {
    if (!value.is_object()) {
        throw Error(Failure::preparation,
                    m_what + " must be a JSON object, not " + value.type_name());
    }
}

const Json* JsonObject::find(const char* key) const {
    const auto found = m_value.find(key);
    return found == m_value.end() || found->is_null() ? nullptr : &*found;
}

bool JsonObject::has(const char* key) const {
    return find(key) != nullptr;
}

const Json& JsonObject::at(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) fail(key, "is missing");
    return *value;
}

void JsonObject::fail(const char* key, const std::string& reason) const {
    throw Error(Failure::preparation, m_what + ": '" + key + "' " + reason);
}

std::string JsonObject::string(const char* key) const {
    const Json& value = at(key);
    if (!value.is_string()) fail(key, std::string("must be a string, not ") + value.type_name());
    return value.get<std::string>();
}

std::string JsonObject::string_or(const char* key, std::string fallback) const {
    return has(key) ? string(key) : std::move(fallback);
}

std::int64_t JsonObject::integer(const char* key) const {
    const Json& value = at(key);
    if (!value.is_number_integer())
        fail(key, std::string("must be a whole number, not ") + value.type_name());
    return value.get<std::int64_t>();
}

std::int64_t JsonObject::integer_or(const char* key, std::int64_t fallback) const {
    return has(key) ? integer(key) : fallback;
}

bool JsonObject::boolean_or(const char* key, bool fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean())
        fail(key, std::string("must be true or false, not ") + value->type_name());
    return value->get<bool>();
}

std::vector<std::string> JsonObject::strings_or_empty(const char* key) const {
    std::vector<std::string> strings;
    const Json* value = find(key);
    if (value == nullptr) return strings;
    if (!value->is_array())
        fail(key, std::string("must be a list of strings, not ") + value->type_name());
    for (const Json& item : *value) {
        if (!item.is_string())
            fail(key, std::string("must hold strings only, not ") + item.type_name());
        strings.push_back(item.get<std::string>());
    }
    return strings;
}

}  // namespace runner
