// SPDX-License-Identifier: Apache-2.0
// What was shown is what is done, or that upgrade is stopped before its first effect.
#include "support/catch.hpp"

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

/// A file that its upgrade edits.
struct Edited : WorldlySandbox {
    Edited() {
        write("repository/shared", "shared\n");
        release_plugin("files_only", "0.1.10001");
    }
};

}  // namespace

TEST_CASE("a file that is edited while the question waits is not overwritten: exit 3") {
    Edited sandbox;
    std::map<std::string, std::string> before;
    // A second yes for the upgrade's own question, should it come so far.
    const auto result = sandbox.run_on_terminal({"upgrade"}, "y\ny\n", "[y/N]", [&] {
        sandbox.write("repository/shared", "by a person\n");
        before = sandbox.snapshot("repository");
    });
    CHECK(result.status == 3);
    CHECK_THAT(result.out, Contains("0.1.10001 changed since it was shown: shared is not as when "
                                    "it was shown; it was not begun") &&
                               Contains("run it again, and look at what it shows now"));
    CHECK(sandbox.snapshot("repository") == before);
    CHECK(sandbox.state()["upgrades"].empty());
    CHECK(sandbox.last_run()["upgrades"].empty());
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.read("repository/shared") == "by a person\n0.1.10001\ntwice\n");
}

TEST_CASE("a file that appears or goes while the question waits stops the upgrade, too") {
    {
        Edited sandbox;
        sandbox.after_the_question("rm repository/shared\n");
        const auto result = sandbox.upgrade();
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("changed since it was shown: shared is not as"));
        CHECK_FALSE(sandbox.exists("repository/shared"));
    }
    {
        Edited sandbox;
        sandbox.after_the_question("echo here > repository/outside-of-steps\n");
        const auto result = sandbox.upgrade({"-o", "json"});
        CHECK(result.status == 3);
        CHECK(result.json()["error"]["changed"] == "no");
        CHECK_THAT(result.err, Contains("outside-of-steps is not as when it was shown"));
        CHECK(sandbox.read("repository/outside-of-steps") == "here\n");
        CHECK(sandbox.read("repository/shared") == "shared\n");
    }
}

TEST_CASE("in the second of two upgrades it stops that one alone: exit 1") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n");
    world.release_plugin("files_only", "0.1.10002");
    world.write("repository/shared", "shared\n");
    world.after_the_question("echo 'by a person' > repository/shared\n");
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 1);
    CHECK_THAT(result.err,
               Contains("0.1.10002 changed since it was shown: shared is not as when it was shown; "
                        "it was not begun"));
    CHECK(result.json()["due"][0]["outcome"] == "succeeded");
    CHECK(result.json()["error"]["changed"] == "perhaps");
    CHECK(world.read("repository/shared") == "by a person\n");
    CHECK(world.state()["clusterVersion"] == "0.1.10001");
    CHECK(world.get("image") == "v2");
}

TEST_CASE("content that is not what was shown is never written") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked writes\n");
    world.after_the_question("echo evil > repository/world/mood\n");
    const auto result = world.upgrade();
    CHECK_THAT(result.out, Contains("+good"));
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("0.1.10001") &&
                               Contains("changed since it was shown: what it writes to found is "
                                        "not what was shown"));
    CHECK_FALSE(world.exists("repository/found"));
    CHECK(world.get("image") == "v1");
    CHECK(world.state()["upgrades"].empty());
    world.configure();
    CHECK(world.upgrade().status == 0);  // the evil is shown now
    CHECK(world.read("repository/found") == "evil\n");
}

TEST_CASE("a file that was never shown is never written") {
    WorldlySandbox world;
    world.set("mood", "harmless");
    world.wish("0.1.10001 v1 v2 blocked wanders\n");
    world.after_the_question("echo elsewhere > repository/world/mood\n");
    const auto result = world.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("changed since it was shown: its simulation did not show that "
                                    "elsewhere would be changed"));
    CHECK_FALSE(world.exists("repository/elsewhere"));
    CHECK_FALSE(world.exists("repository/harmless"));
    CHECK(world.get("image") == "v1");
}

