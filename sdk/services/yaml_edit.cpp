// SPDX-License-Identifier: Apache-2.0
#include "services/yaml_edit.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "services/service_error.hpp"
#include "services/yaml_document.hpp"

namespace upgrade::services {
namespace {

[[noreturn]] void invalid(const std::string& message) {
    throw Refusal(UPGRADE_INVALID, message);
}

/// One part of a selector.
struct Part {
    enum class Kind { key, index, match, append } kind = Kind::key;
    std::string key;
    std::string value;  ///< of a match
    std::size_t index = 0;
};

struct Selector {
    std::vector<std::pair<std::string, std::string>>
        document;  ///< dotted key and value, all of which must hold
    std::vector<Part> parts;
};

class SelectorReader {
 public:
    explicit SelectorReader(std::string_view text) : m_text(text), m_rest(text) {}

    Selector read() {
        Selector selector;
        if (skip('{')) {
            do {
                std::string key = until("=");
                expect('=');
                std::string value = until(",}");
                selector.document.emplace_back(std::move(key), std::move(value));
            } while (skip(','));
            expect('}');
            if (!m_rest.empty()) expect('.');
        }
        while (!m_rest.empty()) {
            if (skip('[')) {
                selector.parts.push_back(bracket());
            } else {
                Part part;
                part.key = skip('"') ? quoted() : until(".[");
                if (part.key.empty()) fail("a key is empty");
                selector.parts.push_back(std::move(part));
            }
            if (m_rest.empty() || m_rest.front() == '[') continue;
            expect('.');
            if (m_rest.empty()) fail("it ends with a dot");
        }
        if (selector.parts.empty()) fail("it names no key");
        return selector;
    }

 private:
    bool skip(char c) {
        if (m_rest.empty() || m_rest.front() != c) return false;
        m_rest.remove_prefix(1);
        return true;
    }
    void expect(char c) {
        if (!skip(c)) fail(std::string("expected '") + c + "'");
    }
    std::string until(std::string_view stops) {
        const std::size_t end = std::min(m_rest.find_first_of(stops), m_rest.size());
        std::string found(m_rest.substr(0, end));
        m_rest.remove_prefix(end);
        return found;
    }
    std::string quoted() {
        std::string found = until("\"");
        expect('"');
        return found;
    }
    Part bracket() {
        Part part;
        const std::string content = until("=]");
        if (skip('=')) {
            part.kind = Part::Kind::match;
            part.key = content;
            part.value = skip('"') ? quoted() : until("]");
        } else if (content == "+") {
            part.kind = Part::Kind::append;
        } else {
            part.kind = Part::Kind::index;
            const auto [end, status] =
                std::from_chars(content.data(), content.data() + content.size(), part.index);
            if (status != std::errc() || end != content.data() + content.size())
                fail("[index] must be a number");
        }
        expect(']');
        return part;
    }
    [[noreturn]] void fail(const std::string& reason) const {
        invalid("selector '" + std::string(m_text) + "': " + reason);
    }

