// SPDX-License-Identifier: Apache-2.0
// One upgrade by itself: which one it is, and what it is refused for.
#include <fstream>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
#include "support/engine_world.hpp"
#include "support/sandbox.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

/// What `run` and `upgrade` are refused for.
std::pair<std::string, std::string> refusals_of_both(World& world, const std::string& version) {
    UpgradeRequest all = World::yes();
    all.selection.only = {version};
    const std::string by_upgrade = words(world.upgrade(all));
    return {words(world.single(World::by_itself(version, true))), by_upgrade};
}

}  // namespace

TEST_CASE("of several releases of one version none is run, as 'upgrade' runs none") {
    World world;
    const ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
    world.publish(upgrade);
    auto twice = world.source.stored.at(upgrade.tag());
    twice.release.tag = "v" + upgrade.tag();
    world.source.stored[twice.release.tag] = twice;
    const auto [by_run, by_upgrade] = refusals_of_both(world, "0.0.51");
    CHECK_THAT(by_run, Contains("is one of several with this version"));
    CHECK_THAT(by_upgrade, Contains("is one of several with this version"));
    CHECK(world.done().empty());
}

TEST_CASE("a release without a build for this platform, or malformed, is refused as by 'upgrade'") {
    const auto refused = [](const std::function<void(Release&)>& change) {
        World world;
        const ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
        world.publish(upgrade);
        change(world.source.stored.at(upgrade.tag()).release);
        const auto [by_run, by_upgrade] = refusals_of_both(world, "0.0.51");
        CHECK(world.done().empty());
        CHECK_THAT(by_upgrade, Contains(by_run.substr(0, by_run.find(';'))));
        return by_run;
    };
    CHECK_THAT(refused([](Release& release) { release.has_build = false; }),
               Contains("0.0.51: the release '0.0.51' has no build for "));
    CHECK_THAT(refused([](Release& release) { release.problem = "it has no checksums"; }),
               Contains("0.0.51: the release '0.0.51' is malformed: it has no checksums"));
}

TEST_CASE("nothing at or below the original version is run by itself, recorded or not") {
    for (const char* version : {"0.0.49", "0.0.50", "0.0.50.hotfix"}) {
        for (const bool record : {true, false}) {
            World world;
            world.publish(ScriptedUpgrade::of(version).edits("app"));
            SingleRunRequest request = World::by_itself(version, true);
            request.record = record;
            const auto report = world.single(request);
            INFO(version << ": " << words(report));
            CHECK(report->exit_code == 6);
            CHECK_THAT(words(report), Contains(" is not above the original version 0.0.50") &&
                                          Contains("nothing was changed"));
            CHECK(world.now.files.empty());
            CHECK(world.done().empty());
        }
    }
}

TEST_CASE("a file is not taken for the release that was attempted under its version") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app").fails(HostPhase::apply, 0));
    REQUIRE(world.upgrade()->exit_code != 0);
    // A program: its version is in its name.
    Sandbox folder;
    folder.write("upgrade_0.0.51", "#!/bin/sh\n");
    world.script("0.0.51").executable();
    SingleRunRequest request = World::by_itself((folder.path() / "upgrade_0.0.51").string(), true);
    for (const bool record : {true, false}) {
        request.record = record;
        const auto refused = world.single(request);
        CHECK(refused->exit_code == 3);
        CHECK_THAT(words(refused),
                   Contains("0.0.51 was attempted from a release before") &&
                       Contains("whether this file is of that release cannot be known"));
        CHECK_THAT(refused->error->next, Contains("--accept-changed 0.0.51"));
        CHECK(world.done().empty());
    }
    request.dry_run = true;  // leaves no trace
    CHECK(world.single(request)->exit_code == 0);
    request.dry_run = false;
    request.record = true;
    request.accept_changed = {"0.0.51"};
    CHECK(world.single(request)->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("what was begun with --record is not run on without, and what was only tried is") {
    for (const bool record : {true, false}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b"));
        die_at(world, "after record_step", 1,
               [&] { return world.single(World::by_itself("0.0.51", record)); });
        const auto report = world.single(World::by_itself("0.0.51", false));
        INFO(words(report));
        CHECK(report->exit_code == (record ? 6 : 0));
        if (record) CHECK_THAT(words(report), Contains("was begun by 'run 0.0.51 --record'"));
    }
}
