// SPDX-License-Identifier: Apache-2.0
#include "services/yaml_document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "services/service_error.hpp"
#include "services/yaml_text.hpp"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_documents = 10'000;

/// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
    std::vector<YamlNode> documents;

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        add(node(YamlKind::null, mark, anchor));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        YamlNode alias = node(YamlKind::alias, mark, 0);
        alias.value = '*' + std::to_string(anchor);
        add(std::move(alias));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        YamlNode scalar = node(YamlKind::scalar, mark, anchor);
        scalar.tag = tag;
        scalar.value = value;
        add(std::move(scalar));
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value style) override {
        open(YamlKind::list, mark, tag, anchor, style);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value style) override {
        open(YamlKind::mapping, mark, tag, anchor, style);
    }
    void OnMapEnd() override { close(); }

 private:
    static YamlNode node(YamlKind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
        YamlNode made;
        made.kind = kind;
        made.position = static_cast<std::size_t>(mark.pos < 0 ? 0 : mark.pos);
        made.anchored = anchor != 0;
        return made;
    }

    void open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
              YAML::EmitterStyle::value style) {
        YamlNode made = node(kind, mark, anchor);
        made.tag = tag;
        made.flow = style == YAML::EmitterStyle::Flow;
        m_open.push_back(std::move(made));
    }

    void close() {
        YamlNode closed = std::move(m_open.back());
        m_open.pop_back();
        add(std::move(closed));
    }

    void add(YamlNode made) {
        if (m_open.empty()) {
            documents.push_back(std::move(made));
            return;
        }
        YamlNode& parent = m_open.back();
        const bool is_key =
            parent.kind == YamlKind::mapping && parent.keys.size() == parent.items.size();
        (is_key ? parent.keys : parent.items).push_back(std::move(made));
    }

    std::vector<YamlNode> m_open;
};

}  // namespace

bool same_meaning(const YamlNode& a, const YamlNode& b) {
    const auto all_same = [](const std::vector<YamlNode>& left,
                             const std::vector<YamlNode>& right) {
        if (left.size() != right.size()) return false;
        for (std::size_t i = 0; i < left.size(); ++i) {
            if (!same_meaning(left[i], right[i])) return false;
        }
        return true;
    };
    return a.kind == b.kind && a.value == b.value && a.anchored == b.anchored &&
           all_same(a.keys, b.keys) && all_same(a.items, b.items);
}

std::vector<YamlNode> parse_yaml(std::string_view text) {
    try {
        TreeBuilder builder;
        if (read_yaml(text, builder, k_max_documents + 1) > k_max_documents)
            throw Refusal(UPGRADE_INVALID, "more than 10000 YAML documents");
        return std::move(builder.documents);
    } catch (const YamlError& error) {
        throw Refusal(UPGRADE_INVALID, "not valid YAML at line " + std::to_string(error.line()) +
                                           ", column " + std::to_string(error.column()) + ": " +
                                           error.what());
    }
}

}  // namespace upgrade::services
