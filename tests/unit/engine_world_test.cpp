// SPDX-License-Identifier: Apache-2.0
// The world itself, and the simplest things that happen in it.
#include "support/engine_world.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"

using namespace test;
using Strings = std::vector<std::string>;

TEST_CASE("an upgrade in memory changes files, runs commands and is recorded") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").sets("image", "v2"));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.version() == "0.0.52");
    CHECK(world.file("app") == "old\n0.0.51\n");
    CHECK(world.outside("image") == "v2");
    CHECK(world.told_too_early.empty());
    CHECK(world.newest_run() == "succeeded");
}

TEST_CASE("a run can die between any two effects, and the next one goes on") {
    die_everywhere(
        [](World& world) {
            world.now.files["app"] = "old\n";
            world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
            world.publish(ScriptedUpgrade::of("0.0.52").sets("image", "v2").edits("app"));
        },
        [](World& world) {
            const auto report = world.upgrade();
            if (report) REQUIRE(report->exit_code == 0);
            return report;
        },
        [](World& world) {
            const auto report = world.upgrade();
            INFO(words(report));
            REQUIRE(report->exit_code == 0);
            REQUIRE(world.done() == Strings{"0.0.51", "0.0.52"});
            REQUIRE(world.file("app") == "old\n0.0.51\n0.0.52\n");
            REQUIRE(world.work_tree.temporaries.empty());
            REQUIRE(world.told_too_early.empty());
        });
}
