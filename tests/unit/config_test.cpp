// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include "support/catch.hpp"

#include "config/cluster_config.hpp"
#include "config/config_schema.hpp"
#include "model/error.hpp"
#include "model/json.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/small_stack.hpp"

using namespace runner;

namespace {

const std::string k_good =
    "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: demo, region: eu, accountID: \"123\"}\n"
    "originalVersion: 0.0.50\nreleases: {source: github, repository: a/b, api: "
    "https://ghe.example/api/v3/}\n"
    "trust: {verification: disabled}\nenvironment: {KUBECONFIG: ./k}\nparameters: {size: 10Gi}\n";

std::string problems(const std::string& text) {
    try {
        ClusterConfig::parse(text, "dir/cluster.yaml");
    } catch (const Error& error) {
        CHECK(error.failure() == Failure::usage);
        return error.what();
    }
    return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("a whole config is read, paths relative to its folder") {
    const ClusterConfig config = ClusterConfig::parse(k_good, "/x/cluster.yaml");
    CHECK(config.name == "demo");
    CHECK(config.account_id == "123");
    CHECK(config.original_version->to_string() == "0.0.50");
    CHECK(config.target_version == "latest");
    CHECK(config.state == "/x/.runner/state.db");
    CHECK(config.releases.api == "https://ghe.example/api/v3");
    CHECK(config.verification == Verification::disabled);
    CHECK(config.environment.at("KUBECONFIG") == "./k");
}

TEST_CASE("JSON is as good as YAML") {
    CHECK(
        ClusterConfig::parse(R"({"apiVersion":"runner/v1","kind":"Cluster","metadata":{"name":"d"},
        "releases":{"source":"directory","directory":"r"}})",
                             "/x/c.json")
            .releases.directory == "/x/r");
}

TEST_CASE("verification is enabled unless the config says otherwise") {
    CHECK(ClusterConfig::parse(replaced(k_good, "trust: {verification: disabled}\n", ""), "c")
              .verification == Verification::enabled);
}

TEST_CASE("every problem is reported at once, with file, line and column") {
    const std::string text =
        "apiVersion: runner/v2\nkind: Cluster\nmetadata: {name: \"\"}\ntargetVersoin: "
        "latest\noriginalVersion: 1.2\n"
        "releases:\n  source: ftp\n  prefix: [a]\nenvironment: {A-B: x}\n";
    const std::string found = problems(text);
    for (const char* expected :
         {"dir/cluster.yaml:1:13: 'apiVersion' must be runner/v1", "3:18: 'name' must not be empty",
          "4:1: unknown key 'targetVersoin'", "did you mean 'targetVersion'?",
          "5:18: 'originalVersion'", "7:11: 'source' must be github or directory or git",
          "8:11: 'prefix' must be a single value", "9:15: 'A-B'"}) {
        CHECK_THAT(found, Catch::Contains(expected));
    }
}

TEST_CASE("broken configs are refused") {
    CHECK_THAT(problems("a: [b"), Catch::Contains("dir/cluster.yaml:1:"));
    CHECK_THAT(problems(std::string("\xfe\xff\0", 3)), Catch::Contains("no UTF-8 text"));
    CHECK_THAT(problems(",\x16"), Catch::Contains("found several"));
    CHECK_THAT(problems(""), Catch::Contains("one YAML document"));
    CHECK_THAT(problems("- a"), Catch::Contains("must be a mapping"));
    CHECK_THAT(problems(k_good + "---\n" + k_good), Catch::Contains("found several"));
    CHECK_THAT(problems(replaced(k_good, "metadata: {name: demo,", "metadata: {")),
               Catch::Contains("'name' is missing"));
    CHECK_THAT(problems(replaced(k_good, "repository: a/b, ", "")),
               Catch::Contains("'repository' is missing"));
    CHECK_THAT(problems(replaced(k_good, "https://ghe.example/api/v3/", "http://ghe.example")),
               Catch::Contains("must use https"));
    CHECK_THAT(problems(replaced(k_good, "https://ghe.example/api/v3/", "http://127.ghe.example")),
               Catch::Contains("must use https"));
    CHECK_THAT(problems(k_good + "kind: Cluster\n"), Catch::Contains("there twice"));
}

