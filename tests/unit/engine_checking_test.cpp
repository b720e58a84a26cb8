// SPDX-License-Identifier: Apache-2.0
// Checking what is done.
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/deaths.hpp"
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

/// It counts as done in a ledger that no run has written to.
void record_by_hand(World& world, const ScriptedUpgrade& upgrade) {
    world.ledgers.open()->set_identity({"demo", "", ""});
    DoneRecord done;
    done.version = upgrade.version;
    done.tag = upgrade.tag();
    done.platform = Platform::current().to_string();
    world.ledgers.open()->record_done(done, "erna", "by hand");
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

TEST_CASE("a check of one version tells nothing of the files of another") {
    World world;
    world.publish(checked("0.0.51"));
    world.publish(checked("0.0.52"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.now.files["0.0.51"] = "mine\n";
    for (const auto& [version, drifted] : {std::pair("0.0.51", 1U), std::pair("0.0.52", 0U)}) {
        VerifyRequest request;
        request.only = {version};
        const VerifyReport report = run_verify(world.parts(), request);
        CHECK(report.files.size() == drifted);
        CHECK(report.good() == (drifted == 0));
    }
}

TEST_CASE("the release that was applied is found again beside another one of its version") {
    World world;
    ScriptedUpgrade upgrade = checked("0.0.51").sets("x", "1", "0").reversible();
    world.publish(upgrade);
    REQUIRE(world.upgrade()->exit_code == 0);
    world.folder.kept.stored.clear();
    upgrade.content = "2";
    FakeSource other;
    other.publish(upgrade);
    for (const char* tag : {"0.0.51+", "v0.0.51"}) {  // on either side of it in the list
        auto& twin = world.source.stored[tag] = other.stored.at(upgrade.tag());
        twin.release.tag = tag;
    }
    CHECK(health(run_verify(world.parts(), {}), "0.0.51") == "healthy");
    const auto report = world.rollback(World::rollback_request());
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.outside("x") == "0");
}

TEST_CASE("what is an executable upgrade has no check, whoever recorded it") {
    for (const bool by_hand : {false, true}) {
        World world;
        ScriptedUpgrade upgrade = checked("0.0.51").executable();
        world.publish(upgrade);
        if (by_hand) {
            record_by_hand(world, upgrade);
        } else {
            REQUIRE(world.upgrade()->exit_code == 0);
        }
        const VerifyReport report = run_verify(world.parts(), {});
        REQUIRE(report.upgrades.size() == 1);
        CHECK(health(report, "0.0.51") == "unchecked");
        CHECK(report.upgrades[0].message == "an executable upgrade has no check of its own");
        CHECK(report.good());
        CHECK(count(world.stage.phases, "verify 0.0.51") == 0);
    }
}

TEST_CASE("what is checked is told by version, whenever it was done") {
    World world;
    for (const char* version : {"0.0.53", "0.0.51.a", "0.0.52"}) {
        world.publish(checked(version));
        REQUIRE(world.upgrade()->exit_code == 0);
    }
    std::vector<std::string> versions;
    for (const VerifiedUpgrade& one : run_verify(world.parts(), {}).upgrades)
        versions.push_back(one.version);
    CHECK(versions == std::vector<std::string>{"0.0.51.a", "0.0.52", "0.0.53"});
}

TEST_CASE("a check takes the values that are given for it, and no others") {
    World world;
    ScriptedUpgrade upgrade = checked("0.0.51");
    Parameter token;
    token.name = "token";
    token.secret = token.required = true;
    upgrade.manifest.parameters = {token};
    world.publish(upgrade);
    world.publish(checked("0.0.52"));
    UpgradeRequest with_token = World::yes();
    with_token.parameters.secrets["token"] = Secret("hunter2hunter2");
    REQUIRE(world.upgrade(with_token)->exit_code == 0);
    VerifyRequest request;
    const VerifyReport without = run_verify(world.parts(), request);
    CHECK(health(without, "0.0.51") == "unknown");  // and it hinders no other
    CHECK(health(without, "0.0.52") == "healthy");
    CHECK_THAT(without.upgrades[0].message, Contains("'token', which has no value"));
    request.parameters.secrets["token"] = Secret("hunter2hunter2");
    CHECK(run_verify(world.parts(), request).good());
    request.parameters.secrets["other"] = Secret("another-one");
    CHECK_THROWS_WITH(run_verify(world.parts(), request),
                      "other: no done upgrade declares a parameter of this name");
    request.parameters.secrets.erase("other");
    request.parameters.values["other"] = "x";
    CHECK_THROWS_AS(run_verify(world.parts(), request), Error);
}

TEST_CASE("a check says that a run is under way or has died, and what it is at") {
    World world;
    world.publish(checked("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(run_verify(world.parts(), {}).warnings.empty());
    world.publish(checked("0.0.52").edits("more"));
    die_at(world, "after record_step");
    const VerifyReport report = run_verify(world.parts(), {});
    REQUIRE(report.warnings.size() == 2);
    CHECK_THAT(report.warnings[0], Contains("what is found may be half-done"));
    CHECK_THAT(report.warnings[1], Contains("0.0.52 is being applied"));
}

TEST_CASE("a file that an upgrade has removed is told when it is there again") {
    World world;
    world.now.files["gone"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").step(
        {.id = "one", .edits = {{.path = "gone", .removes = true}}}));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(run_verify(world.parts(), {}).files.empty());
    world.now.files["gone"] = "new\n";
    const VerifyReport report = run_verify(world.parts(), {});
    REQUIRE(report.files.size() == 1);
    CHECK(report.files[0].path == "gone");
    CHECK(report.files[0].version == "0.0.51");
    CHECK(report.files[0].found == "there again");
}

TEST_CASE("each check is told with how it ended") {
    World world;
    world.publish(checked("0.0.51"));
    world.publish(checked("0.0.52"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.script("0.0.52").verify = bad(PhaseEnd::failed, "it is down");
    world.reporter.events.clear();
    const VerifyReport report = run_verify(world.parts(), {});
    CHECK(world.reporter.told("verify begins: 0.0.52 2 of 2"));
    CHECK(world.reporter.told("verify good: 0.0.51: healthy"));
    CHECK(world.reporter.told("verify bad: 0.0.52: unhealthy: it is down"));
    CHECK(report.upgrades[0].message.empty());
    CHECK(report.upgrades[1].message == "it is down");
    CHECK(report.cluster == "demo");
    CHECK(report.cluster_version == "0.0.52");
}

TEST_CASE("what was recorded by hand is checked by what its release brings") {
    for (const bool with_check : {false, true}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
        if (with_check) upgrade.verify = good();
        world.publish(upgrade);
        record_by_hand(world, upgrade);
        CHECK(health(run_verify(world.parts(), {}), "0.0.51") ==
              (with_check ? "healthy" : "unchecked"));
    }
}

TEST_CASE("where nothing is done a check still says that a run is under way") {
    World world;
    world.publish(checked("0.0.51"));
    die_at(world, "after record_files");
    const VerifyReport report = run_verify(world.parts(), {});
    CHECK(report.upgrades.empty());
    REQUIRE_FALSE(report.warnings.empty());
    CHECK_THAT(report.warnings[0], Contains("what is found may be half-done"));
}