    std::string_view m_text;
    std::string_view m_rest;
};

/// The nodes from the document down to what was found.
using Path = std::vector<YamlNode*>;

YamlNode* value_of(YamlNode& mapping, std::string_view key) {
    for (std::size_t i = 0; i < mapping.keys.size(); ++i) {
        if (mapping.keys[i].kind == YamlKind::scalar && mapping.keys[i].value == key)
            return &mapping.items[i];
    }
    return nullptr;
}

YamlNode* child(YamlNode& node, const Part& part) {
    if (part.kind == Part::Kind::key)
        return node.kind == YamlKind::mapping ? value_of(node, part.key) : nullptr;
    if (node.kind != YamlKind::list) return nullptr;
    if (part.kind == Part::Kind::append) return nullptr;
    if (part.kind == Part::Kind::index)
        return part.index < node.items.size() ? &node.items[part.index] : nullptr;
    YamlNode* found = nullptr;
    for (YamlNode& item : node.items) {
        YamlNode* value = part.key.empty()                 ? &item
                          : item.kind == YamlKind::mapping ? value_of(item, part.key)
                                                           : nullptr;
        if (value == nullptr || value->kind != YamlKind::scalar || value->value != part.value)
            continue;
        if (found != nullptr) invalid("several list items have " + part.key + "=" + part.value);
        found = &item;
    }
    return found;
}

/// Follows as many parts as there are; path.size() is one more than how many were found.
Path walk(YamlNode& document, const std::vector<Part>& parts) {
    Path path{&document};
    for (const Part& part : parts) {
        YamlNode* next = child(*path.back(), part);
        if (next == nullptr) break;
        path.push_back(next);
    }
    return path;
}

bool document_matches(YamlNode& document, const Selector& selector) {
    return std::all_of(selector.document.begin(), selector.document.end(), [&](const auto& wanted) {
        const Path path = walk(document, SelectorReader(wanted.first).read().parts);
        return path.back()->kind == YamlKind::scalar && path.back()->value == wanted.second;
    });
}

/// Where the selector leads: complete, or up to the parent of a key that is missing; empty when
/// neither.
Path locate(std::vector<YamlNode>& documents, const Selector& selector, bool parent_suffices) {
    std::vector<Path> complete;
    std::vector<Path> parents;
    for (YamlNode& document : documents) {
        if (!document_matches(document, selector)) continue;
        Path path = walk(document, selector.parts);
        if (path.size() == selector.parts.size() + 1) complete.push_back(path);
        if (path.size() == selector.parts.size()) parents.push_back(path);
    }
    if (complete.size() > 1)
        invalid("the selector matches in several documents; choose one, as in {kind=Deployment}.");
    if (complete.size() == 1) return complete.front();
    if (!parent_suffices || parents.empty()) return {};
    if (parents.size() > 1)
        invalid(
            "the key could be added to several documents; choose one, as in {kind=Deployment}.");
    return parents.front();
}

std::size_t line_end(std::string_view text, std::size_t position) {
    return std::min(text.find('\n', position), text.size());
}

std::size_t line_start(std::string_view text, std::size_t position) {
    const std::size_t newline =
        position == 0 ? std::string_view::npos : text.rfind('\n', position - 1);
    return newline == std::string_view::npos ? 0 : newline + 1;
}

std::size_t indentation(std::string_view text, std::size_t start) {
    const std::size_t first = text.find_first_not_of(' ', start);
    return (first == std::string_view::npos ? text.size() : first) - start;
}

std::size_t end_of_quoted(std::string_view text, std::size_t position, char quote) {
    for (std::size_t i = position + 1; i < text.size(); ++i) {
        if (quote == '"' && text[i] == '\\') {
            ++i;
        } else if (text[i] == quote) {
            if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return i + 1;
            ++i;
        }
    }
    invalid("a quoted value does not end");
}

/// The end of a block scalar whose '|' or '>' is at `position`: all further lines that are blank or
/// deeper than the line it begins on.
std::size_t end_of_block(std::string_view text, std::size_t position) {
    const std::size_t own_start = line_start(text, position);
    std::size_t own_indentation = indentation(text, own_start);
    while (text.substr(own_start + own_indentation, 2) == "- ") {
        own_indentation += 2 + indentation(text, own_start + own_indentation + 2);
    }
    std::size_t end = line_end(text, position);
    while (end < text.size()) {
        const std::size_t next = end + 1;
        const std::size_t next_end = line_end(text, next);
        const std::size_t depth = indentation(text, next);
        const bool blank = next + depth >= next_end;
        if (!blank && depth <= own_indentation) break;
        if (next >= text.size()) break;
        end = next_end;
    }
    while (end > 0 && text[end - 1] == '\n') --end;
    return end;
}

/// One past the last byte of a scalar as it is written. Throws Refusal when it runs over several
/// lines unquoted.
std::size_t end_of_scalar(std::string_view text, const YamlNode& node) {
    const char first = node.position < text.size() ? text[node.position] : '\0';
    if (first == '"' || first == '\'') return end_of_quoted(text, node.position, first);
    if (first == '|' || first == '>') return end_of_block(text, node.position);
    if (text.substr(node.position, node.value.size()) == node.value)
        return node.position + node.value.size();
    invalid(
        "a value runs over several lines without quotes, or has a tag or an anchor; change it by "
        "hand");
}

/// One past the last byte of a node and all below it.
std::size_t end_of_node(std::string_view text, const YamlNode& node) {
    switch (node.kind) {
        case YamlKind::scalar:
            return end_of_scalar(text, node);
        case YamlKind::null:
        case YamlKind::alias:
            return std::min(node.position, text.size());
        case YamlKind::list:
        case YamlKind::mapping:
            break;
    }
    if (node.flow) {
        const char closing = node.kind == YamlKind::list ? ']' : '}';
        const std::size_t inside =
            node.items.empty() ? node.position + 1 : end_of_node(text, node.items.back());
        return std::min(text.find(closing, inside), text.size() - 1) + 1;
    }
    if (node.items.empty()) return node.position;
    const std::size_t keys_end = node.keys.empty() ? 0 : end_of_scalar(text, node.keys.back());
    const YamlNode& last = node.items.back();
    const bool written = last.kind != YamlKind::null;
    return std::max(keys_end, written ? end_of_node(text, last) : keys_end);
}

std::string double_quoted(std::string_view value) {
    static constexpr char k_digits[] = "0123456789abcdef";
    std::string text = "\"";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            text += {'\\', c};
        } else if (c == '\n') {
            text += "\\n";
        } else if (c == '\t') {
            text += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            text += {'\\', 'x', k_digits[byte >> 4U], k_digits[byte & 15U]};
        } else {
            text += c;
        }
    }
    return text + '"';
}

