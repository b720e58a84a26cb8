// SPDX-License-Identifier: Apache-2.0
// What a plan says of the upgrades that are not due, and of those that are.
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

/// Why an upgrade is not due, with its detail; `-`: it is not among those.
std::string why_not(const RunReport& report, const std::string& version) {
    for (const OtherEntry& one : report.other) {
        if (one.version == version) return std::string(to_string(one.reason)) + ": " + one.detail;
    }
    return "-";
}

RunReport plan(World& world, const std::function<void(Selection&)>& choose = {}) {
    Selection selection;
    if (choose) choose(selection);
    return make_plan_report(world.parts(), selection);
}

}  // namespace

TEST_CASE("the plan gives for each upgrade that is not due why, and what that means") {
    World world;
    for (const char* version : {"0.0.49", "0.0.51", "0.0.52", "0.0.53", "0.0.54"})
        world.publish(ScriptedUpgrade::of(version).edits(version));
    UpgradeRequest first = World::yes();
    first.selection.only = {"0.0.51"};
    REQUIRE(world.upgrade(first)->exit_code == 0);
    world.ledgers.open()->record_skip({"0.0.52", "no Loki here", "erna"});
    ScriptedUpgrade candidate = ScriptedUpgrade::of("0.0.53-rc.1").edits("app");
    world.publish(candidate);
    world.source.stored.at(candidate.tag()).release.prerelease = true;
    const RunReport report = plan(world, [](Selection& selection) {
        selection.target = "0.0.53";
        selection.skip = {"0.0.53"};
    });
    CHECK(report.due.empty());
    CHECK_THAT(why_not(report, "0.0.49"), Contains("not above the original version 0.0.50"));
    CHECK_THAT(why_not(report, "0.0.51"), Catch::EndsWith(": "));
    CHECK_THAT(why_not(report, "0.0.52"),
               Contains("no Loki here (erna; 'runner unskip' takes it back)"));
    CHECK_THAT(why_not(report, "0.0.53"), Contains("left out by --only or --skip"));
    CHECK_THAT(why_not(report, "0.0.53-rc.1"), Contains("a pre-release; the channel is stable"));
    CHECK_THAT(why_not(report, "0.0.54"), Contains("above the target 0.0.53"));
}

TEST_CASE("the channel for previews takes pre-releases") {
    World world;
    world.config.releases.channel = Channel::preview;
    ScriptedUpgrade candidate = ScriptedUpgrade::of("0.0.53-rc.1").edits("app");
    world.publish(candidate);
    world.source.stored.at(candidate.tag()).release.prerelease = true;
    CHECK(plan(world).due.size() == 1);
}

TEST_CASE("a run tells what is left out as blocked, and why, where the rest is wanted") {
    for (const bool wanted : {false, true}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        world.publish(ScriptedUpgrade::of("0.0.52").edits("b").needs("k", "1"));
        UpgradeRequest request = World::yes();
        request.keep_going = true;
        request.report_other = wanted;
        const auto report = world.upgrade(request);
        REQUIRE(report->exit_code == 0);
        CHECK(why_not(*report, "0.0.52") ==
              (wanted ? "blocked: blocked: k is '', not '1'" : std::string("-")));
        CHECK(report->final_version == "0.0.51");
    }
}

TEST_CASE("the config's target counts where none is given") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
    world.config.target_version = "0.0.51";
    CHECK(plan(world).due.size() == 1);
    CHECK(plan(world, [](Selection& one) { one.target = "0.0.52"; }).due.size() == 2);
}

TEST_CASE("a target below the version of the cluster is taken by force alone") {
    World world;
    for (const char* version : {"0.0.51", "0.0.53", "0.0.52.late"}) {
        world.publish(ScriptedUpgrade::of(version).edits(version));
        if (std::string(version) != "0.0.52.late") REQUIRE(world.upgrade()->exit_code == 0);
    }
    const auto below = [](Selection& selection) { selection.target = "0.0.52"; };
    CHECK_THROWS_AS(plan(world, below), Error);
    const RunReport report = plan(world, [&](Selection& selection) {
        below(selection);
        selection.force = true;
    });
    CHECK(report.due.size() == 1);
}

TEST_CASE("the plan of a cluster whose original version nobody knows is refused") {
    World world;
    world.config.original_version.reset();
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    CHECK_THROWS_WITH(plan(world), "the original version of the cluster 'demo' is not known");
}

TEST_CASE("the plan warns of risks and of what stands half-way") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b").fails(HostPhase::apply, 5));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    ScriptedUpgrade major = ScriptedUpgrade::of("1.0.0").edits("b");
    major.manifest.downtime = true;
    world.publish(major);
    const RunReport report = plan(world);
    CHECK(report.risks.downtime == Strings{"1.0.0"});
    CHECK(report.risks.major_step);
    REQUIRE(report.warnings.size() == 1);
    CHECK_THAT(report.warnings[0], Contains("0.0.51: its last attempt failed"));
}

TEST_CASE("to the first upgrades of a cluster nothing is new") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    CHECK(plan(world).due.front().news.empty());
}

TEST_CASE("each due upgrade is held to the version that the cluster has when its turn comes") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    for (const char* version : {"0.0.52", "0.0.53"}) {
        ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits(version);
        upgrade.manifest.minimum_from = "0.0.51";
        world.publish(upgrade);
    }
    CHECK(plan(world).due.size() == 3);
    ScriptedUpgrade first = ScriptedUpgrade::of("0.0.51").edits("a");
    first.manifest.minimum_from = "0.0.51";
    world.publish(first);
    CHECK_THROWS_WITH(plan(world), Contains("0.0.51 needs a cluster that has reached 0.0.51; this "
                                            "one will be at 0.0.50") &&
                                       !Contains("0.0.52 needs"));
}
