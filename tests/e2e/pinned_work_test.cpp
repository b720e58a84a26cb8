// SPDX-License-Identifier: Apache-2.0
// A saved plan pins what upgrades would do: their values, the files that they start from, their
// verdicts and what was shown.
#include "support/catch.hpp"

#include "support/sha256.hpp"
#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

/// An upgrade with a size and a secret, and a config that says the size.
struct Planned : WorldlySandbox {
    Planned() {
        size("20Gi");
        release_plugin("secretive", "0.1.10001");
        environment["MY_TOKEN"] = k_token;
    }
    void size(const std::string& value) const { configure("parameters: {size: " + value + "}\n"); }
    test::ProgramResult plan(const std::vector<std::string>& more = {}) {
        std::filesystem::remove(path() / "plan.json");
        std::vector<std::string> all{"plan", "--out", "plan.json"};
        all.insert(all.end(), more.begin(), more.end());
        return run(all);
    }
    test::ProgramResult run_plan(const std::vector<std::string>& more = {}) {
        std::vector<std::string> all{"--plan", "plan.json"};
        all.insert(all.end(), more.begin(), more.end());
        return upgrade(all);
    }
    const std::string k_token = "very-secret-token";
    const std::vector<std::string> k_secret{"--secret", "token=env:MY_TOKEN"};
};

}  // namespace

TEST_CASE("a value that is another one by now is refused, from the config, --env or a secret") {
    Planned sandbox;
    // The key that secrets are pinned by is the ledger's: there is one from the first run on.
    sandbox.release_plugin("noop", "0.1.10000");
    REQUIRE(sandbox.upgrade({"--only", "0.1.10000"}).status == 0);
    REQUIRE(sandbox.plan(sandbox.k_secret).status == 0);
    const auto refused = [&](const std::vector<std::string>& more, const std::string& name) {
        const auto before = sandbox.snapshot("repository");
        const auto result = sandbox.run_plan(more);
        CHECK(result.status == 6);
        CHECK_THAT(result.err,
                   Contains("the saved plan plan.json no longer fits") &&
                       Contains("the values of 0.1.10001 are others than those that were planned "
                                "with: " +
                                name) &&
                       Contains("nothing was changed") && !Contains("very-secret"));
        CHECK(sandbox.snapshot("repository") == before);
    };
    sandbox.size("500Gi");
    refused(sandbox.k_secret, "size");
    sandbox.size("20Gi");
    auto bigger = sandbox.k_secret;
    bigger.insert(bigger.end(), {"--env", "size=500Gi"});
    refused(bigger, "size");
    sandbox.environment["MY_TOKEN"] = "another-secret-token";
    refused(sandbox.k_secret, "token");
    sandbox.environment["MY_TOKEN"] = sandbox.k_token;
    CHECK(sandbox.run_plan(sandbox.k_secret).status == 0);
}

TEST_CASE("a saved plan holds no secret, and nothing by which it could be guessed") {
    Planned sandbox;
    sandbox.release_plugin("noop", "0.1.10000");
    REQUIRE(sandbox.upgrade({"--only", "0.1.10000"}).status == 0);
    REQUIRE(sandbox.plan(sandbox.k_secret).status == 0);
    const std::string text = sandbox.read("plan.json");
    CHECK_THAT(
        text, !Contains(sandbox.k_token) && !Contains(runner::sha256(sandbox.k_token).to_string()));
    const std::string pinned = runner::Json::parse(text)["due"][0]["pinned"]["values"]["token"];
    CHECK_THAT(pinned, Catch::StartsWith("hmac-sha256:"));
    // Another ledger's key pins the same secret otherwise.
    Planned other;
    other.release_plugin("noop", "0.1.10000");
    REQUIRE(other.upgrade({"--only", "0.1.10000"}).status == 0);
    REQUIRE(other.plan(other.k_secret).status == 0);
    const auto theirs = runner::Json::parse(other.read("plan.json"));
    CHECK(theirs["due"][0]["pinned"]["values"]["token"] != pinned);
}

TEST_CASE("values that were given to the plan need not be given again, but may be") {
    WorldlySandbox sandbox;
    const runner::Json manifest = {
        {"parameters", {{{"name", "size"}, {"description", "of the disk"}, {"required", true}}}},
        {"permissions", {{"write", {"."}}, {"commands", {"*"}}}}};
    sandbox.release_program("0.1.1", "#!/bin/sh\n[ \"$1\" = --dry-run=true ] || echo ran >> ran\n",
                            manifest);
    REQUIRE(sandbox.run({"plan", "--out", "plan.json", "--env", "size=20Gi"}).status == 0);
    CHECK(sandbox.upgrade({"--plan", "plan.json", "--env", "size=500Gi"}).status == 6);
    CHECK_FALSE(sandbox.exists("repository/ran"));
    CHECK(sandbox.upgrade({"--plan", "plan.json", "--dry-run", "--env", "size=20Gi"}).status == 0);
    CHECK(sandbox.upgrade({"--plan", "plan.json"}).status == 0);
    CHECK(sandbox.read("repository/ran") == "ran\n");
}

