// SPDX-License-Identifier: Apache-2.0
// What an upgrade's preflight says in the preparation holds only as long as nothing before it in
// the run has changed the world by a command: only what it says right before its turn is recorded.
#include "support/catch.hpp"

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

/// The first moves the world to where the second can run; until then the second is as told.
void chain(WorldlySandbox& world, const std::string& otherwise,
           const std::string& second_from = "v2") {
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 " + second_from + " v3 " + otherwise + "\n");
}

}  // namespace

TEST_CASE("nothing to do for now is no verdict: the upgrade runs when those before it have run") {
    WorldlySandbox world;
    chain(world, "nothing");
    const auto result = world.upgrade({"-o", "json"});
    REQUIRE(result.status == 0);
    CHECK(world.get("image") == "v3");
    CHECK(result.json()["due"][0]["outcome"] == "succeeded");
    CHECK(result.json()["due"][1]["outcome"] == "succeeded");
    const auto last = world.last_run();
    REQUIRE(last["upgrades"].size() == 2);
    CHECK(last["upgrades"][1]["version"] == "0.1.10002");
    CHECK(last["upgrades"][1]["outcome"] == "succeeded");
    CHECK(world.upgrade().out == "Nothing to do. The cluster version is 0.1.10002.\n");
}

TEST_CASE("an upgrade that is blocked until one before it has run is shown so, and runs") {
    WorldlySandbox world;
    chain(world, "blocked");
    const auto looked = world.run({"upgrade", "--dry-run"});
    CHECK(looked.status == 0);
    CHECK_THAT(looked.out, Contains("0.1.10002: blocked until 0.1.10001 has run: expected v2, "
                                    "found v1"));
    CHECK(world.get("image") == "v1");
    const auto result = world.upgrade();
    CHECK(result.status == 0);
    CHECK(world.get("image") == "v3");
    CHECK(world.read("repository/notes") == "0.1.10001\n0.1.10002\n");
    // What it does could not be shown before.
    CHECK_THAT(result.out.substr(result.out.find("0.1.10001: done")),
               Contains("would run: world set image v3"));
    CHECK(world.state()["clusterVersion"] == "0.1.10002");
    CHECK(world.upgrade().out == "Nothing to do. The cluster version is 0.1.10002.\n");
}

TEST_CASE("what is still blocked when its turn comes is named, and what is done stays done") {
    WorldlySandbox world;
    chain(world, "blocked", "v9");
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("0.1.10002: it cannot run here: expected v9, found v2") &&
                               Contains("it was not begun") && Contains("bring it to v9 first"));
    CHECK(result.json()["due"][0]["outcome"] == "succeeded");
    CHECK(result.json()["due"][1]["outcome"] == "blocked");
    CHECK(result.json()["error"]["changed"] == "perhaps");
    CHECK(world.get("image") == "v2");
    const auto state = world.state();
    CHECK(state["clusterVersion"] == "0.1.10001");
    CHECK(state["upgrades"].size() == 1);
    CHECK(world.last_run()["upgrades"].size() == 1);  // no attempt of the second
    // By itself nothing can make it run.
    CHECK(world.upgrade().status == 3);
}

TEST_CASE("going on without what is blocked leaves it out also when its turn comes") {
    WorldlySandbox world;
    chain(world, "blocked", "v9");
    world.wish("0.1.10003 v2 v4 blocked\n");
    const auto result = world.upgrade({"--keep-going"});
    CHECK(result.status == 0);
    CHECK_THAT(result.err, Contains("0.1.10002 is left out: blocked: expected v9, found v2"));
    CHECK(world.get("image") == "v4");
    CHECK(world.state()["clusterVersion"] == "0.1.10001");  // 0.1.10002 stays due
}

TEST_CASE("nothing to do is recorded when it is the answer right before its turn, too") {
    WorldlySandbox world;
    chain(world, "nothing", "v9");
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 0);
    CHECK(result.json()["due"][0]["outcome"] == "succeeded");
    CHECK(result.json()["due"][1]["outcome"] == "nothing_to_do");
    CHECK(world.get("image") == "v2");
    CHECK(world.state()["upgrades"].size() == 2);
}

TEST_CASE(
    "what was ready and has nothing to do by now, because of those before it, is recorded so") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v1 v2 blocked\n");
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 0);
    CHECK(result.json()["due"][1]["outcome"] == "nothing_to_do");
    CHECK(world.read("repository/notes") == "0.1.10001\n");
}

TEST_CASE(
    "on a terminal what could not be shown before is shown and asked for when its turn comes") {
    WorldlySandbox world;
    chain(world, "blocked");
    const auto declined = world.run_on_terminal({"upgrade"}, "y\nn\n", "[y/N]");
    CHECK(declined.status == 1);
    CHECK_THAT(declined.out,
               Contains("blocked until 0.1.10001 has run") &&
                   Contains("This is what 0.1.10002 will do, which could not be shown before") &&
                   Contains("declined before 0.1.10002; it was not begun"));
    CHECK(world.get("image") == "v2");
    CHECK(world.state()["clusterVersion"] == "0.1.10001");
    WorldlySandbox other;
    chain(other, "nothing");
    CHECK(other.run_on_terminal({"upgrade"}, "y\ny\n", "[y/N]").status == 0);
    CHECK(other.get("image") == "v3");
}

TEST_CASE("a chain of blocked upgrades in which one fails stops there, and a rerun goes on") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v2 v3 blocked fails\n0.1.10003 v3 v4 blocked\n");
    world.set("mood", "evil");
    const auto failed = world.upgrade();
    CHECK(failed.status != 0);
    CHECK(world.get("image") == "v2");
    CHECK(world.state()["clusterVersion"] == "0.1.10001");
    world.set("mood", "good");
    CHECK(world.upgrade().status == 0);
    CHECK(world.get("image") == "v4");
    CHECK(world.state()["clusterVersion"] == "0.1.10003");
}