TEST_CASE("a file that an upgrade only reads stops it when it is edited meanwhile: exit 3") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n");
    world.after_the_question("echo >> repository/worldly\n");
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 3);
    CHECK_THAT(result.err,
               Contains("0.1.10001 changed since it was shown: worldly is not as when it was "
                        "shown; it was not begun"));
    CHECK(result.json()["error"]["changed"] == "no");
    CHECK(world.get("image") == "v1");
    CHECK_FALSE(world.exists("repository/notes"));
    world.configure();
    CHECK(world.upgrade().status == 0);
}

TEST_CASE("a file that becomes executable or a link while the question waits stops the upgrade") {
    for (const std::string how :
         {"chmod 755 repository/shared\n",
          "mv repository/shared other; ln -s ../other repository/shared\n"}) {
        INFO(how);
        Edited sandbox;
        sandbox.after_the_question(how);
        const auto result = sandbox.upgrade();
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("changed since it was shown: shared is not as when it was "
                                        "shown; it was not begun"));
        CHECK(sandbox.read("repository/shared") == "shared\n");
        CHECK(sandbox.state()["upgrades"].empty());
    }
}

TEST_CASE("a command that was not shown is never begun") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked runs\n");
    world.after_the_question("echo evil > repository/world/mood\n");
    const auto result = world.upgrade({"--no-auto-rollback", "-o", "json"});
    CHECK(result.status == 1);  // a step that writes a file is finished
    CHECK_THAT(result.err, Contains("changed since it was shown: its simulation did not show the "
                                    "command 'world set seen evil'"));
    CHECK(world.get("image") == "v1");
    CHECK_FALSE(world.exists("repository/world/seen"));
    CHECK(result.json()["error"]["commandsRun"].empty());
    world.configure();
    CHECK(world.upgrade().status == 0);  // the evil is shown now
    CHECK(world.get("seen") == "evil");
}

TEST_CASE("a command more than was shown stops an upgrade after those that were shown: exit 1") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked adds\n");
    world.after_the_question("echo evil > repository/world/mood\n");
    const auto result = world.upgrade({"--no-auto-rollback", "-o", "json"});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("did not show the command 'world set seen everything'"));
    CHECK(result.json()["error"]["commandsRun"] == runner::Json::array({"world set image v2"}));
    CHECK_FALSE(world.exists("repository/world/seen"));
}

TEST_CASE("a command may hold what an earlier command of its upgrade has led to") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked repeats-it\n");
    const auto result = world.upgrade();
    INFO(result.err);
    CHECK_THAT(result.out, Contains("world set seen v1"));
    CHECK(result.status == 0);
    CHECK(world.get("seen") == "v2");
}

TEST_CASE("a preflight that answers otherwise after the question stops the upgrade: exit 3") {
    const auto stopped = [](const std::string& shown, const std::string& later,
                            const std::string& words) {
        INFO(words);
        WorldlySandbox world;
        world.set("image", shown);
        world.wish("0.1.10001 v1 v2 blocked\n");
        world.after_the_question("echo " + later + " > repository/world/image\n");
        const auto result = world.upgrade({"-o", "json"});
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("0.1.10001 changed since it was shown: " + words) &&
                                   Contains("it was not begun"));
        CHECK(result.json()["error"]["changed"] == "no");
        CHECK_FALSE(world.exists("repository/notes"));
        CHECK(world.state()["upgrades"].empty());
        CHECK(world.last_run()["upgrades"].empty());
    };
    stopped("v1", "v7", "it was shown as ready, and now is blocked: expected v1, found v7");
    stopped("v1", "v2", "it was shown as ready, and now is nothing to do: it is at v2 already");
    stopped("v2", "v1", "it was shown as nothing to do: it is at v2 already, and now is ready");
}

TEST_CASE("a step id that begins a second time only for real is refused by name") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked repeats\n");
    world.after_the_question("echo evil > repository/world/mood\n");
    const auto result = world.upgrade();
    CHECK(result.status != 0);
    CHECK_THAT(result.err, Contains("step 'note' begins a second time"));
    CHECK_FALSE(world.exists("repository/twice"));
    CHECK(world.state()["upgrades"].empty());
}
