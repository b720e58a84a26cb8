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
    CHECK(sandbox.run({"upgrade", "--yes", "-c", "new/cluster.yaml", "--verification", "disabled"})
              .status == 0);
    const std::string before = sandbox.read("new/cluster.yaml");
    CHECK(sandbox.run({"init", "-c", "new/cluster.yaml"}).status == 6);
    CHECK(sandbox.read("new/cluster.yaml") == before);
}

TEST_CASE("what init writes believes signed releases alone, and plan says what to fill in") {
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    const auto made = sandbox.run({"init", "-c", "new/cluster.yaml", "--original-version", "0.1.0",
                                   "--directory", "../releases"});
    REQUIRE(made.status == 0);
    CHECK_THAT(made.out, Contains("releases.repository") && Contains("trust.publicKeys"));
    const auto plan = sandbox.run({"plan", "-c", "new/cluster.yaml"});
    CHECK(plan.status == 0);
    CHECK_THAT(plan.err,
               Contains("trust.verification is enabled, and trust.publicKeys names no key; "
                        "'upgrade' refuses to run like this: name the public keys of those who "
                        "release upgrades"));
    const auto upgrade = sandbox.run({"upgrade", "--yes", "-c", "new/cluster.yaml"});
    CHECK(upgrade.status == 2);
    CHECK_THAT(upgrade.err, Contains("name the public keys of those who release upgrades"));
    // With all of it said, a release that nobody has signed is refused for that.
    const auto key = sandbox.run({"package", "--generate-key", "release.key"});
    REQUIRE(key.status == 0);
    REQUIRE(sandbox
                .run({"init", "-c", "whole/cluster.yaml", "--original-version", "0.1.0",
                      "--directory", "../releases", "--repository", "o/r", "--public-key",
                      key.out.substr(0, key.out.find('\n'))})
                .status == 0);
    const auto unsigned_one = sandbox.run({"upgrade", "--yes", "-c", "whole/cluster.yaml"});
    CHECK(unsigned_one.status == 3);
    CHECK_THAT(unsigned_one.err, Contains("minisig"));
}

TEST_CASE("what is refused with -o json is one document with an error, whatever the command") {
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    sandbox.write("broken.yaml", "kind: [\n");
    const std::string other = sandbox.read("cluster.yaml");
    REQUIRE(sandbox.upgrade().status == 0);
    std::string stranger = other;
    stranger.replace(stranger.find("name: test"), 10, "name: else");
    sandbox.write("stranger.yaml", stranger);
    const std::vector<std::vector<std::string>> commands{
        {"plan", "-c", "broken.yaml"},
        {"plan", "-c", "stranger.yaml"},
        {"plan", "--to", "0.1.2"},
        {"plan", "-e", "a=b"},
        {"plan", "--no-such-option"},
        {"upgrade", "-c", "broken.yaml", "--yes"},
        {"upgrade", "-c", "stranger.yaml", "--yes"},
        {"upgrade", "--yes", "--wait", "soon"},
        {"upgrade", "--yes", "--plan", "missing.json"},
        {"upgrade", "--to", "0.1.2", "--yes"},
        {"upgrade", "--events", "no/such/folder", "--yes"},
        {"rollback", "-c", "broken.yaml", "--yes"},
        {"rollback", "--to", "0.0.1", "--yes"},
        {"verify", "-c", "stranger.yaml"},
        {"verify", "0.1.9"},
        {"history", "-c", "broken.yaml"},
        {"history", "--limit", "0"},
        {"run", "0.1.9"},
        {"run"},
        {"state", "show", "-c", "broken.yaml"},
        {"state", "record", "0.1.10001"},
        {"state", "forget", "0.1.9", "--reason", "r"},
        {"state", "correct-version", "0.0.1", "--reason", "r"},
        {"state", "import", "missing.json"},
        {"state"},
        {"releases", "list", "-c", "broken.yaml"},
        {"conformance", "missing.so"},
        {"token", "revoke", "nobody"},
        {"check", "--no-such-option"},
        {"no-such-command"},
    };
    for (std::vector<std::string> command : commands) {
        std::string words;
        for (const std::string& word : command) words += word + ' ';
        CAPTURE(words);
        command.insert(command.end(), {"-o", "json"});
        const auto result = sandbox.run(command);
        CHECK(result.status != 0);
        CHECK_THAT(result.err, Contains("error"));
        const runner::Json document = runner::Json::parse(result.out, nullptr, false);
        REQUIRE(document.is_object());
        CHECK(document["schemaVersion"] == 1);
        CHECK(document["error"]["message"].get<std::string>().size() > 10);
        CHECK(document["error"]["changed"] == "no");
        CHECK(result.err.find(document["error"]["message"].get<std::string>().substr(0, 30)) !=
              std::string::npos);
    }
    CHECK(sandbox.run({"plan", "--to", "0.1.2"}).out.empty());
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
    CHECK_THAT(dry.out, Contains("(at 0.1.0)") &&
                            Contains("This was a dry run: nothing was changed. The cluster "
                                     "version is still 0.1.0.\n"));
    CHECK_FALSE(sandbox.exists("repository/order"));
    CHECK(sandbox.run({"run", "0.1.10001", "--dry-run=false"}).status == 2);
    const auto real = sandbox.run({"run", "0.1.10001", "--dry-run=false", "--confirm"});
    CHECK(real.status == 0);
    CHECK_THAT(real.out, Contains("Done. The cluster version is 0.1.0.\n"));
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
