// SPDX-License-Identifier: Apache-2.0
// What was reviewed is what runs, or nothing does.
#include "support/catch.hpp"

#include "model/platform.hpp"
#include "model/release.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

void release(Sandbox& sandbox, const std::string& version, const std::string& more = {}) {
    sandbox.release_program(version, "#!/bin/sh\n[ \"$1\" = --dry-run=true ] || echo " + version +
                                         more + " >> order\n");
}

/// Two upgrades, and a plan of both.
struct Planned : Sandbox {
    Planned() {
        release(*this, "0.1.1");
        release(*this, "0.1.2");
        REQUIRE(run({"plan", "--out", "plan.json"}).status == 0);
    }
    void refuses(const std::string& words, const std::string& done = {}) {
        const auto result = upgrade({"--plan", "plan.json"});
        CHECK(result.status == 6);
        CHECK_THAT(result.err,
                   Contains("the saved plan plan.json no longer fits") && Contains(words));
        CHECK((exists("repository/order") ? read("repository/order") : "") == done);
    }
};

}  // namespace

TEST_CASE("a saved plan runs as it was saved, though more is due by now - then it no longer fits") {
    Planned sandbox;
    CHECK(sandbox.run({"plan", "--out", "plan.json"}).status == 6);  // never overwritten
    release(sandbox, "0.1.1.hotfix");
    release(sandbox, "0.1.3");
    const auto result = sandbox.upgrade({"--plan", "plan.json"});
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("due by now, and not part of the saved plan: 0.1.1.hotfix"));
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.2\n");
    const auto state = sandbox.run({"state", "show", "-o", "json"}).json();
    CHECK(state["clusterVersion"] == "0.1.1");  // the hotfix is undone
    sandbox.refuses("0.1.1 and 1 more was done since", "0.1.1\n0.1.2\n");
}

TEST_CASE("a saved plan is refused when the ledger has moved, naming what") {
    {
        Planned sandbox;
        REQUIRE(sandbox.upgrade({"--only", "0.1.1"}).status == 0);
        sandbox.refuses("0.1.1 was done since; the cluster was at 0.1.0 and is at 0.1.1",
                        "0.1.1\n");
    }
    {
        Planned sandbox;
        REQUIRE(sandbox.run({"skip", "0.1.1", "--reason", "no"}).status == 0);
        sandbox.refuses("0.1.1 was skipped since");
    }
    {
        Sandbox sandbox;
        sandbox.release_plugin("puppet", "0.1.10001");
        sandbox.behaviour("0.1.10001 fail\n");
        REQUIRE(sandbox.run({"plan", "--out", "plan.json"}).status == 0);
        REQUIRE(sandbox.upgrade().status == 1);
        const auto result = sandbox.upgrade({"--plan", "plan.json"});
        CHECK(result.status == 6);
        CHECK_THAT(result.err, Contains("an upgrade was attempted since"));
    }
}

TEST_CASE("a saved plan is refused when a release has other bytes, another tag, or is gone") {
    {
        Planned sandbox;
        sandbox.remove_release("0.1.2");
        release(sandbox, "0.1.2", "-changed");
        sandbox.refuses("the release of 0.1.2 had ");
    }
    {
        Planned sandbox;
        sandbox.remove_release("0.1.2");
        sandbox.refuses("0.1.2");
    }
    {
        Planned sandbox;
        std::filesystem::rename(sandbox.releases() / Sandbox::tag_of("0.1.2"),
                                sandbox.releases() / "v0.1.2");
        sandbox.refuses("0.1.2 was the release '0.1.2' and is the release 'v0.1.2'");
    }
}

TEST_CASE("a saved plan that was swapped or edited is refused") {
    Planned sandbox;
    const std::string text = sandbox.read("plan.json");
    const auto edit = [&](const std::function<void(runner::Json&)>& change) {
        runner::Json plan = runner::Json::parse(text);
        change(plan);
        sandbox.write("plan.json", plan.dump());
    };
    edit([](runner::Json& plan) { plan["due"].erase(0); });
    // Only the second: another selection, and it says so by itself.
    CHECK(sandbox.upgrade({"--plan", "plan.json", "--dry-run"}).status == 0);
    edit([](runner::Json& plan) { std::swap(plan["due"][0], plan["due"][1]); });
    sandbox.refuses("due were 0.1.2, 0.1.1, and are 0.1.1, 0.1.2");
    edit([](runner::Json& plan) { plan["due"][1]["digest"] = std::string(64, 'a'); });
    sandbox.refuses("the release of 0.1.2 had aaaa");
    edit([](runner::Json& plan) { plan["ledger"]["cluster"]["name"] = "other"; });
    sandbox.refuses("it is for the cluster 'other', the config is of 'test'");
    edit([](runner::Json& plan) { plan["platform"] = "Darwin_arm64"; });
    sandbox.refuses("it is for Darwin_arm64");
    edit([](runner::Json& plan) { plan["clusterVersion"] = "0.0.9"; });
    sandbox.refuses("the cluster was at 0.0.9 and is at 0.1.0");
}

TEST_CASE("a saved plan that is none is a usage error, with the key at fault") {
    Planned sandbox;
    const auto refused = [&](const std::string& text, const std::string& words) {
        sandbox.write("plan.json", text);
        const auto result = sandbox.upgrade({"--plan", "plan.json"});
        CHECK(result.status == 2);
        CHECK_THAT(result.err, Contains(words));
    };
    refused("{}", "must be RunnerPlan");
    refused("not json", "plan.json");
    refused(R"({"kind": "RunnerPlan", "schemaVersion": 1})", "platform");
    refused(R"({"kind": "RunnerPlan", "schemaVersion": 1, "platform": "x", "target": "latest"})",
            "latest");
    CHECK(sandbox.upgrade({"--plan", "nowhere.json"}).status == 2);
    CHECK(sandbox.upgrade({"--plan", "plan.json", "--only", "0.1.1"}).status == 2);
    CHECK_FALSE(sandbox.exists("repository/order"));
}

TEST_CASE(
    "a saved plan with nothing due does nothing, and is refused when something is due by now") {
    Sandbox sandbox;
    release(sandbox, "0.1.1");
    REQUIRE(sandbox.upgrade().status == 0);
    REQUIRE(sandbox.run({"plan", "--out", "plan.json"}).status == 0);
    CHECK(sandbox.upgrade({"--plan", "plan.json"}).status == 0);
    release(sandbox, "0.1.1.hotfix");
    const auto result = sandbox.upgrade({"--plan", "plan.json"});
    CHECK(result.status == 6);
    CHECK_THAT(result.err, Contains("due were none, and are 0.1.1.hotfix"));
}