std::string single_quoted(std::string_view value) {
    std::string text = "'";
    for (const char c : value) text += c == '\'' ? std::string("''") : std::string(1, c);
    return text + '\'';
}

/// The ways to write `value`, the one nearest to how the old value was written first.
std::vector<std::string> spellings(std::string_view value, char old_first) {
    std::vector<std::string> ways;
    if (old_first == '\'') ways.push_back(single_quoted(value));
    if (old_first == '"') ways.push_back(double_quoted(value));
    if (old_first != '\'' && old_first != '"' && !value.empty()) ways.emplace_back(value);
    ways.push_back(double_quoted(value));
    return ways;
}

bool same_documents(const std::vector<YamlNode>& a, const std::vector<YamlNode>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!same_meaning(a[i], b[i])) return false;
    }
    return true;
}

/// The first candidate that reads back as `meant`.
template <typename Candidates>
std::string first_exact(const std::vector<YamlNode>& meant, const Candidates& candidates,
                        std::string_view selector) {
    for (const std::string& candidate : candidates) {
        try {
            if (same_documents(parse_yaml(candidate), meant)) return candidate;
        } catch (const Refusal&) {
            continue;  // the next spelling may do
        }
    }
    invalid("the value at '" + std::string(selector) +
            "' cannot be changed without touching others; edit the file");
}

std::string replaced(std::string_view text, std::size_t begin, std::size_t end,
                     std::string_view by) {
    std::string result(text.substr(0, begin));
    result += by;
    result += text.substr(end);
    return result;
}

std::string replace_scalar(std::string_view text, std::vector<YamlNode>& documents, YamlNode& node,
                           std::string_view selector, std::string_view value) {
    if (node.anchored || (!node.tag.empty() && node.tag != "?" && node.tag != "!")) {
        invalid("the value at '" + std::string(selector) +
                "' has a tag or an anchor; change it by hand");
    }
    const std::size_t begin = node.position;
    const std::size_t end = end_of_scalar(text, node);
    node.value = value;
    std::vector<std::string> candidates;
    for (const std::string& way : spellings(value, begin < text.size() ? text[begin] : '\0')) {
        candidates.push_back(replaced(text, begin, end, way));
    }
    return first_exact(documents, candidates, selector);
}

/// Gives the key whose value is empty a value.
std::string fill_null(std::string_view text, std::vector<YamlNode>& documents, YamlNode& mapping,
                      YamlNode& node, std::string_view selector, std::string_view value) {
    const auto index = static_cast<std::size_t>(&node - mapping.items.data());
    const std::size_t key_end = end_of_scalar(text, mapping.keys[index]);
    const std::size_t colon = text.find(':', key_end);
    std::size_t end = colon + 1;
    for (const std::string_view word : {" ~", " null", " Null", " NULL"}) {
        if (text.substr(end, word.size()) == word) end += word.size();
    }
    node.kind = YamlKind::scalar;
    node.value = value;
    std::vector<std::string> candidates;
    for (const std::string& way : spellings(value, '\0'))
        candidates.push_back(replaced(text, colon + 1, end, ' ' + way));
    return first_exact(documents, candidates, selector);
}

std::string add_key(std::string_view text, std::vector<YamlNode>& documents, YamlNode& mapping,
                    const Part& key, std::string_view selector, std::string_view value) {
    if (mapping.kind != YamlKind::mapping || key.kind != Part::Kind::key) {
        throw Refusal(UPGRADE_NOT_FOUND,
                      "nothing at '" + std::string(selector) + "', and nothing that could hold it");
    }
    if (mapping.flow || mapping.keys.empty()) {
        invalid("'" + std::string(selector) +
                "' would have to be added to a mapping in braces; edit the file");
    }
    const std::size_t first_key = mapping.keys.front().position;
    const std::size_t column = first_key - line_start(text, first_key);
    const std::size_t insert_at = line_end(text, end_of_node(text, mapping));
    YamlNode key_node;
    key_node.kind = YamlKind::scalar;
    key_node.value = key.key;
    YamlNode value_node;
    value_node.kind = YamlKind::scalar;
    value_node.value = value;
    mapping.keys.push_back(key_node);
    mapping.items.push_back(value_node);
    std::vector<std::string> candidates;
    for (const std::string& key_text : spellings(key.key, '\0')) {
        for (const std::string& value_text : spellings(value, '\0')) {
            std::string line = "\n";
            line += std::string(column, ' ');
            line += key_text;
            line += ": ";
            line += value_text;
            candidates.push_back(replaced(text, insert_at, insert_at, line));
        }
    }
    return first_exact(documents, candidates, selector);
}

