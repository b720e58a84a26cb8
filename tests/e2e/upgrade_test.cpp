// SPDX-License-Identifier: Apache-2.0
// The main job, as a user runs it.
#include <sys/stat.h>

#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

void three_notes(Sandbox& sandbox) {
    for (const char* version : {"0.1.10001", "0.1.10002", "0.1.10003"})
        sandbox.release_plugin("puppet", version);
    sandbox.behaviour("0.1.10001 note\n0.1.10002 note\n0.1.10003 note\n");
}

}  // namespace

TEST_CASE("upgrades run in order, once, and a rerun does nothing") {
    Sandbox sandbox;
    three_notes(sandbox);
    const auto first = sandbox.upgrade();
    REQUIRE(first.status == 0);
    CHECK_THAT(first.out, Contains("Found 3 applicable upgrades") && Contains("+0.1.10001") &&
                              Contains("--- running 0.1.10003 (3 of 3) ---") &&
                              Contains("Upgrade complete. The cluster version is now 0.1.10003."));
    CHECK(first.err.empty());
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10002\n0.1.10003\n");
    const auto before = sandbox.snapshot("state");
    const auto second = sandbox.upgrade();
    CHECK(second.status == 0);
    CHECK(second.out == "Nothing to do. The cluster version is 0.1.10003.\n");
    CHECK(sandbox.snapshot("state") == before);
}

TEST_CASE("the simulation shows the diff of the whole chain, each upgrade seeing those before it") {
    Sandbox sandbox;
    three_notes(sandbox);
    const auto result = sandbox.run({"upgrade", "--dry-run"});
    REQUIRE(result.status == 0);
    CHECK_THAT(result.out,
               Contains("--- /dev/null\n  +++ b/order\n    @@ -0,0 +1 @@\n    +0.1.10001\n"));
    CHECK_THAT(result.out,
               Contains("    @@ -1,2 +1,3 @@\n     0.1.10001\n     0.1.10002\n    +0.1.10003\n"));
    CHECK_FALSE(sandbox.exists("repository/order"));
    CHECK_FALSE(sandbox.exists("state"));
}

TEST_CASE("without a terminal and --yes nothing is fetched, and the exit code is 2") {
    Sandbox sandbox;
    three_notes(sandbox);
    const auto result = sandbox.run({"upgrade"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, Contains("--yes") && Contains("nothing was fetched"));
    CHECK_FALSE(sandbox.exists("cache"));
    CHECK_FALSE(sandbox.exists("state"));
}

TEST_CASE("on a terminal it asks - the default is no, with its own exit code") {
    Sandbox sandbox;
    three_notes(sandbox);
    const auto declined = sandbox.run_on_terminal({"upgrade"}, "\n");
    CHECK(declined.status == 4);
    CHECK_THAT(declined.out,
               Contains("Do you want to continue? [y/N]") && Contains("nothing was changed"));
    CHECK_FALSE(sandbox.exists("repository/order"));
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.0");
    const auto accepted = sandbox.run_on_terminal({"upgrade"}, "y\n");
    CHECK(accepted.status == 0);
    CHECK_THAT(accepted.out, Contains("\x1b["));
    CHECK(sandbox.exists("repository/order"));
}

TEST_CASE("NO_COLOR is honoured on a terminal") {
    Sandbox sandbox;
    three_notes(sandbox);
    sandbox.environment["NO_COLOR"] = "1";
    CHECK(sandbox.run_on_terminal({"upgrade", "--dry-run"}, "").out.find("\x1b[3") ==
          std::string::npos);
}

TEST_CASE("JSON output is one document and nothing else, on failure too") {
    Sandbox sandbox;
    three_notes(sandbox);
    const auto good = sandbox.upgrade({"-o", "json"});
    REQUIRE(good.status == 0);
    const auto document = good.json();
    CHECK(document["schemaVersion"] == 1);
    CHECK(document["clusterVersion"] == "0.1.10003");
    CHECK(document["outcome"] == "succeeded");
    CHECK(document["error"].is_null());
    CHECK(document["due"].size() == 3);
    CHECK(document["due"][0]["outcome"] == "succeeded");
    CHECK(document["due"][0]["digest"].get<std::string>().size() == 64);

    sandbox.release_plugin("puppet", "0.1.10004");
    sandbox.behaviour("0.1.10004 fail\n");
    const auto bad = sandbox.upgrade({"-o", "json"});
    CHECK(bad.status == 1);
    CHECK(bad.json()["outcome"] == "failed");
    CHECK(bad.json()["error"]["code"] == "apply_failed");
    CHECK(bad.json()["error"]["changed"] == "perhaps");
    CHECK(bad.json()["due"][0]["outcome"] == "failed");
}

TEST_CASE("an upgrade that fails stops the rest - what is done stays done, and a rerun goes on") {
    Sandbox sandbox;
    three_notes(sandbox);
    sandbox.behaviour("0.1.10001 note\n0.1.10002 fail\n0.1.10003 note\n");
    const auto failed = sandbox.upgrade();
    CHECK(failed.status == 1);
    CHECK_THAT(failed.err, Contains("0.1.10002") && Contains("told to fail") &&
                               Contains("1 upgrade before it done") &&
                               Contains("1 upgrade after it not begun"));
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.10001");
    sandbox.behaviour("0.1.10002 note\n0.1.10003 note\n");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10002\n0.1.10003\n");
}

TEST_CASE("a step that failed leaves no file of its own, and finished steps are not run again") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 fail-second\n");
    const auto failed = sandbox.upgrade();
    CHECK(failed.status == 1);
    CHECK_THAT(failed.err, Contains("its finished steps stay: one"));
    CHECK(sandbox.exists("repository/one"));
    CHECK_FALSE(sandbox.exists("repository/two"));
    sandbox.behaviour("0.1.10001 two-steps\n");
    const auto again = sandbox.upgrade();
    CHECK(again.status == 0);
    CHECK_THAT(again.out, !Contains("step one"));
    CHECK(sandbox.exists("repository/two"));
}

