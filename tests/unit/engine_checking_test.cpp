// SPDX-License-Identifier: Apache-2.0
// Checking what is done.
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

namespace {

ScriptedUpgrade checked(const std::string& version, const std::string& component = "") {
    ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits(version);
    upgrade.manifest.component = component;
    upgrade.verify = good();
    return upgrade;
}

std::string health(const VerifyReport& report, const std::string& version) {
    for (const VerifiedUpgrade& one : report.upgrades) {
        if (one.version == version) return to_string(one.health);
    }
    return "-";
}

}  // namespace

TEST_CASE("a check is superseded by a later upgrade of the same component alone") {
    World world;
    world.publish(checked("0.0.51", "loki"));
    world.publish(checked("0.0.52", "grafana"));
    world.publish(checked("0.0.53", "loki"));
    world.publish(checked("0.0.54"));
    world.publish(checked("0.0.55"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.script("0.0.51").verify = bad(PhaseEnd::failed, "it is another by now");
    VerifyReport report = run_verify(world.parts(), {});
    CHECK(report.good());
    CHECK(health(report, "0.0.51") == "superseded");
    for (const char* version : {"0.0.52", "0.0.53", "0.0.54", "0.0.55"})
        CHECK(health(report, version) == "healthy");
    VerifyRequest one;
    one.only = {"0.0.51"};
    report = run_verify(world.parts(), one);
    CHECK(health(report, "0.0.51") == "unhealthy");
    CHECK_FALSE(report.good());
    one.only = {"0.0.51", "0.0.53"};  // both were asked for
    report = run_verify(world.parts(), one);
    CHECK(health(report, "0.0.51") == "unhealthy");
    CHECK(health(report, "0.0.53") == "healthy");
}

TEST_CASE("nothing is fetched of an upgrade whose check is superseded") {
    World world;
    world.publish(checked("0.0.51", "loki"));
    world.publish(checked("0.0.52", "loki"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.folder.kept.stored.clear();
    world.source.fetched.clear();
    const VerifyReport report = run_verify(world.parts(), {});
    CHECK(health(report, "0.0.51") == "superseded");
    CHECK(health(report, "0.0.52") == "healthy");
    REQUIRE_FALSE(world.source.fetched.empty());
    for (const std::string& asset : world.source.fetched) CHECK_THAT(asset, !Contains("0.0.51"));
}

TEST_CASE("what cannot be checked is not good, and hinders no other") {
    World world;
    world.publish(checked("0.0.51"));
    world.publish(checked("0.0.52"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.withdraw("0.0.51");
    world.withdraw("0.0.53");
    VerifyReport report = run_verify(world.parts(), {});
    CHECK(health(report, "0.0.51") == "healthy");  // from what is kept
    CHECK(health(report, "0.0.53") == "unchecked");
    CHECK(report.good());
    world.folder.kept.stored.clear();
    report = run_verify(world.parts(), {});
    CHECK(health(report, "0.0.51") == "unknown");
    CHECK(health(report, "0.0.52") == "healthy");
    CHECK_FALSE(report.good());
}

TEST_CASE("a failing check is unhealthy, and files are compared with what was left") {
    World world;
    world.publish(checked("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.now.files["0.0.51"] = "mine\n";
    VerifyReport report = run_verify(world.parts(), {});
    REQUIRE(report.files.size() == 1);
    CHECK(report.files[0].found == "changed");
    CHECK_FALSE(report.good());
    VerifyRequest without;
    without.files = false;
    CHECK(run_verify(world.parts(), without).good());
    world.now.files.clear();
    CHECK(run_verify(world.parts(), {}).files.at(0).found == "missing");
    world.script("0.0.51").verify = bad(PhaseEnd::failed, "bad");
    report = run_verify(world.parts(), without);
    CHECK(health(report, "0.0.51") == "unhealthy");
    CHECK_FALSE(report.good());
}

TEST_CASE("a version that is not done cannot be checked") {
    World world;
    world.publish(checked("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    VerifyRequest request;
    request.only = {"0.0.53"};
    CHECK_THROWS_AS(run_verify(world.parts(), request), Error);
}
