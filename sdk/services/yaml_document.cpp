// SPDX-License-Identifier: Apache-2.0
#include "services/yaml_document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

#include "services/service_error.hpp"

namespace upgrade::services {
namespace {

constexpr std::size_t k_max_depth = 100;
constexpr std::size_t k_max_documents =
    10'000;  // on some broken texts yaml-cpp finds them without end

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
        if (m_open.size() >= k_max_depth)
            throw Refusal(UPGRADE_INVALID, "YAML nested more than 100 levels deep");
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
    // yaml-cpp would take such bytes for UTF-16, and never come to an end on some of them.
    if (text.find_first_of(std::string_view("\0\xFE\xFF", 3)) != std::string_view::npos) {
        throw Refusal(UPGRADE_INVALID, "not valid YAML: it holds bytes that are in no UTF-8 text");
    }
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        TreeBuilder builder;
        while (parser.HandleNextDocument(builder)) {
            if (builder.documents.size() > k_max_documents)
                throw Refusal(UPGRADE_INVALID, "more than 10000 YAML documents");
        }
        return std::move(builder.documents);
    } catch (const YAML::Exception& error) {
        throw Refusal(UPGRADE_INVALID,
                      "not valid YAML at line " + std::to_string(error.mark.line + 1) +
                          ", column " + std::to_string(error.mark.column + 1) + ": " + error.msg);
    }
}

}  // namespace upgrade::services