TEST_CASE("a blocked upgrade fails the preparation with reason and remedy") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 blocked\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("told to be blocked") && Contains("tell it otherwise") &&
                               Contains("nothing was changed"));
}

TEST_CASE("an upgrade with nothing to do is recorded as done") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 nothing\n");
    const auto result = sandbox.upgrade({"-o", "json"});
    CHECK(result.status == 0);
    CHECK(result.json()["due"][0]["outcome"] == "nothing_to_do");
    CHECK(sandbox.upgrade().out == "Nothing to do. The cluster version is 0.1.10001.\n");
}

TEST_CASE("a failed verification is a failed upgrade") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 verify-fails\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("verification failed: told to fail its verification"));
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["upgrades"].empty());
}

TEST_CASE("a write outside the repository is refused by name") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 simulated-outside\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("../outside"));
    CHECK_FALSE(sandbox.exists("outside"));
}

TEST_CASE("the simulation refuses a step id that begins a second time, by name") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 same-step-twice\n");
    const auto before = sandbox.snapshot("repository");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err,
               Contains("0.1.10001") && Contains("nothing was changed") &&
                   Contains("step 'same' begins a second time: a step's id is unique within its "
                            "upgrade"));
    CHECK(sandbox.snapshot("repository") == before);
}

TEST_CASE("nothing due below a higher target still sets the version") {
    Sandbox sandbox;
    three_notes(sandbox);
    REQUIRE(sandbox.upgrade().status == 0);
    const auto result = sandbox.upgrade({"--to", "0.2.0", "-o", "json"});
    CHECK(result.status == 0);
    CHECK(result.json()["clusterVersion"] == "0.2.0");
    CHECK(result.json()["outcome"] == "nothing_to_do");
    CHECK(result.json()["warnings"][0] == "no release has 0.2.0; the newest is 0.1.10003");
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.2.0");
    const auto down = sandbox.upgrade({"--to", "0.1.10003"});
    CHECK(down.status == 6);
    CHECK_THAT(down.err, Contains("0.1.10003") && Contains("0.2.0"));
    CHECK(sandbox.upgrade().status == 0);
}

TEST_CASE(
    "upgrades selected with --only and --skip run, and the version does not claim what is left "
    "out") {
    Sandbox sandbox;
    three_notes(sandbox);
    REQUIRE(sandbox.upgrade({"--skip", "0.1.10002"}).status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10003\n");
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10003\n0.1.10002\n");
    CHECK(sandbox.run({"state", "show", "-o", "json"}).json()["clusterVersion"] == "0.1.10003");
}

TEST_CASE(
    "a tampered archive, a missing checksum and a wrong manifest are refused by name, and nothing "
    "runs") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    const std::string folder = "releases/0.1.10001/";
    const std::string archive = folder + "upgrade_0.1.10001_Linux_amd64.tar.gz";
    const std::string bytes = sandbox.read(archive);
    sandbox.write(archive, bytes.substr(0, bytes.size() - 1) + "x");
    const auto tampered = sandbox.upgrade();
    CHECK(tampered.status == 3);
    CHECK_THAT(tampered.err, Contains("does not match its checksum") && Contains("expected"));
    sandbox.write(archive, bytes);
    const std::string checksums = sandbox.read(folder + "upgrade-checksums.txt");
    sandbox.write(folder + "upgrade-checksums.txt", checksums.substr(checksums.find('\n') + 1));
    const auto missing = sandbox.upgrade();
    CHECK(missing.status == 3);
    CHECK_THAT(missing.err, Contains("malformed") && Contains("no checksum for"));
    sandbox.write(folder + "upgrade-checksums.txt", "garbage\n");
    CHECK_THAT(sandbox.upgrade().err, Contains("line 1"));
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_file("0.1.10002", "upgrade_0.1.10002.so", "not a library",
                         runner::Json{{"schema", 1}, {"version", "0.1.10003"}});
    const auto wrong = sandbox.upgrade();
    CHECK(wrong.status == 3);
    CHECK_THAT(wrong.err, Contains("0.1.10003") && Contains("0.1.10002"));
    CHECK_FALSE(sandbox.exists("repository/order"));
}

