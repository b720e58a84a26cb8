// SPDX-License-Identifier: Apache-2.0
// Reading YAML that somebody else wrote: the only place that gives text to the library, and so the
// one that bounds it.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace YAML {
class EventHandler;
class Node;
}  // namespace YAML

namespace upgrade::services {

/// How deep lists and mappings may be nested in each other.
constexpr std::size_t k_max_yaml_depth = 100;

/// Why a text is no YAML that can be read, and where; line and column count from 1.
class YamlError : public std::runtime_error {
 public:
    YamlError(const std::string& reason, int line, int column)
        : std::runtime_error(reason), m_line(line), m_column(column) {}
    [[nodiscard]] int line() const { return m_line; }
    [[nodiscard]] int column() const { return m_column; }

 private:
    int m_line;
    int m_column;
};

/// Tells `handler` what is in the documents of a stream, the first `most` of them; on some broken
/// texts the library finds documents without end. Returns how many it has read. Throws YamlError:
/// no UTF-8, no YAML, or nested deeper than k_max_yaml_depth.
std::size_t read_yaml(std::string_view text, YAML::EventHandler& handler, std::size_t most);

/// The one document of `text` as the library's tree. Throws YamlError, also when there is none or
/// more than one.
YAML::Node load_yaml(std::string_view text);

}  // namespace upgrade::services