std::string append_item(std::string_view text, std::vector<YamlNode>& documents, YamlNode& list,
                        std::string_view selector, std::string_view value) {
    if (list.kind != YamlKind::list || list.flow || list.items.empty()) {
        invalid("'" + std::string(selector) +
                "' is not a list with an item on each line; edit the file");
    }
    const std::size_t first = list.items.front().position;
    const std::size_t dash = text.rfind('-', first);
    if (dash == std::string_view::npos || dash < line_start(text, first))
        invalid("'" + std::string(selector) + "': edit the file");
    const std::size_t column = dash - line_start(text, dash);
    const std::size_t insert_at = line_end(text, end_of_node(text, list));
    YamlNode item;
    item.kind = YamlKind::scalar;
    item.value = value;
    list.items.push_back(item);
    std::vector<std::string> candidates;
    for (const std::string& way : spellings(value, '\0')) {
        candidates.push_back(
            replaced(text, insert_at, insert_at, '\n' + std::string(column, ' ') + "- " + way));
    }
    return first_exact(documents, candidates, selector);
}

}  // namespace

std::optional<std::string> yaml_get(std::string_view text, std::string_view selector_text) {
    const Selector selector = SelectorReader(selector_text).read();
    std::vector<YamlNode> documents = parse_yaml(text);
    const Path path = locate(documents, selector, false);
    if (path.empty() || path.back()->kind == YamlKind::null) return std::nullopt;
    if (path.back()->kind != YamlKind::scalar) {
        invalid("'" + std::string(selector_text) +
                "' is a list, a mapping or an alias, not a single value");
    }
    return path.back()->value;
}

std::string yaml_set(std::string_view text, std::string_view selector_text,
                     std::string_view value) {
    const Selector selector = SelectorReader(selector_text).read();
    std::vector<YamlNode> documents = parse_yaml(text);
    const Path path = locate(documents, selector, true);
    if (path.empty()) {
        throw Refusal(UPGRADE_NOT_FOUND,
                      "nothing at '" + std::string(selector_text) + "', nor at its parent");
    }
    YamlNode& node = *path.back();
    if (path.size() == selector.parts.size()) {
        if (selector.parts.back().kind == Part::Kind::append)
            return append_item(text, documents, node, selector_text, value);
        return add_key(text, documents, node, selector.parts.back(), selector_text, value);
    }
    if (node.kind == YamlKind::scalar) {
        if (node.value == value) return std::string(text);
        return replace_scalar(text, documents, node, selector_text, value);
    }
    if (node.kind == YamlKind::null && path[path.size() - 2]->kind == YamlKind::mapping) {
        return fill_null(text, documents, *path[path.size() - 2], node, selector_text, value);
    }
    invalid("'" + std::string(selector_text) +
            "' is a list, a mapping or an alias, not a single value");
}

std::string yaml_remove(std::string_view text, std::string_view selector_text) {
    const Selector selector = SelectorReader(selector_text).read();
    std::vector<YamlNode> documents = parse_yaml(text);
    const Path path = locate(documents, selector, false);
    if (path.empty())
        throw Refusal(UPGRADE_NOT_FOUND, "nothing at '" + std::string(selector_text) + "'");
    YamlNode& parent = *path[path.size() - 2];
    YamlNode& node = *path.back();
    const auto index = static_cast<std::ptrdiff_t>(&node - parent.items.data());
    const bool in_mapping = parent.kind == YamlKind::mapping;
    const YamlNode& first = in_mapping ? parent.keys[static_cast<std::size_t>(index)] : node;
    if (parent.flow || (in_mapping ? text.substr(line_start(text, first.position),
                                                 first.position - line_start(text, first.position))
                                             .find_first_not_of(' ') != std::string_view::npos
                                   : false)) {
        invalid("'" + std::string(selector_text) + "' shares its line with others; edit the file");
    }
    const std::size_t begin = line_start(text, first.position);
    const std::size_t value_end =
        node.kind == YamlKind::null ? end_of_scalar(text, first) : end_of_node(text, node);
    const std::size_t end = std::min(line_end(text, value_end) + 1, text.size());
    parent.items.erase(parent.items.begin() + index);
    if (in_mapping) parent.keys.erase(parent.keys.begin() + index);
    return first_exact(documents, std::vector<std::string>{replaced(text, begin, end, "")},
                       selector_text);
}

}  // namespace upgrade::services
