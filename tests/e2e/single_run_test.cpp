// SPDX-License-Identifier: Apache-2.0
// One upgrade by itself passes the same gates, hooks and automatic rollback as all that is due.
#include "support/catch.hpp"

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

constexpr const char* k_note = "#!/bin/sh\n[ \"$1\" = --dry-run=true ] || echo ran >> ran\n";

const runner::Json k_any = {{"write", {"."}}, {"commands", {"*"}}};

std::vector<std::string> by_itself(const std::string& upgrade,
                                   const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"run", upgrade, "--dry-run=false", "--confirm", "--record"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

/// Refused before anything is changed, with these words.
void check_refused(WorldlySandbox& world, const std::string& upgrade, const std::string& words) {
    const auto result = world.run(by_itself(upgrade));
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains(words) && Contains("nothing was changed"));
    CHECK_FALSE(world.exists("repository/ran"));
    CHECK(world.state()["upgrades"].empty());
}

}  // namespace

TEST_CASE("what the policy refuses to 'upgrade' it refuses to 'run', from a release or a file") {
    WorldlySandbox world;
    world.release_program("0.1.1", k_note);
    world.release_program("0.1.2", k_note, runner::Json{{"permissions", k_any}});
    world.write("upgrade_0.1.3", k_note);
    world.configure("policy: {undeclared: refused}\n");
    const std::string undeclared = " declares nothing of what it does: the cluster config's policy";
    check_refused(world, "0.1.1", "0.1.1" + undeclared);
    check_refused(world, "upgrade_0.1.3", "0.1.3" + undeclared);
    world.configure("policy: {commands: [kubectl]}\n");
    check_refused(world, "0.1.2", "0.1.2 wants to run *: the cluster config's policy");
    world.configure("policy: {write: [docs]}\n");
    check_refused(world, "0.1.2", "0.1.2 wants to write .: the cluster config's policy");
    world.configure();
    CHECK(world.run(by_itself("0.1.2")).status == 0);
    CHECK(world.read("repository/ran") == "ran\n");
}

TEST_CASE("a release that was changed after it was attempted is not run by itself, either") {
    WorldlySandbox world;
    world.release_program("0.1.1", "#!/bin/sh\n[ \"$1\" = --dry-run=true ]\n",
                          runner::Json{{"permissions", k_any}});
    REQUIRE(world.upgrade().status == 1);
    world.remove_release("0.1.1");
    world.release_program("0.1.1", k_note, runner::Json{{"permissions", k_any}});
    check_refused(world, "0.1.1", "0.1.1 was changed after it was first attempted");
    CHECK(world.run(by_itself("0.1.1", {"--accept-changed", "0.1.1"})).status == 0);
    CHECK(world.state()["upgrades"].size() == 1);
}

TEST_CASE("what was skipped is not run by itself until that is taken back") {
    WorldlySandbox world;
    world.release_program("0.1.1", k_note, runner::Json{{"permissions", k_any}});
    REQUIRE(world.run({"skip", "0.1.1", "--reason", "not here"}).status == 0);
    check_refused(world, "0.1.1", "0.1.1 is skipped: not here");
    REQUIRE(world.run({"unskip", "0.1.1"}).status == 0);
    CHECK(world.run(by_itself("0.1.1")).status == 0);
}

TEST_CASE("what it requires, and what was released before it, is looked at by itself, too") {
    WorldlySandbox world;
    world.release_program("0.1.1", "#!/bin/sh\n", runner::Json{{"permissions", k_any}});
    world.release_program("0.1.2", k_note,
                          runner::Json{{"permissions", k_any}, {"requires", {"0.1.1"}}});
    check_refused(world, "0.1.2", "0.1.2 requires 0.1.1, which is neither done nor part of this");
    REQUIRE(world.upgrade({"--only", "0.1.1"}).status == 0);
    CHECK(world.run(by_itself("0.1.2")).status == 0);

    WorldlySandbox gap;
    gap.release_program("0.1.3", k_note,
                        runner::Json{{"permissions", k_any}, {"after", {"0.1.2"}}});
    check_refused(gap, "0.1.3", "0.1.3 was released after 0.1.2, which the source does not have");
}

TEST_CASE("downtime needs its own confirmation by itself, too") {
    WorldlySandbox world;
    world.release_program("0.1.1", k_note,
                          runner::Json{{"permissions", k_any}, {"downtime", true}});
    check_refused(world, "0.1.1", "downtime is caused by 0.1.1");
    CHECK(world.run({"run", "0.1.1"}).status == 0);  // looking causes none
    CHECK(world.run(by_itself("0.1.1", {"--confirm-downtime"})).status == 0);
    CHECK(world.read("repository/ran") == "ran\n");
}

TEST_CASE("hooks stand around one upgrade by itself") {
    WorldlySandbox world;
    for (const char* name : {"before", "snapshot", "after", "onFailure"}) {
        const std::string file = std::string(name) + ".sh";
        world.write(file, "#!/bin/sh\necho " + std::string(name) + " >> hooks\n");
        ::chmod((world.path() / file).c_str(), 0755);
    }
    world.configure(
        "hooks: {before: {command: [./before.sh]}, snapshot: {command: [./snapshot.sh]}, "
        "after: {command: [./after.sh]}, onFailure: {command: [./onFailure.sh]}}\n");
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v2 v3 blocked fails\n");
    CHECK(world.run({"run", "0.1.10001"}).status == 0);
    CHECK_FALSE(world.exists("hooks"));  // a dry run
    CHECK(world.run(by_itself("0.1.10001")).status == 0);
    CHECK(world.read("hooks") == "before\nsnapshot\nafter\n");
    world.break_it();
    CHECK(world.run(by_itself("0.1.10002")).status == 8);
    CHECK(world.read("hooks") == "before\nsnapshot\nafter\nbefore\nsnapshot\nonFailure\n");
}

TEST_CASE("one upgrade by itself that fails is rolled back: exit 8, unless it is told not to be") {
    for (const bool told : {false, true}) {
        WorldlySandbox world;
        world.wish("0.1.10001 v1 v2 blocked\n");
        world.break_it();
        std::vector<std::string> more;
        if (told) more.emplace_back("--no-auto-rollback");
        more.insert(more.end(), {"-o", "json"});
        const auto result = world.run(by_itself("0.1.10001", more));
        CHECK(result.status == (told ? 1 : 8));
        // The command that failed belongs to no finished step, so nothing undoes it.
        CHECK(result.json()["error"]["changed"] == "perhaps");
        CHECK_THAT(result.err, Contains(told ? "commands run: world set image v2"
                                             : "not undone, as the step that ran them did not "
                                               "finish: world set image v2"));
        CHECK(world.exists("repository/notes") == told);
        CHECK(world.state()["upgrades"].empty());
        world.mend_it();
        CHECK(world.run(by_itself("0.1.10001")).status == 0);
        CHECK(world.read("repository/notes") == "0.1.10001\n");
    }
}

TEST_CASE("what is shown by itself is what is done, or it does not begin") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked writes\n");
    world.after_the_question("echo evil > repository/world/mood\n");
    const auto result = world.run(by_itself("0.1.10001"));
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("what it writes to found is not what was shown"));
    CHECK_FALSE(world.exists("repository/found"));
    CHECK(world.get("image") == "v1");
}
