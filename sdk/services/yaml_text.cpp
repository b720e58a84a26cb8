// SPDX-License-Identifier: Apache-2.0
#include "services/yaml_text.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace upgrade::services {
namespace {

/// Hears nothing.
class NoHandler : public YAML::EventHandler {
 public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

/// Hands all on, and ends the parser, which calls itself for each level, when it goes too deep.
class BoundedHandler final : public YAML::EventHandler {
 public:
    explicit BoundedHandler(YAML::EventHandler& next) : m_next(next) {}

    void OnDocumentStart(const YAML::Mark& mark) override { m_next.OnDocumentStart(mark); }
    void OnDocumentEnd() override { m_next.OnDocumentEnd(); }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        m_next.OnNull(mark, anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        m_next.OnAlias(mark, anchor);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        m_next.OnScalar(mark, tag, anchor, value);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value style) override {
        go_deeper(mark);
        m_next.OnSequenceStart(mark, tag, anchor, style);
    }
    void OnSequenceEnd() override {
        --m_depth;
        m_next.OnSequenceEnd();
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value style) override {
        go_deeper(mark);
        m_next.OnMapStart(mark, tag, anchor, style);
    }
    void OnMapEnd() override {
        --m_depth;
        m_next.OnMapEnd();
    }

 private:
    void go_deeper(const YAML::Mark& mark) {
        if (++m_depth > k_max_yaml_depth)
            throw YamlError(
                "nested too deep: more than " + std::to_string(k_max_yaml_depth) + " levels",
                mark.line + 1, mark.column + 1);
    }

    YAML::EventHandler& m_next;
    std::size_t m_depth = 0;
};

}  // namespace

std::size_t read_yaml(std::string_view text, YAML::EventHandler& handler, std::size_t most) {
    // The library would take such bytes for UTF-16, and never come to an end on some of them.
    if (const std::size_t odd = text.find_first_of(std::string_view("\0\xFE\xFF", 3));
        odd != std::string_view::npos)
        throw YamlError("byte " + std::to_string(odd + 1) + " is in no UTF-8 text", 1, 1);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        BoundedHandler bounded(handler);
        std::size_t count = 0;
        while (count < most && parser.HandleNextDocument(bounded)) ++count;
        return count;
    } catch (const YAML::Exception& error) {
        throw YamlError(error.msg, error.mark.line + 1, error.mark.column + 1);
    }
}

YAML::Node load_yaml(std::string_view text) {
    NoHandler nobody;
    const std::size_t count = read_yaml(text, nobody, 2);
    if (count == 0) throw YamlError("expected one YAML document, found none", 1, 1);
    if (count > 1) throw YamlError("expected one YAML document, found several", 1, 1);
    try {
        return YAML::Load(std::string(text));
    } catch (const YAML::Exception& error) {
        throw YamlError(error.msg, error.mark.line + 1, error.mark.column + 1);
    }
}

}  // namespace upgrade::services
