// SPDX-License-Identifier: Apache-2.0
#include "support/catch.hpp"

#include "model/digest.hpp"
#include "model/error.hpp"
#include "model/manifest.hpp"
#include "model/pattern.hpp"
#include "model/run_state.hpp"
#include "model/upgrade_version.hpp"
#include "support/small_stack.hpp"

using namespace runner;

TEST_CASE("upgrade versions read back as they were written") {
    for (const std::string text :
         {"0.0.66", "0.0.64.argocd", "0.0.65.loki-pvc", "1.2.0-rc1.argocd", "10.20.30-beta"}) {
        CHECK(UpgradeVersion::parse(text).to_string() == text);
    }
}

TEST_CASE("anything else is refused with the reason") {
    const auto [text, reason] = GENERATE(table<std::string, std::string>({
        {"", "empty"},
        {"0.0.a", "patch number is missing"},
        {"0.0", "MAJOR.MINOR.PATCH"},
        {"0.0.1.some.thing", "no dots"},
        {"0.0.1.", "identifier is empty"},
        {"0.0.1.a_b", "letters, digits and '-'"},
        {"00.0.1", "leading zero"},
        {"0.0.01", "leading zero"},
        {"0.0.1-.a", "pre-release is empty"},
        {"0.0.1-01.a", "leading zero"},
        {"v0.0.1", "major number is missing"},
        {"0.0.1/../x", "unexpected"},
        {"0.0.9999999999999999999", "too large"},
    }));
    CAPTURE(text);
    REQUIRE_THROWS_WITH(UpgradeVersion::parse(text),
                        Catch::Contains(reason) && Catch::Contains("'" + text + "'"));
}

TEST_CASE("the order is semver first, then the identifier bytewise, none first") {
    const std::vector<std::string> ordered{"0.0.61-alpha", "0.0.61-beta.a", "0.0.61",   "0.0.62",
                                           "0.0.62.B",     "0.0.62.a",      "0.0.62.b", "0.0.63",
                                           "0.0.100",      "0.1.0",         "1.0.0"};
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        for (std::size_t j = 0; j < ordered.size(); ++j) {
            CAPTURE(ordered[i], ordered[j]);
            CHECK((UpgradeVersion::parse(ordered[i]) < UpgradeVersion::parse(ordered[j])) ==
                  (i < j));
        }
    }
}

TEST_CASE("semver precedence is that of semver.org, section 11") {
    const std::vector<std::string> ordered{"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                           "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                           "1.0.0-rc.1",  "1.0.0"};
    for (std::size_t i = 0; i + 1 < ordered.size(); ++i) {
        CAPTURE(ordered[i]);
        CHECK(SemanticVersion::parse(ordered[i]) < SemanticVersion::parse(ordered[i + 1]));
    }
    CHECK(SemanticVersion::parse("v1.2.0-rc.1+build.5").to_string() == "1.2.0-rc.1");
    CHECK_THROWS_WITH(SemanticVersion::parse("0.0.65.loki"), Catch::Contains("without identifier"));
}

TEST_CASE("a tag's first plus is a dot, and a leading v is dropped") {
    CHECK(UpgradeVersion::from_tag("0.0.5+some-component").to_string() == "0.0.5.some-component");
    CHECK(UpgradeVersion::from_tag("v0.0.61").to_string() == "0.0.61");
    CHECK_THROWS_WITH(UpgradeVersion::from_tag("0.0.5+a+b"), Catch::Contains("0.0.5+a+b"));
    CHECK_THROWS_AS(UpgradeVersion::from_tag("nightly"), Error);
}

TEST_CASE("digests are 64 hexadecimal digits and nothing else") {
    const std::string hex(64, 'a');
    CHECK(Digest::parse(hex)->to_string() == hex);
    CHECK(Digest::parse("sha256:" + std::string(64, 'A'))->to_string() == hex);
    CHECK_FALSE(Digest::parse(std::string(63, 'a')));
    CHECK_FALSE(Digest::parse(std::string(63, 'a') + "g"));
}

TEST_CASE("a manifest reads back as it was written") {
    const std::string text =
        R"({"schema":1,"version":"0.0.65.loki","description":"d","severity":"critical","timeout":"90s",
        "parameters":[{"name":"size","required":true,"pattern":"[0-9]+"}],
        "permissions":{"write":["infra"],"commands":["kubectl"],"network":true},"after":["0.0.64"]})";
    const Manifest manifest = Manifest::parse(text, "m");
    CHECK(manifest.severity == Severity::critical);
    CHECK(manifest.timeout == std::chrono::seconds(90));
    CHECK(Manifest::parse(dump_json(manifest.to_json()), "m").to_json() == manifest.to_json());
}

TEST_CASE("the forms of an upgrade read back as they were written") {
    for (const UpgradeForm form : {UpgradeForm::plugin, UpgradeForm::executable})
        CHECK(upgrade_form_from(to_string(form)) == form);
    CHECK_FALSE(upgrade_form_from("script"));
    CHECK_FALSE(upgrade_form_from(""));
}

