// SPDX-License-Identifier: Apache-2.0
// The world itself, and the simplest things that happen in it.
#include "support/engine_world.hpp"
#include "support/catch.hpp"

using namespace test;
using Strings = std::vector<std::string>;

TEST_CASE("an upgrade in memory changes files, runs commands and is recorded") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").sets("image", "v2"));
    const auto report = world.upgrade();
    INFO((report->error ? report->error->message : ""));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.version() == "0.0.52");
    CHECK(world.file("app") == "old\n0.0.51\n");
    CHECK(world.outside("image") == "v2");
    CHECK(world.told_too_early.empty());
    CHECK(world.newest_run() == "succeeded");
}

TEST_CASE("a run can die between any two effects, and the next one goes on") {
    std::size_t points = 1000;
    for (std::size_t at = 0; at < points; ++at) {
        World world;
        world.now.files["app"] = "old\n";
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        world.publish(ScriptedUpgrade::of("0.0.52").sets("image", "v2").edits("app"));
        if (at == 0) {
            World whole;
            whole.now = world.now;
            whole.publish(world.script("0.0.51"));
            whole.publish(world.script("0.0.52"));
            whole.process.at_point = [&, count = std::size_t(0)](const std::string&) mutable {
                points = ++count;
            };
            REQUIRE(whole.upgrade()->exit_code == 0);
            CHECK(points > 50);
        }
        world.process.dies_at = at;
        world.upgrade();
        const auto report = world.upgrade();
        INFO("died at " << at << (report->error ? ": " + report->error->message : ""));
        REQUIRE(report->exit_code == 0);
        REQUIRE(world.done() == Strings{"0.0.51", "0.0.52"});
        REQUIRE(world.file("app") == "old\n0.0.51\n0.0.52\n");
        REQUIRE(world.work_tree.temporaries.empty());
        REQUIRE(world.told_too_early.empty());
    }
}
