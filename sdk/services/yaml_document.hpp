// SPDX-License-Identifier: Apache-2.0
// A YAML stream as a tree that knows where in the text each node stands.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace upgrade::services {

enum class YamlKind { null, scalar, list, mapping, alias };

struct YamlNode {
    YamlKind kind = YamlKind::null;
    std::string value;  ///< of a scalar; of an alias a text that stands for what it points to
    std::string tag;
    bool anchored = false;
    bool flow = false;            ///< written with braces or brackets
    std::size_t position = 0;     ///< of its first byte
    std::vector<YamlNode> keys;   ///< of a mapping
    std::vector<YamlNode> items;  ///< values of a mapping, in the order of keys; or items of a list
};

/// Whether both say the same, wherever they stand.
bool same_meaning(const YamlNode& a, const YamlNode& b);

/// Every document of the stream. Throws Refusal (UPGRADE_INVALID) with line and column when it is
/// no YAML that read_yaml takes.
std::vector<YamlNode> parse_yaml(std::string_view text);

}  // namespace upgrade::services