TEST_CASE("who saves a plan sees what is in it: commands, diffs, and what is not due") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 nothing writes\n");
    world.release_plugin("noop", "0.1.0.old");
    const auto saved = world.run({"plan", "--out", "plan.json"});
    REQUIRE(saved.status == 0);
    CHECK_THAT(saved.out, Contains("Found 1 applicable upgrade") &&
                              Contains("would run: world set image v2") && Contains("+0.1.10001") &&
                              Contains("not_newer_than_original") &&
                              Contains("Saved in plan.json: 'runner upgrade --plan plan.json'"));
    CHECK(saved.out.find("Found 1") < saved.out.find("would run:"));
    CHECK(saved.out.rfind("Found 1") == saved.out.find("Found 1"));
    const auto json = world.run({"plan", "--out", "second.json", "-o", "json"});
    CHECK(json.json()["due"].size() == 1);
}

TEST_CASE("values for a plan that is not simulated are refused, not ignored: exit 2") {
    WorldlySandbox world;
    for (const char* option : {"--env", "--secret"}) {
        const auto result = world.run({"plan", option, "size=env:SIZE"});
        CHECK(result.status == 2);
        CHECK_THAT(result.err, Contains("'plan' simulates only what it saves") &&
                                   Contains("add --out FILE, or look with 'runner upgrade "
                                            "--dry-run'"));
    }
}

TEST_CASE("a file that is not as it was when the plan was made is named, and nothing runs") {
    WorldlySandbox world;
    world.write("repository/shared", "shared\n");
    world.release_plugin("files_only", "0.1.10001");
    REQUIRE(world.run({"plan", "--out", "plan.json"}).status == 0);
    world.write("repository/shared", "by hand\n");
    const auto result = world.upgrade({"--plan", "plan.json"});
    CHECK(result.status == 6);
    CHECK_THAT(result.err,
               Contains("files that 0.1.10001 reads or changes are not as they were: shared"));
    CHECK(world.read("repository/shared") == "by hand\n");
    world.write("repository/shared", "shared\n");
    CHECK(world.upgrade({"--plan", "plan.json"}).status == 0);
}

TEST_CASE("another verdict, or other work than the plan shows, is refused") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 nothing writes\n");
    REQUIRE(world.run({"plan", "--out", "plan.json"}).status == 0);
    const auto refused = [&](const std::string& words) {
        const auto result = world.upgrade({"--plan", "plan.json"});
        CHECK(result.status == 6);
        CHECK_THAT(result.err, Contains(words) && Contains("nothing was changed"));
        CHECK_FALSE(world.exists("repository/notes"));
        CHECK(world.state()["upgrades"].empty());
    };
    world.set("image", "v7");
    refused("0.1.10001 was ready and is nothing_to_do");
    world.set("image", "v1");
    world.set("mood", "evil");
    refused("0.1.10001 would do something else than the plan shows");
    world.set("mood", "good");
    CHECK(world.upgrade({"--plan", "plan.json"}).status == 0);
    CHECK(world.read("repository/found") == "good\n");
}

TEST_CASE("a plan ends before what it could not show, unless somebody is there to look at it") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v2 v3 blocked\n");
    REQUIRE(world.run({"plan", "--out", "plan.json"}).status == 0);
    const auto plan = runner::Json::parse(world.read("plan.json"));
    CHECK(plan["due"][0]["pinned"]["verdict"] == "ready");
    CHECK(plan["due"][1]["pinned"]["verdict"] == "later");
    const auto result = world.upgrade({"--plan", "plan.json"});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("0.1.10002 could not be shown when the plan was saved") &&
                               Contains("it was not begun") && Contains("make a new plan now"));
    CHECK(world.get("image") == "v2");
    CHECK(world.state()["clusterVersion"] == "0.1.10001");
    REQUIRE(world.run({"plan", "--out", "second.json"}).status == 0);
    CHECK(world.upgrade({"--plan", "second.json"}).status == 0);
    CHECK(world.get("image") == "v3");
}

TEST_CASE("a plan that an older runner has saved pins no work, and still runs") {
    WorldlySandbox world;
    world.write("repository/shared", "shared\n");
    world.release_plugin("files_only", "0.1.10001");
    REQUIRE(world.run({"plan", "--out", "plan.json"}).status == 0);
    auto plan = runner::Json::parse(world.read("plan.json"));
    REQUIRE(plan["due"][0].contains("pinned"));
    plan["due"][0].erase("pinned");
    plan.erase("given");
    world.write("plan.json", plan.dump());
    CHECK(world.upgrade({"--plan", "plan.json"}).status == 0);
    CHECK(world.read("repository/shared") == "shared\n0.1.10001\ntwice\n");
}
