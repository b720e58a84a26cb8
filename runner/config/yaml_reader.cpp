// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_reader.hpp"

#include <algorithm>
#include <set>

#include "model/error.hpp"
#include "model/pattern.hpp"
#include "model/upgrade_version.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

const char* kind_name(const YAML::Node& node) {
    if (node.IsMap()) return "a mapping";
    if (node.IsSequence()) return "a list";
    if (node.IsScalar()) return "a single value";
    return "nothing";
}

/// The key of `entries` that was probably meant: the one that differs in case or by one edit only.
std::string nearest(const std::vector<SchemaEntry>& entries, const std::string& key) {
    const auto distance = [](const std::string& a, const std::string& b) {
        std::vector<std::size_t> row(b.size() + 1);
        for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= a.size(); ++i) {
            std::size_t diagonal = row[0]++;
            for (std::size_t j = 1; j <= b.size(); ++j) {
                const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
            }
        }
        return row[b.size()];
    };
    for (const SchemaEntry& entry : entries) {
        if (distance(lower(entry.key), lower(key)) <= 2) return entry.key;
    }
    return {};
}

class Checker {
 public:
    std::vector<ConfigProblem> problems;

    void check(const YAML::Node& node, const SchemaEntry& entry) {
        switch (entry.kind) {
            case ValueKind::object:
                check_object(node, entry);
                break;
            case ValueKind::objects:
                check_objects(node, entry);
                break;
            case ValueKind::words:
                check_words(node, entry);
                break;
            case ValueKind::texts:
                check_list(node, entry);
                break;
            case ValueKind::text_map:
            case ValueKind::name_map:
                check_map(node, entry);
                break;
            default:
                check_scalar(node, entry);
                break;
        }
    }

 private:
    void add(const YAML::Mark& mark, const std::string& message) {
        problems.push_back({mark.line + 1, mark.column + 1, message});
    }

    void check_object(const YAML::Node& node, const SchemaEntry& entry) {
        if (!node.IsMap()) {
            add(node.Mark(), "'" + entry.key + "' must be a mapping, not " + kind_name(node));
            return;
        }
        std::set<std::string> seen;
        for (const auto& pair : node) {
            const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : std::string();
            const auto child =
                std::find_if(entry.children.begin(), entry.children.end(),
                             [&](const SchemaEntry& candidate) { return candidate.key == key; });
            if (!seen.insert(key).second) {
                add(pair.first.Mark(), "'" + key + "' is there twice");
            } else if (child == entry.children.end()) {
                const std::string meant = nearest(entry.children, key);
                add(pair.first.Mark(),
                    "unknown key '" + key + "' in " + place(entry) +
                        (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
            } else {
                check(pair.second, *child);
            }
        }
        for (const SchemaEntry& child : entry.children) {
            if (child.required && seen.count(child.key) == 0) {
                add(node.Mark(), "'" + child.key + "' is missing in " + place(entry));
            }
        }
    }

    void check_objects(const YAML::Node& node, const SchemaEntry& entry) {
        if (!node.IsSequence()) {
            add(node.Mark(), "'" + entry.key + "' must be a list, not " + kind_name(node));
            return;
        }
        for (const auto& item : node) check_object(item, entry);
    }

    void check_words(const YAML::Node& node, const SchemaEntry& entry) {
        if (!node.IsSequence()) {
            check_word(node, entry);
            return;
        }
        if (node.size() == 0) add(node.Mark(), "'" + entry.key + "' must not be empty");
        for (const auto& item : node) check_word(item, entry);
    }

    void check_word(const YAML::Node& node, const SchemaEntry& entry) {
        const std::string value = node.IsScalar() ? node.Scalar() : kind_name(node);
        if (std::find(entry.words.begin(), entry.words.end(), value) == entry.words.end())
            add(node.Mark(), "'" + entry.key + "' must be " + join(entry.words, " or ") +
                                 ", not '" + value + "'");
    }

    static std::string place(const SchemaEntry& entry) {
        return entry.key.find(' ') == std::string::npos ? "'" + entry.key + "'"
                                                        : "the " + entry.key;
    }

    static bool may_be(const SchemaEntry& entry, const std::string& value) {
        return entry.pattern.empty() || Pattern(entry.pattern).matches(value);
    }

    void check_scalar(const YAML::Node& node, const SchemaEntry& entry) {
        if (!node.IsScalar()) {
            add(node.Mark(), "'" + entry.key + "' must be a single value, not " + kind_name(node));
            return;
        }
        const std::string& value = node.Scalar();
        if (value.empty()) {
            add(node.Mark(), "'" + entry.key + "' must not be empty");
        } else if (entry.kind == ValueKind::word) {
            check_word(node, entry);
        } else if (entry.kind == ValueKind::version || entry.kind == ValueKind::target) {
            check_version(node, entry);
        } else if (!may_be(entry, value)) {
            add(node.Mark(),
                "'" + entry.key + "' is '" + value + "', which does not match " + entry.pattern);
        }
    }

    void check_version(const YAML::Node& node, const SchemaEntry& entry) {
        const std::string& value = node.Scalar();
        if (entry.kind == ValueKind::target && (value == "latest" || value == "stable")) return;
        try {
            SemanticVersion::parse(value);
        } catch (const Error& error) {
            add(node.Mark(), "'" + entry.key + "': " + error.what());
        }
    }

    void check_list(const YAML::Node& node, const SchemaEntry& entry) {
        if (!node.IsSequence()) {
            add(node.Mark(), "'" + entry.key + "' must be a list, not " + kind_name(node));
            return;
        }
        if (entry.required && node.size() == 0)
            add(node.Mark(), "'" + entry.key + "' must not be empty");
        for (const auto& item : node) {
            if (!item.IsScalar() || item.Scalar().empty()) {
                add(item.Mark(),
                    "'" + entry.key + "' must hold single values, not " + kind_name(item));
            } else if (!may_be(entry, item.Scalar())) {
                add(item.Mark(), "'" + entry.key + "' holds '" + item.Scalar() +
                                     "', which does not match " + entry.pattern);
            }
        }
    }

    void check_map(const YAML::Node& node, const SchemaEntry& entry) {
        if (!node.IsMap()) {
            add(node.Mark(), "'" + entry.key + "' must be a mapping, not " + kind_name(node));
            return;
        }
        static const Pattern name_pattern("[A-Za-z_][A-Za-z0-9_]*");
        std::set<std::string> seen;
        for (const auto& pair : node) {
            const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : std::string();
            if (!seen.insert(key).second) add(pair.first.Mark(), "'" + key + "' is there twice");
            if (entry.kind == ValueKind::name_map && !name_pattern.matches(key)) {
                add(pair.first.Mark(),
                    "'" + key + "' in '" + entry.key + "' is no name for an environment variable");
            }
            if (!pair.second.IsScalar()) {
                add(pair.second.Mark(), "'" + key + "' in '" + entry.key +
                                            "' must be a single value, not " +
                                            kind_name(pair.second));
            }
        }
    }
};

}  // namespace

std::vector<ConfigProblem> check_config(const YAML::Node& node, const SchemaEntry& schema) {
    Checker checker;
    checker.check(node, schema);
    std::stable_sort(checker.problems.begin(), checker.problems.end(),
                     [](const auto& a, const auto& b) {
                         return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                     });
    return checker.problems;
}

}  // namespace runner
