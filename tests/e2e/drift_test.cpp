// SPDX-License-Identifier: Apache-2.0
// What is new in an upgrade against those that ran before, what the config refuses outright, and
// what of earlier upgrades is kept for later ones.
#include "support/catch.hpp"

#include "model/platform.hpp"
#include "model/release.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

/// A release of an executable upgrade with this in its manifest.
void release(Sandbox& sandbox, const std::string& version, runner::Json manifest) {
    manifest["schema"] = 1;
    manifest["version"] = version;
    const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
    sandbox.release_file(version, names.executable, "#!/bin/sh\n:\n", manifest);
}

runner::Json permissions(const std::vector<std::string>& write,
                         const std::vector<std::string>& commands, bool network) {
    return {{"write", write}, {"commands", commands}, {"network", network}};
}

runner::Json entry(const std::string& kind, const std::string& name) {
    return {{"kind", kind}, {"name", name}};
}

}  // namespace

TEST_CASE("the plan marks permissions and parameters that no upgrade of the cluster had before") {
    Sandbox sandbox;
    release(sandbox, "0.1.1", {{"permissions", permissions({"a"}, {"sh"}, false)}});
    // Nothing ran yet: everything would be new, and nothing is marked.
    CHECK(sandbox.run({"plan", "-o", "json"}).json()["due"][0]["new"].empty());
    REQUIRE(sandbox.upgrade().status == 0);
    release(sandbox, "0.1.2",
            {{"permissions", permissions({"a", "b"}, {"sh", "true"}, true)},
             {"parameters", {{{"name", "size"}, {"description", "of it"}, {"default", "1"}}}}});
    release(sandbox, "0.1.3", {{"permissions", permissions({"b"}, {"cat"}, true)}});
    const auto plan = sandbox.run({"plan", "-o", "json"}).json();
    CHECK(plan["due"][0]["new"] ==
          runner::Json::array({entry("write", "b"), entry("command", "true"), entry("network", ""),
                               entry("parameter", "size")}));
    CHECK(plan["due"][1]["new"] == runner::Json::array({entry("command", "cat")}));
    const auto text = sandbox.run({"plan"}).out;
    CHECK_THAT(text, Contains("writes: a, b (new)") && Contains("runs: sh, true (new)") &&
                         Contains("uses the network (new)") && Contains("parameter size (new)"));
}

TEST_CASE("the config's policy refuses what it does not allow, all of it named at once") {
    const auto refused = [](const std::string& policy, const std::string& words) {
        INFO(policy);
        Sandbox sandbox;
        sandbox.config("0.1.0", {}, "policy: " + policy + "\n");
        release(sandbox, "0.1.1", {{"permissions", permissions({"a/b"}, {"sh", "true"}, true)}});
        const auto before = sandbox.snapshot("");
        const auto result = sandbox.run({"upgrade", "--dry-run"});
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("0.1.1 " + words) && Contains("policy refuses that"));
        CHECK(sandbox.run({"plan"}).status == 3);
    };
    refused("{network: refused}", "wants to use the network");
    refused("{commands: [sh]}", "wants to run true");
    refused("{commands: []}", "wants to run sh");
    refused("{write: [a/c, b]}", "wants to write a/b");
    Sandbox sandbox;
    sandbox.config("0.1.0", {}, "policy: {write: [a/], commands: [sh, true], network: allowed}\n");
    release(sandbox, "0.1.1", {{"permissions", permissions({"a/b"}, {"sh", "true"}, true)}});
    CHECK(sandbox.upgrade().status == 0);
    sandbox.config("0.1.0", {}, "policy: {undeclared: refused}\n");
    sandbox.release_program("0.1.2", "#!/bin/sh\n");
    CHECK_THAT(sandbox.upgrade().err, Contains("0.1.2 declares nothing of what it does"));
}

TEST_CASE("the kernel's enforcement can be switched off in the config, with a warning") {
    Sandbox sandbox;
    sandbox.config("0.1.0", {}, "policy: {enforcement: disabled}\n");
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 raw-write " + (sandbox.path() / "outside").string() + "\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("has the kernel enforce nothing"));
    CHECK(sandbox.exists("outside"));
    sandbox.config("0.1.0", {}, "policy: {enforcement: sometimes}\n");
    CHECK(sandbox.run({"plan"}).status == 2);
}

TEST_CASE("a value that an upgrade got is kept for later ones - config and --env still win") {
    Sandbox sandbox;
    sandbox.config("0.1.0", {}, "policy: {enforcement: disabled}\n");
    const runner::Json size = {
        {"parameters", {{{"name", "size"}, {"description", ""}, {"default", "1"}}}}};
    const runner::Json bigger = {
        {"parameters", {{{"name", "size"}, {"description", ""}, {"default", "9"}}}}};
    const runner::Json needed = {
        {"parameters",
         {{{"name", "size"}, {"description", ""}, {"required", true}, {"pattern", "5|7|9"}}}}};
    release(sandbox, "0.1.1", size);
    REQUIRE(sandbox.upgrade({"--env", "size=5"}).status == 0);
    release(sandbox, "0.1.2", needed);
    REQUIRE(sandbox.upgrade().status == 0);  // 5 is kept
    release(sandbox, "0.1.3", bigger);
    REQUIRE(sandbox.upgrade({"--env", "size=7"}).status == 0);
    release(sandbox, "0.1.4", needed);
    REQUIRE(sandbox.upgrade().status == 0);  // 7 by now
    sandbox.config("0.1.0", {}, "parameters: {size: \"8\"}\n");
    release(sandbox, "0.1.5", needed);
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("'8' does not match"));
}

TEST_CASE(
    "an upgrade that needs a cluster further on is refused, whatever was left out on the way") {
    Sandbox sandbox;
    release(sandbox, "0.1.1", {});
    release(sandbox, "0.1.5", {{"minimumFrom", "0.1.4"}});
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err,
               Contains("0.1.5 needs a cluster that has reached 0.1.4; this one will be at 0.1.1"));
    release(sandbox, "0.1.4", {});
    CHECK(sandbox.upgrade().status == 0);
}