TEST_CASE("a malformed manifest is refused by the key at fault") {
    const auto [text, reason] = GENERATE(table<std::string, std::string>({
        {"[]", "JSON object"},
        {"{", "not valid JSON"},
        {R"({"schema":2,"version":"0.0.1"})", "schema"},
        {R"({"schema":1})", "'version' is missing"},
        {R"({"schema":1,"version":"0.0"})", "0.0"},
        {R"({"schema":1,"version":"0.0.1","severity":"loud"})", "severity"},
        {R"({"schema":1,"version":"0.0.1","timeout":"soon"})", "timeout"},
        {R"({"schema":1,"version":"0.0.1","permissions":{"write":["../x"]}})",
         "never lead upwards"},
        {R"({"schema":1,"version":"0.0.1","parameters":[{"name":"a b"}]})", "a b"},
        {R"({"schema":1,"version":"0.0.1","downtime":"no"})", "downtime"},
        {R"({"schema":1,"version":"0.0.1","after":["0.0"]})", "0.0"},
        {R"({"schema":1,"version":"0.0.1","minimumRunner":"new"})", "new"},
    }));
    REQUIRE_THROWS_WITH(Manifest::parse(text, "the manifest"),
                        Catch::Contains("the manifest") && Catch::Contains(reason));
}

TEST_CASE("JSON nested too deep is refused with the place, on a small stack") {
    const auto [open, place] = GENERATE(table<std::string, std::string>({
        {"[", "line 1, column 65"},
        {R"({"a":)", "line 1, column 321"},
        {"[\n", "line 65, column 1"},
        {R"([{"]]": [)", "line 1, column 191"},
    }));
    std::string text;
    while (text.size() < test::k_deep * open.size()) text += open;
    test::on_small_stack([&, &place = place] {
        CHECK_THROWS_WITH(parse_json(text, "the plan"),
                          "the plan is nested too deep at " + place + ": more than 64 levels");
    });
}

TEST_CASE("JSON of 64 levels is read, and brackets in its strings are no levels") {
    const std::string deepest = std::string(64, '[') + std::string(64, ']');
    CHECK(dump_json(parse_json(deepest, "d")) == deepest);
    const std::string text = "[\"\\\"" + std::string(test::k_deep, '[') + "\",\"\\\\\",[]]";
    CHECK(parse_json(text, "d").size() == 3);
    CHECK_THROWS_WITH(parse_json(std::string(test::k_deep, ']'), "d"),
                      Catch::Contains("not valid JSON"));
}

TEST_CASE("a pattern matches a whole value, however long, on a small stack") {
    const auto [pattern, good, bad] = GENERATE(table<std::string, std::string, std::string>({
        {"a", "", "b"},
        {".*", "", "\n"},
        {"(a|aa)+", "", "b"},  // exponential where a matcher goes back
        {"(a*)*", "", "b"},
        {"(?:[^b]|c)*a?", "", "b"},
        {"https?://[^\\s]+", "https://", " "},
    }));
    const bool single = pattern == "a";
    const std::string text = single ? "a" : good + std::string(test::k_deep, 'a');
    test::on_small_stack([&, &pattern = pattern, &bad = bad] {
        const Pattern compiled(pattern);
        CHECK(compiled.matches(text));
        CHECK_FALSE(compiled.matches(text + bad));
        CHECK_FALSE(compiled.matches(bad + text));
    });
}

TEST_CASE("a pattern is about characters, not bytes") {
    CHECK(Pattern("gr.n").matches("gr\xc3\xbcn"));
    CHECK(Pattern("[\xc3\xa4\xc3\xbc]").matches("\xc3\xbc"));
    CHECK_FALSE(Pattern(".*").matches("\xff"));
}

TEST_CASE("a pattern that is none is refused by the name of its parameter") {
    const std::string pattern =
        GENERATE("(?=a)b", "(?!a)b", "(?<=a)b", R"((a)\1)", "(", "[z-a]", "a{1,100000}", "*a");
    const Json manifest = {{"schema", 1},
                           {"version", "0.0.1"},
                           {"parameters", {{{"name", "size"}, {"pattern", pattern}}}}};
    CHECK_THROWS_WITH(
        Manifest::parse(dump_json(manifest), "the manifest"),
        Catch::StartsWith("the manifest: a parameter: 'pattern' of 'size': '" + pattern +
                          "' is no regular expression in the syntax of RE2: "));
}

TEST_CASE("a pattern nested deep is refused or compiled, on a small stack") {
    test::on_small_stack([] {
        const std::string open(test::k_deep, '(');
        CHECK_THROWS_AS(Pattern(open), Error);
        try {
            CHECK(Pattern(open + 'a' + std::string(test::k_deep, ')')).matches("a"));
        } catch (const Error& error) {
            CHECK_THAT(error.what(), Catch::Contains("is no regular expression"));
        }
    });
}

TEST_CASE("a rollback is a success when it has rolled back, and an upgrade is not") {
    CHECK(has_succeeded(RunState::succeeded, "upgrade"));
    CHECK_FALSE(has_succeeded(RunState::rolled_back, "upgrade"));
    CHECK(has_succeeded(RunState::rolled_back, "rollback"));
    CHECK(has_succeeded(RunState::rolled_back, "rollback --to 0.0.62"));
    CHECK_FALSE(has_succeeded(RunState::rollback_failed, "rollback"));
}

TEST_CASE("no end state is left again, and every other state can be interrupted") {
    for (int from = 0; from <= static_cast<int>(RunState::interrupted); ++from) {
        const auto state = static_cast<RunState>(from);
        CHECK(run_state_from(to_string(state)) == state);
        CHECK(may_move(state, RunState::interrupted) == !is_end(state));
        for (int to = 0; is_end(state) && to <= static_cast<int>(RunState::interrupted); ++to) {
            CHECK_FALSE(may_move(state, static_cast<RunState>(to)));
        }
    }
}

TEST_CASE("bytes that are no UTF-8 are matched by nothing but the sign for a byte") {
    CHECK_FALSE(Pattern(".*").matches("\xff"));
    CHECK_FALSE(Pattern("[^a]*").matches("\xff"));
    CHECK(Pattern("\\C*").matches("\xff"));
}