TEST_CASE("a config nested too deep, or with a value too long, ends nothing on a small stack") {
    const std::string deep(test::k_deep, '[');
    const std::string address = "https://ghe.example/" + std::string(60'000, 'a');
    test::on_small_stack([&] {
        CHECK_THAT(problems(k_good + "hooks: " + deep),
                   Catch::Contains("dir/cluster.yaml:9:") &&
                       Catch::Contains("nested too deep: more than 100 levels"));
        CHECK(problems(replaced(k_good, "https://ghe.example/api/v3/", address)).empty());
        CHECK_THAT(problems(replaced(k_good, "https://ghe.example/api/v3/", address.substr(1))),
                   Catch::Contains("does not match ^https?"));
    });
}

TEST_CASE("a window holds what its days and hours say, over midnight, too") {
    // 2026-11-16 was a Monday.
    const auto at = [](const char* time) { return parse_time(time); };
    const auto window = [](const std::string& more) {
        return ClusterConfig::parse(k_good + "schedule: {window: {" + more + "}}\n", "c.yaml")
            .schedule.window.value();
    };
    const MaintenanceWindow night = window("days: [mon], from: '22:00', to: '04:00'");
    CHECK_FALSE(night.contains(at("2026-11-16T21:59:59.999Z")));
    CHECK(night.contains(at("2026-11-16T22:00:00.000Z")));
    CHECK(night.contains(at("2026-11-17T03:59:59.999Z")));  // the night of Monday
    CHECK_FALSE(night.contains(at("2026-11-17T04:00:00.000Z")));
    CHECK_FALSE(night.contains(at("2026-11-17T22:00:00.000Z")));
    CHECK_FALSE(night.contains(at("2026-11-16T03:00:00.000Z")));  // the night of Sunday
    const MaintenanceWindow day = window("days: [sat, sun], from: '09:30', to: '10:00'");
    CHECK(day.contains(at("2026-11-21T09:30:00.000Z")));
    CHECK_FALSE(day.contains(at("2026-11-21T10:00:00.000Z")));
    CHECK_FALSE(day.contains(at("2026-11-20T09:30:00.000Z")));
    const MaintenanceWindow always = window("");
    CHECK(always.contains(at("2026-11-18T00:00:00.000Z")));
    CHECK(always.contains(at("1969-12-31T23:59:00.000Z")));
}

TEST_CASE("what the server does by itself needs a window, https and names of variables") {
    const auto with = [](const std::string& more) { return problems(k_good + more); };
    CHECK_THAT(with("autoApprove: routine\n"), Catch::Contains("needs 'window' in 'schedule'"));
    CHECK_THAT(with("autoApprove: all\n"),
               Catch::Contains("'autoApprove' must be routine or important or critical"));
    CHECK_THAT(with("schedule: {window: {from: '25:00'}}\n"), Catch::Contains("'from' is '25:00'"));
    CHECK_THAT(with("schedule: {window: {days: [monday]}}\n"), Catch::Contains("not 'monday'"));
    CHECK_THAT(with("webhooks: [{url: 'http://chat.example/x', secretEnv: S}]\n"),
               Catch::Contains("must use https"));
    CHECK_THAT(with("webhooks: [{url: 'http://localhost.chat.example/x', secretEnv: S}]\n"),
               Catch::Contains("must use https"));
    CHECK_THAT(with("webhooks: [{url: 'https://chat.example/x'}]\n"),
               Catch::Contains("'secretEnv' is missing"));
    CHECK_THAT(with("webhooks: {url: x}\n"), Catch::Contains("must be a list"));
    const ClusterConfig config =
        ClusterConfig::parse(k_good +
                                 "schedule: {discover: 5m, window: {}}\nautoApprove: [critical, "
                                 "routine]\nwebhooks: [{url: 'http://127.0.0.1:1/x', secretEnv: S, "
                                 "events: due}]\n",
                             "c.yaml");
    CHECK(config.schedule.discover == std::chrono::minutes(5));
    CHECK(config.auto_approve == std::vector{Severity::routine, Severity::critical});
    CHECK(config.webhooks.at(0).events == std::vector<std::string>{"due"});
}

TEST_CASE("the published JSON Schema is the reader's") {
    const std::string file = std::string(SOURCE_FOLDER) + "/docs/schema/cluster.schema.json";
    const std::string now = config_json_schema();
    if (std::getenv("RUNNER_UPDATE_GOLDEN") != nullptr) {
        replace_file(file, now);
        FAIL("rewrote " << file);
    }
    CHECK(read_file(file) == now);
}

TEST_CASE("the schema names exactly the keys that the reader takes") {
    const Json schema = Json::parse(config_json_schema());
    const std::function<void(const SchemaEntry&, const Json&)> compare =
        [&](const SchemaEntry& entry, const Json& node) {
            if (entry.kind != ValueKind::object) return;
            CHECK(node.at("properties").size() == entry.children.size());
            CHECK(node.at("additionalProperties") == false);
            for (const SchemaEntry& child : entry.children)
                compare(child, node.at("properties").at(child.key));
        };
    compare(config_schema(), schema);
}
