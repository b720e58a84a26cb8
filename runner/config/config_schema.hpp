// SPDX-License-Identifier: Apache-2.0
// Which keys a cluster config has: the one table behind the reader and the published JSON Schema.
#pragma once

#include <string>
#include <vector>

namespace runner {

enum class ValueKind {
    object,    ///< with the keys of `children`
    text,      ///< a string, not empty
    number,    ///< a whole number from 1 to 9
    word,      ///< one of `words`
    version,   ///< MAJOR.MINOR.PATCH[-PRERELEASE]
    target,    ///< latest, stable or a version
    texts,     ///< a list of strings
    words,     ///< one or several of `words`
    objects,   ///< a list of objects, with the keys of `children`
    text_map,  ///< any keys, string values
    name_map,  ///< environment variables: names [A-Za-z_][A-Za-z0-9_]*, string values
};

struct SchemaEntry {
    std::string key;
    ValueKind kind = ValueKind::text;
    std::string description;
    bool required = false;
    std::vector<std::string> words;
    std::vector<SchemaEntry> children;
    /// For text: a regular expression that is read alike by RE2 and by a JSON Schema; empty: any.
    std::string pattern;
};

/// The whole document.
const SchemaEntry& config_schema();

}  // namespace runner
