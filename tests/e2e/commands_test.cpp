// SPDX-License-Identifier: Apache-2.0
// The commands beside the main job.
#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

TEST_CASE("every command has help with examples, and wrong usage is exit code 2") {
    Sandbox sandbox;
    for (const char* command :
         {"init", "check", "plan", "upgrade", "history", "logs", "run", "state", "releases",
          "package", "conformance", "completion", "rollback", "skip", "unskip"}) {
        CAPTURE(command);
        const auto help = sandbox.run({command, "--help"});
        CHECK(help.status == 0);
        CHECK_THAT(help.out, Contains("runner ") && Contains("Example"));
        CHECK(sandbox.run({command, "--no-such-option"}).status == 2);
    }
    CHECK(sandbox.run({"--version"}).status == 0);
    CHECK_THAT(sandbox.run({"--help"}).out, Contains("Exit codes"));
    const auto unknown = sandbox.run({"upgrad"});
    CHECK(unknown.status == 2);
    CHECK_THAT(unknown.err, Contains("upgrad"));
    CHECK(sandbox.run({}).status == 2);
}

TEST_CASE("init writes a config that works, starts the ledger, and overwrites nothing") {
    Sandbox sandbox;
    const auto made = sandbox.run({"init", "-c", "new/cluster.yaml", "--name", "demo",
                                   "--original-version", "0.1.0", "--directory", "../releases"});
    REQUIRE(made.status == 0);
    sandbox.release_plugin("noop", "0.1.10001");
    CHECK(sandbox.run({"upgrade", "--yes", "-c", "new/cluster.yaml"}).status == 0);
    const std::string before = sandbox.read("new/cluster.yaml");
    CHECK(sandbox.run({"init", "-c", "new/cluster.yaml"}).status == 6);
    CHECK(sandbox.read("new/cluster.yaml") == before);
}

TEST_CASE(
    "the config is -c, else RUNNER_CLUSTER, else cluster.yaml - a missing one says what to do") {
    Sandbox sandbox;
    CHECK(sandbox.run({"plan"}).status == 0);
    sandbox.environment["RUNNER_CLUSTER"] = "elsewhere.yaml";
    const auto missing = sandbox.run({"plan"});
    CHECK(missing.status == 2);
    CHECK_THAT(missing.err, Contains("elsewhere.yaml") && Contains("runner init"));
    CHECK(sandbox.run({"plan", "-c", "cluster.yaml"}).status == 0);
}

TEST_CASE("one upgrade by itself is a dry run unless told otherwise, and is recorded on request") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 note\n");
    const auto dry = sandbox.run({"run", "0.1.10001"});
    CHECK(dry.status == 0);
    CHECK_THAT(dry.out, Contains("This was a dry run: nothing was changed.\n"));
    CHECK_FALSE(sandbox.exists("repository/order"));
    CHECK(sandbox.run({"run", "0.1.10001", "--dry-run=false"}).status == 2);
    CHECK(sandbox.run({"run", "0.1.10001", "--dry-run=false", "--confirm"}).status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n");
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["upgrades"].empty());
    CHECK(sandbox.run({"run", "0.1.10001", "--dry-run=false", "--confirm", "--record"}).status ==
          0);
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["upgrades"].size() == 1);
    CHECK(sandbox.run({"run", "0.1.10009"}).status == 3);
}

TEST_CASE("the ledger by hand: record, forget, lock, unlock, export, import") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    REQUIRE(sandbox.run({"state", "record", "0.1.10001", "--reason", "by hand"}).status == 0);
    CHECK_THAT(sandbox.upgrade().out, !Contains("--- running"));
    CHECK(sandbox.run({"state", "record", "0.1.10001"}).status == 2);
    REQUIRE(sandbox.run({"state", "export", "dump.json"}).status == 0);
    CHECK(sandbox.run({"state", "import", "dump.json"}).status == 6);
    REQUIRE(sandbox.run({"state", "forget", "0.1.10001", "--reason", "again"}).status == 0);
    CHECK(sandbox.run({"state", "forget", "0.1.10001", "--reason", "again"}).status == 3);

    REQUIRE(sandbox.run({"state", "lock", "--reason", "freeze"}).status == 0);
    const auto held = sandbox.upgrade();
    CHECK(held.status == 5);
    CHECK_THAT(held.err, Contains("freeze") && Contains("tester"));
    REQUIRE(sandbox.run({"state", "unlock"}).status == 0);
    CHECK(sandbox.upgrade().status == 0);

    const auto before = sandbox.run({"state", "export"}).json();
    std::filesystem::rename(sandbox.path() / "state", sandbox.path() / "old");
    CHECK(sandbox.run({"state", "import", "dump.json"}).status == 0);
    CHECK(sandbox.run({"state", "export"}).json()["cluster"] == before["cluster"]);
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["upgrades"][0]["how"] == "import");
    sandbox.write("bad.json", "{}");
    CHECK(sandbox.run({"state", "import", "bad.json"}).status == 2);
}

TEST_CASE(
    "the cluster version is corrected by hand, under the lease, and says what it was and is") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    const auto correct = [&](const std::string& version) {
        return sandbox.run({"state", "correct-version", version, "--reason", "restored"});
    };
    const auto version = [&] {
        return sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"];
    };
    const auto lowered = correct("0.1.5");
    CHECK(lowered.status == 0);
    CHECK(lowered.out == "The cluster version was 0.1.10001 and is now 0.1.5.\n");
    CHECK(version() == "0.1.5");
    CHECK(correct("v0.1.7").out == "The cluster version was 0.1.5 and is now 0.1.7.\n");
    CHECK(sandbox.run({"state", "correct-version", "0.1.8"}).status == 2);
    const auto identified = correct("0.1.8.loki");
    CHECK(identified.status == 2);
    CHECK_THAT(identified.err, Contains("a version without identifier is expected"));
    const auto below = correct("0.0.9");
    CHECK(below.status == 6);
    CHECK_THAT(below.err, Contains("the original version is 0.1.0") && Contains("0.0.9"));
    REQUIRE(sandbox.run({"state", "lock", "--reason", "freeze"}).status == 0);
    CHECK(correct("0.1.9").status == 5);
    CHECK(version() == "0.1.7");
}

TEST_CASE("packages are the same bytes each time, and releases verify tells good from bad") {
    Sandbox sandbox;
    const std::string plugin =
        std::filesystem::path(Sandbox::program()).parent_path().parent_path() /
        "test_plugins/noop.so";
    REQUIRE(sandbox.run({"package", plugin, "--out", "a"}).status == 0);
    REQUIRE(sandbox.run({"package", plugin, "--out", "b"}).status == 0);
    auto a = sandbox.snapshot("a");
    for (const auto& [name, content] : sandbox.snapshot("b"))
        CHECK((a.at("a" + name.substr(1)) == content));
    CHECK(sandbox.run({"package", plugin, "--out", "c", "--tag", "0.1.2"}).status == 2);
    REQUIRE(sandbox.run({"package", plugin, "--out", "releases"}).status == 0);
    CHECK(sandbox.run({"releases", "verify"}).status == 0);
    CHECK_THAT(sandbox.run({"releases", "list"}).out, Contains("0.1.10000"));
    sandbox.write("releases/0.1.10000/upgrade_0.1.10000_manifest.json", "{}");
    const auto bad = sandbox.run({"releases", "verify"});
    CHECK(bad.status == 3);
    CHECK_THAT(bad.out, Contains("BAD"));
}
