// SPDX-License-Identifier: Apache-2.0
// A rise of the cluster version with nothing due is asked for and guarded as any other run.
#include "support/catch.hpp"

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

/// A cluster at its newest upgrade.
struct UpToDate : WorldlySandbox {
    UpToDate() {
        release_plugin("noop", "0.1.10001");
        REQUIRE(upgrade().status == 0);
    }
    [[nodiscard]] std::string version() { return state()["clusterVersion"]; }
};

}  // namespace

TEST_CASE("a major step with nothing due needs its own confirmation: exit 3, nothing changed") {
    UpToDate sandbox;
    const auto refused = sandbox.upgrade({"--to", "9.9.9", "-o", "json"});
    CHECK(refused.status == 3);
    CHECK(refused.json()["error"]["changed"] == "no");
    CHECK_THAT(refused.err, Contains("this is a step from 0.1.10001 to another major version, "
                                     "9.9.9; --yes does not cover that") &&
                                Contains("add --confirm-major when that is meant") &&
                                Contains("no release has 9.9.9; the newest is 0.1.10001"));
    CHECK(sandbox.version() == "0.1.10001");
    CHECK(sandbox.upgrade({"--to", "9.9.9", "--confirm-major"}).status == 0);
    CHECK(sandbox.version() == "9.9.9");
}

TEST_CASE("what no release has is said, in the plan and before the question") {
    UpToDate sandbox;
    const std::string words = "no release has 9.9.9; the newest is 0.1.10001";
    const auto plan = sandbox.run({"plan", "--to", "9.9.9", "-o", "json"}).json();
    CHECK(plan["warnings"].dump().find(words) != std::string::npos);
    CHECK_THAT(sandbox.run({"plan", "--to", "9.9.9"}).err, Contains(words));
    const auto asked = sandbox.run_on_terminal({"upgrade", "--to", "9.9.9"}, "n\n", "[y/N]");
    CHECK_THAT(asked.out, Contains(words));
    CHECK(asked.out.find(words) < asked.out.find("[y/N]"));
}

TEST_CASE("on a terminal a rise is asked for, and a no leaves every version as it was: exit 4") {
    UpToDate sandbox;
    const auto declined = sandbox.run_on_terminal({"upgrade", "--to", "0.2.0"}, "n\n", "[y/N]");
    CHECK(declined.status == 4);
    CHECK_THAT(declined.out,
               Contains("No upgrade runs; this will raise the version of the cluster 'test' from "
                        "0.1.10001 to 0.2.0. Do you want to continue? [y/N]") &&
                   Contains("nothing was changed"));
    CHECK(sandbox.version() == "0.1.10001");
    CHECK(sandbox.last_run()["outcome"] == "aborted");
    CHECK(sandbox.run_on_terminal({"upgrade", "--to", "0.2.0"}, "y\n", "[y/N]").status == 0);
    CHECK(sandbox.version() == "0.2.0");
    // The major step is a question of its own.
    const auto major = sandbox.run_on_terminal({"upgrade", "--to", "1.0.0"}, "y\nn\n", "[y/N]");
    CHECK(major.status == 4);
    CHECK_THAT(major.out, Contains("This is a step from 0.2.0 to another major version, 1.0.0."));
    CHECK(sandbox.version() == "0.2.0");
}

TEST_CASE("without a terminal and --yes no version is raised: exit 2") {
    UpToDate sandbox;
    CHECK(sandbox.run({"upgrade", "--to", "0.2.0"}).status == 2);
    CHECK(sandbox.version() == "0.1.10001");
}

TEST_CASE("a dry run says what the version would become, and changes nothing") {
    UpToDate sandbox;
    const auto before = sandbox.snapshot("state");
    const auto result = sandbox.run({"upgrade", "--to", "9.9.9", "--dry-run"});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Contains("nothing was changed. No upgrade is due; the cluster version "
                                    "would become 9.9.9."));
    CHECK(sandbox.snapshot("state") == before);
}

TEST_CASE("plan and upgrade say that the version rises, and not that there is nothing to do") {
    UpToDate sandbox;
    const auto plan = sandbox.run({"plan", "--to", "0.2.0"});
    CHECK_THAT(plan.out, Contains("No upgrade is due; 'runner upgrade' would raise the version of "
                                  "the cluster 'test' from 0.1.10001 to 0.2.0."));
    const auto saved = sandbox.run({"plan", "--to", "0.2.0", "--out", "plan.json"});
    CHECK_THAT(saved.out, Contains("No upgrade is due; 'runner upgrade' would raise"));
    const auto raised = sandbox.upgrade({"--to", "0.2.0"});
    CHECK_THAT(raised.out, Contains("No upgrade was due. The cluster version was raised from "
                                    "0.1.10001 to 0.2.0.") &&
                               !Contains("Nothing to do"));
    CHECK_THAT(sandbox.upgrade({"--to", "0.2.0"}).out,
               Contains("Nothing to do. The cluster version is 0.2.0."));
    CHECK_THAT(sandbox.run({"plan", "--to", "0.2.0"}).out, Contains("Nothing is due"));
}

TEST_CASE("a version that was raised by mistake is set back by hand, with a reason") {
    UpToDate sandbox;
    REQUIRE(sandbox.upgrade({"--to", "9.9.9", "--confirm-major"}).status == 0);
    sandbox.release_plugin("noop", "0.1.10002");
    CHECK(sandbox.run({"state", "correct-version", "0.1.10001"}).status == 2);  // a reason is due
    CHECK(sandbox.run({"state", "correct-version", "0.1.10001", "--reason", "a slip"}).status == 0);
    CHECK(sandbox.version() == "0.1.10001");
    CHECK_THAT(
        sandbox.run({"history"}).out,
        Contains("by hand: version corrected 0.1.10001  by ") && Contains("\n    | a slip\n"));
    const auto by_hand = sandbox.run({"history", "-o", "json"}).json()["byHand"];
    REQUIRE(by_hand.size() == 1);
    CHECK(by_hand[0]["kind"] == "version_corrected");
    CHECK(by_hand[0]["version"] == "0.1.10001");
    CHECK(by_hand[0]["reason"] == "a slip");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.version() == "0.1.10002");
}

TEST_CASE("no hook runs where no upgrade does") {
    UpToDate sandbox;
    sandbox.after_the_question("echo before >> hooks-ran\n");
    REQUIRE(sandbox.upgrade({"--to", "0.2.0"}).status == 0);
    CHECK_FALSE(sandbox.exists("hooks-ran"));
    CHECK(sandbox.version() == "0.2.0");
}