TEST_CASE(
    "a library that is none, and a plugin that is not what its manifest says, cost the preparation "
    "only") {
    Sandbox sandbox;
    sandbox.release_file("0.1.10001", "upgrade_0.1.10001.so", "not a library",
                         runner::Json{{"schema", 1}, {"version", "0.1.10001"}});
    const auto none = sandbox.upgrade();
    CHECK(none.status == 3);
    CHECK_THAT(none.err, Contains("0.1.10001") && Contains("file too short") &&
                             Contains("nothing was changed"));

    sandbox.release_plugin("puppet", "0.1.10001");
    const std::string manifest = "releases/0.1.10001/upgrade_0.1.10001_manifest.json";
    auto json = runner::Json::parse(sandbox.read(manifest));
    json["description"] = "something harmless";
    const std::string library = "upgrade_0.1.10001.so";
    Sandbox donor;
    donor.release_plugin("puppet", "0.1.10002");
    json["version"] = "0.1.10001";
    sandbox.release_file("0.1.10001", library, "x", json);
    CHECK(sandbox.upgrade().status == 3);
}

TEST_CASE("another cluster's ledger is refused, with both names") {
    Sandbox sandbox;
    three_notes(sandbox);
    REQUIRE(sandbox.upgrade().status == 0);
    std::string config = sandbox.read("cluster.yaml");
    config.replace(config.find("name: test"), 10, "name: prod");
    sandbox.write("cluster.yaml", config);
    const auto result = sandbox.upgrade();
    CHECK(result.status == 6);
    CHECK_THAT(result.err, Contains("'test'") && Contains("'prod'"));
}

TEST_CASE("the original version is asked for or required, then stored and fixed") {
    Sandbox sandbox;
    three_notes(sandbox);
    sandbox.config("");
    const auto unknown = sandbox.upgrade();
    CHECK(unknown.status == 3);
    CHECK_THAT(unknown.err, Contains("originalVersion"));
    CHECK(sandbox.run_on_terminal({"upgrade"}, "0.1.10002\ny\n", "made?").status == 0);
    CHECK(sandbox.read("repository/order") == "0.1.10003\n");
    sandbox.config("0.1.10001");
    const auto other = sandbox.upgrade();
    CHECK(other.status == 2);
    CHECK_THAT(other.err, Contains("0.1.10001") && Contains("0.1.10002"));
}

TEST_CASE("output of both streams and the log arrives in order, cleaned, and is kept") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 print\n");
    const auto result = sandbox.upgrade();
    REQUIRE(result.status == 0);
    const std::string expected = "a log line\\xff\\x1b[31m";
    CHECK_THAT(result.out, Contains(expected + "\n  | to stdout\n  | to stderr\n"));
    CHECK_THAT(sandbox.run({"logs", "0.1.10001"}).out,
               Catch::EndsWith(expected + "\n  to stdout\n  to stderr\n"));
}

TEST_CASE("an upgrade can ask, and no is a failure") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 ask\n");
    const auto no = sandbox.run_on_terminal({"upgrade"}, "y\nn\n");
    CHECK(no.status == 1);
    CHECK_THAT(no.out, Contains("0.1.10001 asks: really? [y/N]") && Contains("aborted"));
    CHECK(sandbox.upgrade().status == 0);
}

TEST_CASE(
    "parameters come from --env, the config and defaults - missing ones are named before anything "
    "changes") {
    Sandbox sandbox;
    const auto with_parameters = [&](const std::string& parameters) {
        runner::Json manifest{{"schema", 1},
                              {"version", "0.1.10001"},
                              {"parameters", runner::Json::parse(parameters)}};
        sandbox.release_file("0.1.10001", "upgrade_0.1.10001", "#!/bin/sh\n", manifest);
    };
    with_parameters(
        R"([{"name":"a","required":true},{"name":"b","required":true},{"name":"c","default":"x"}])");
    const auto missing = sandbox.upgrade({"--env", "b=1", "--env", "typo=1"});
    CHECK(missing.status == 3);
    CHECK_THAT(missing.err, Contains("needs 'a'") && !Contains("needs 'b'") && Contains("typo"));
    CHECK(sandbox.upgrade({"--env", "b=1", "--env", "a=2"}).status == 0);
    CHECK(sandbox.upgrade({"--env", "nonsense"}).status == 2);
}
