// SPDX-License-Identifier: Apache-2.0
// What is left out, what an upgrade requires, and what has to be confirmed by itself.
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
    manifest["permissions"] = {{"write", {"."}}, {"commands", {"*"}}};
    const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
    sandbox.release_file(
        version, names.executable,
        "#!/bin/sh\n[ \"$1\" = --dry-run=true ] || echo " + version + " >> order\n", manifest);
}

runner::Json other(const runner::Json& plan, const std::string& version) {
    for (const runner::Json& entry : plan["other"]) {
        if (entry["version"] == version) return entry;
    }
    return {};
}

}  // namespace

TEST_CASE("a recorded skip counts as settled and is shown with its reason, until unskip") {
    Sandbox sandbox;
    for (const char* version : {"0.1.1", "0.1.2", "0.1.3"}) release(sandbox, version, {});
    CHECK(sandbox.run({"skip", "0.1.2"}).status == 2);  // a reason is due
    CHECK(sandbox.run({"skip", "0.1.2", "--reason", "no such component here"}).status == 0);
    const auto plan = sandbox.run({"plan", "-o", "json"}).json();
    CHECK(plan["due"].size() == 2);
    CHECK(other(plan, "0.1.2")["reason"] == "skipped");
    CHECK_THAT(other(plan, "0.1.2")["detail"].get<std::string>(),
               Contains("no such component here"));
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.3\n");
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.3");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.3\n");

    CHECK(sandbox.run({"unskip", "0.1.2"}).status == 0);
    CHECK(sandbox.run({"unskip", "0.1.2"}).status == 2);
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.3\n0.1.2\n");
    CHECK(sandbox.run({"skip", "0.1.2", "--reason", "late"}).status == 6);  // it is done
    CHECK(sandbox.run({"skip", "0.1.x", "--reason", "late"}).status == 2);
}

TEST_CASE("what an upgrade requires must be done or run before it") {
    Sandbox sandbox;
    release(sandbox, "0.1.1", {});
    release(sandbox, "0.1.2", {{"requires", {"0.1.1", "0.0.9"}}});
    const auto refused = sandbox.upgrade({"--skip", "0.1.1"});
    CHECK(refused.status == 3);
    CHECK_THAT(refused.err, Contains("0.1.2 requires 0.1.1") && Contains("nothing was changed"));
    CHECK(!sandbox.exists("repository/order"));
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.2\n");
}

TEST_CASE("downtime and a major step need a confirmation of their own") {
    Sandbox sandbox;
    release(sandbox, "0.1.1", {{"downtime", true}});
    release(sandbox, "1.0.0", {});
    const auto refused = sandbox.upgrade();
    CHECK(refused.status == 3);
    CHECK_THAT(refused.err, Contains("downtime is caused by 0.1.1") && Contains("1.0.0") &&
                                Contains("--confirm-downtime and --confirm-major"));
    CHECK(!sandbox.exists("repository/order"));
    CHECK(sandbox.run({"upgrade", "--dry-run"}).status == 0);
    CHECK(sandbox.upgrade({"--to", "0.1.1", "--confirm-downtime"}).status == 0);
    const auto major = sandbox.upgrade();
    CHECK(major.status == 3);
    CHECK_THAT(major.err, Contains("from 0.1.1 to another major version, 1.0.0"));
    CHECK(sandbox.upgrade({"--confirm-major"}).status == 0);
}

TEST_CASE("on a terminal each of them is a question of its own, no by default") {
    for (const bool yes : {false, true}) {
        Sandbox sandbox;
        release(sandbox, "1.0.0", {{"downtime", true}});
        const auto result =
            sandbox.run_on_terminal({"upgrade"}, yes ? "y\ny\ny\n" : "y\ny\n\n", "continue?");
        CHECK_THAT(result.out,
                   Contains("Downtime is caused by 1.0.0") && Contains("to another major version"));
        CHECK(result.status == (yes ? 0 : 4));
        CHECK(sandbox.exists("repository/order") == yes);
    }
}

TEST_CASE("going on leaves out what is blocked and what requires it, and nothing else") {
    Sandbox sandbox;
    sandbox.release_plugin("files_only", "0.1.10001");
    sandbox.write("repository/shared", "");
    sandbox.release_plugin("puppet", "0.1.10002");
    release(sandbox, "0.1.10003", {{"requires", {"0.1.10002"}}});
    release(sandbox, "0.1.10004", {{"requires", {"0.1.10003"}}});
    release(sandbox, "0.1.10005", {});
    sandbox.behaviour("0.1.10002 blocked\n");
    CHECK(sandbox.upgrade().status == 3);
    CHECK_FALSE(sandbox.exists("repository/order"));
    const auto result = sandbox.upgrade({"--keep-going", "-o", "json"});
    CHECK(result.status == 0);
    const auto document = result.json();
    CHECK(document["due"].size() == 2);
    CHECK(other(document, "0.1.10002")["reason"] == "blocked");
    CHECK_THAT(other(document, "0.1.10002")["detail"].get<std::string>(),
               Contains("told to be blocked; tell it otherwise"));
    CHECK_THAT(other(document, "0.1.10004")["detail"].get<std::string>(),
               Contains("requires 0.1.10003, which is blocked"));
    CHECK(sandbox.read("repository/shared") == "0.1.10001\ntwice\n");
    CHECK(sandbox.read("repository/order") == "0.1.10005\n");
    CHECK(document["clusterVersion"] == "0.1.10001");      // something below the rest is undone
    CHECK(sandbox.upgrade({"--keep-going"}).status == 3);  // nothing but what is blocked
    sandbox.behaviour("0.1.10002 note\n");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.10005");
}

TEST_CASE("on a terminal going on without what is blocked is a question") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.behaviour("0.1.10001 blocked\n0.1.10002 note\n");
    const auto no = sandbox.run_on_terminal({"upgrade"}, "n\n", "Go on without it");
    CHECK(no.status == 3);
    const auto yes = sandbox.run_on_terminal({"upgrade"}, "y\ny\n", "Go on without it");
    CHECK(yes.status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10002\n");
}

TEST_CASE(
    "a target below the cluster version is refused - with --force late hotfixes up to it run") {
    Sandbox sandbox;
    release(sandbox, "0.1.1", {});
    release(sandbox, "0.1.3", {});
    REQUIRE(sandbox.upgrade().status == 0);
    release(sandbox, "0.1.2.late", {});
    release(sandbox, "0.1.3.late", {});
    CHECK(sandbox.upgrade({"--to", "0.1.2"}).status == 6);
    CHECK(sandbox.upgrade({"--to", "0.1.2", "--force"}).status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.3\n0.1.2.late\n");
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.3");
}
