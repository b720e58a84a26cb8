// SPDX-License-Identifier: Apache-2.0
#include "support/catch.hpp"

#include "services/service_error.hpp"
#include "services/yaml_edit.hpp"
#include "support/small_stack.hpp"

using upgrade::services::Refusal;
using upgrade::services::yaml_get;
using upgrade::services::yaml_remove;
using upgrade::services::yaml_set;

namespace {

const std::string k_deployment =
    "# heading \xc3\xa4\n"
    "apiVersion: apps/v1\n"
    "kind: Deployment\n"
    "metadata:\n"
    "  name: web\n"
    "  annotations: {\"example.com/a.b\": 'it''s'}\n"
    "spec:\n"
    "  replicas: 2   # two\n"
    "  template:\n"
    "    spec:\n"
    "      containers:\n"
    "      - name: web\n"
    "        image: nginx:1.0   # bump me\n"
    "        args: [a, \"b\"]\n"
    "      - name: sidecar\n"
    "        image: \"envoy:2\"\n"
    "        script: |\n"
    "          one\n"
    "          two\n"
    "      nothing:\n"
    "---\n"
    "kind: Service\n"
    "metadata:\n"
    "  name: web\n";

std::string with(const std::string& from, const std::string& to) {
    std::string text = k_deployment;
    return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("values are found by keys, indexes and matches") {
    CHECK(yaml_get(k_deployment, "spec.template.spec.containers[name=web].image") == "nginx:1.0");
    CHECK(yaml_get(k_deployment, "spec.template.spec.containers[1].image") == "envoy:2");
    CHECK(yaml_get(k_deployment, "metadata.annotations.\"example.com/a.b\"") == "it's");
    CHECK(yaml_get(k_deployment, "spec.template.spec.containers[1].script") == "one\ntwo\n");
    CHECK(yaml_get(k_deployment, "{kind=Service}.metadata.name") == "web");
    CHECK_FALSE(yaml_get(k_deployment, "spec.absent"));
    CHECK_FALSE(yaml_get(k_deployment, "spec.template.spec.nothing"));
    CHECK_THROWS_WITH(yaml_get(k_deployment, "metadata.name"),
                      Catch::Contains("several documents"));
    CHECK_THROWS_WITH(yaml_get(k_deployment, "spec.template"),
                      Catch::Contains("not a single value"));
    CHECK_THROWS_WITH(yaml_get("a: [b", "a"), Catch::Contains("line 1"));
    for (const char* bad : {"", ".", "a.", "a[", "a[x]", "{a=b", "a..b"})
        CHECK_THROWS_AS(yaml_get("a: 1", bad), Refusal);
}

TEST_CASE("setting a value keeps every other byte, comments and quotes included") {
    CHECK(yaml_set(k_deployment, "spec.template.spec.containers[name=web].image", "nginx:2.0") ==
          with("nginx:1.0", "nginx:2.0"));
    CHECK(yaml_set(k_deployment, "spec.template.spec.containers[name=sidecar].image", "envoy:3") ==
          with("\"envoy:2\"", "\"envoy:3\""));
    CHECK(yaml_set(k_deployment, "spec.replicas", "3") == with("replicas: 2 ", "replicas: 3 "));
    CHECK(yaml_set(k_deployment, "metadata.annotations.\"example.com/a.b\"", "it isn't") ==
          with("'it''s'", "'it isn''t'"));
    CHECK(yaml_set(k_deployment, "spec.template.spec.containers[0].args[1]", "c") ==
          with("\"b\"", "\"c\""));
    CHECK(yaml_set(k_deployment, "spec.template.spec.nothing", "x") ==
          with("nothing:", "nothing: x"));
    CHECK(yaml_set(k_deployment, "spec.replicas", "2") == k_deployment);
}

TEST_CASE("a value that would read as something else is quoted") {
    CHECK(yaml_set("a: b\n", "a", "x: y") == "a: \"x: y\"\n");
    CHECK(yaml_set("a: b\n", "a", "two\nlines") == "a: \"two\\nlines\"\n");
    CHECK(yaml_set("a: b\n", "a", "") == "a: \"\"\n");
    CHECK(yaml_set("a: [b]\n", "a[0]", "x, y") == "a: [\"x, y\"]\n");
    CHECK(yaml_set("a: b # c\n", "a", "# d") == "a: \"# d\" # c\n");
}

TEST_CASE("a missing last key and a new list item are added at the end of what holds them") {
    CHECK(yaml_set("a:\n  b: 1\n# c\nd: 2\n", "a.x", "3") == "a:\n  b: 1\n  x: 3\n# c\nd: 2\n");
    CHECK(yaml_set("a:\n  b: |\n    text\nd: 2\n", "a.x", "3") ==
          "a:\n  b: |\n    text\n  x: 3\nd: 2\n");
    CHECK(yaml_set("l:\n  - one   # first\n", "l[+]", "two") == "l:\n  - one   # first\n  - two\n");
    CHECK(yaml_set("l:\n- one\nm: 1", "l[+]", "two") == "l:\n- one\n- two\nm: 1");
    CHECK_THROWS_AS(yaml_set("a: {b: 1}\n", "a.x", "3"), Refusal);
    CHECK_THROWS_AS(yaml_set("a: 1\n", "b.c", "3"), Refusal);
}

TEST_CASE("removing takes the entry's own lines and no others") {
    CHECK(yaml_remove("l:\n  - one\n  - two   # gone\n  - three\n", "l[=two]") ==
          "l:\n  - one\n  - three\n");
    CHECK(yaml_remove("a: 1\nb:\n  c: 2\n  d: 3\ne: 4\n", "b") == "a: 1\ne: 4\n");
    CHECK_THROWS_AS(yaml_remove("l:\n  - one\n", "l[=two]"), Refusal);
    CHECK_THROWS_AS(yaml_remove("a: {b: 1, c: 2}\n", "a.b"), Refusal);
    CHECK_THROWS_AS(yaml_remove("l:\n  - one\n", "l[=one]"), Refusal);
}

TEST_CASE("texts on which the parser would never end are refused") {
    CHECK_THROWS_AS(yaml_get(",\x16", "a"), Refusal);
    CHECK_THROWS_AS(yaml_get(std::string("\xfe\xff\0", 3), "a"), Refusal);
}

TEST_CASE("what cannot be changed exactly is refused") {
    CHECK_THROWS_AS(yaml_set("a: &x 1\nb: *x\n", "a", "2"), Refusal);
    CHECK_THROWS_AS(yaml_set("a: !!str 1\n", "a", "2"), Refusal);
    CHECK_THROWS_AS(yaml_set("a: one\n  two\n", "a", "3"), Refusal);
    CHECK_THROWS_AS(yaml_set("a: *x\n", "a", "3"), Refusal);
}

TEST_CASE("YAML nested too deep is refused with the place, on a small stack") {
    const auto [open, place] = GENERATE(table<std::string, std::string>({
        // What is never closed may still be a key: the library opens a map for it, too.
        {"[", "line 1, column 51"},
        {"{a: ", "line 1, column 397"},
        {"- ", "line 1, column 201"},
        {"? ", "line 1, column 201"},
        {"[{a: ", "line 1, column 166"},
        {"- ? ", "line 1, column 201"},
    }));
    std::string text;
    while (text.size() < test::k_deep * open.size()) text += open;
    test::on_small_stack([&, &place = place] {
        const auto refused = Catch::Contains("not valid YAML at " + place +
                                             ": nested too deep: more than 100 levels");
        CHECK_THROWS_WITH(yaml_get(text, "a"), refused);
        CHECK_THROWS_WITH(yaml_set(text, "a", "1"), refused);
        CHECK_THROWS_WITH(yaml_remove(text, "a"), refused);
    });
}

TEST_CASE("YAML of 100 levels is read and edited, on a small stack") {
    const auto nested = [](std::size_t levels) {
        std::string text;
        for (std::size_t level = 0; level + 1 < levels; ++level)
            text += std::string(level, ' ') + "a:\n";
        return text + std::string(levels - 1, ' ') + "a: 1\n";
    };
    std::string selector = "a";
    for (std::size_t level = 1; level < 100; ++level) selector += ".a";
    test::on_small_stack([&] {
        CHECK(yaml_get(nested(100), selector) == "1");
        CHECK(yaml_get(yaml_set(nested(100), selector, "2"), selector) == "2");
        CHECK_THROWS_WITH(yaml_get(nested(101), "a"),
                          Catch::Contains("line 101, column 101: nested too deep"));
    });
}
