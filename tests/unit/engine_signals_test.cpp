// SPDX-License-Identifier: Apache-2.0
// Stop signals, soaking, rises of the version without an upgrade, and hooks: each when it should.
#include <algorithm>
#include <set>

#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using runner::HostPhase;
using runner::Outcome;
using runner::PhaseEnd;
using Strings = std::vector<std::string>;

namespace {

Judge healthy(const std::string& key) {
    return [key](const SeenWorld& world) -> Judgement {
        if (world.outside(key) == "bad") return {PhaseEnd::failed, key + " is bad"};
        return {};
    };
}

runner::UpgradeRequest to(const std::string& target) {
    auto request = World::yes();
    request.selection.target = target;
    return request;
}

/// Two upgrades that can check themselves, and a soak after them.
void soak(World& world, runner::UpgradeRequest& request) {
    auto first = ScriptedUpgrade::of("0.0.51").edits("a");
    first.verify = healthy("first");
    auto second = ScriptedUpgrade::of("0.0.52").edits("b");
    second.verify = healthy("second");
    world.publish(first);
    world.publish(second);
    request.soak = std::chrono::seconds(5);
}

}  // namespace

TEST_CASE("a signal before anything was done changes nothing") {
    World world;
    world.publish(for_good("0.0.51"));
    const std::string when = GENERATE("before", "simulating", "at the question");
    runner::UpgradeRequest request;
    if (when == "before") world.signals.signals = 1;
    if (when == "simulating") {
        world.stage.before_phase = [&](const std::string&, HostPhase) {
            world.signals.signals = 1;
        };
    }
    world.terminal.answer = [&](const std::string&) -> std::optional<std::string> {
        world.signals.signals = 1;
        return std::nullopt;
    };
    const auto report = world.upgrade(request);
    INFO(when);
    CHECK(report->exit_code == 143);
    CHECK(report->outcome == Outcome::interrupted);
    CHECK(report->error->changed == "no");
    CHECK(world.now.outside.empty());
    CHECK(world.newest_run() == (when == "before" ? "-" : "cancelled"));
}

TEST_CASE("a signal while an upgrade runs lets it end, and begins no other") {
    World world;
    world.publish(for_good("0.0.51"));
    world.publish(for_good("0.0.52"));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.signals.signals = 1;
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 143);
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.reporter.told("recorded: 0.0.51 succeeded"));
    CHECK(has(report->error->message, "after 1 upgrade; 1 upgrade left"));
    CHECK(report->error->changed == "perhaps");
    CHECK(world.newest_run() == "cancelled");
}

TEST_CASE("a second signal cancels the upgrade that runs") {
    World world;
    world.publish(for_good("0.0.51"));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.signals.signals = 2;
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 143);
    CHECK(world.done().empty());
    CHECK(world.ledgers.look()->runs(1).front().attempts.at(0).outcome == "cancelled");
}

TEST_CASE("everything is recorded as done before the soak") {
    World world;
    runner::UpgradeRequest request = World::yes();
    soak(world, request);
    Strings done;
    world.signals.while_waiting = [&] { done = world.done(); };
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(done == Strings{"0.0.51", "0.0.52"});
    CHECK(world.reporter.told("soaked"));
}

TEST_CASE("while soaking nothing is started that has no check of its own") {
    World world;
    runner::UpgradeRequest request = World::yes();
    soak(world, request);
    world.publish(ScriptedUpgrade::of("0.0.53").edits("c"));
    world.publish(ScriptedUpgrade::of("0.0.54").step({.id = "one"}).executable());
    REQUIRE(world.upgrade(request)->exit_code == 0);
    std::set<std::string> checked;
    for (const std::string& phase : world.stage.phases) {
        if (phase.rfind("verify ", 0) == 0) checked.insert(phase.substr(7));
    }
    CHECK(checked == std::set<std::string>{"0.0.51", "0.0.52"});
}

TEST_CASE("a signal while soaking leaves everything done") {
    World world;
    runner::UpgradeRequest request = World::yes();
    soak(world, request);
    world.signals.while_waiting = [&] { world.signals.signals = 1; };
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 143);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.version() == "0.0.52");
}

TEST_CASE("a failing soak rolls back the last upgrade alone, and lowers the version") {
    World world;
    runner::UpgradeRequest request = World::yes();
    soak(world, request);
    world.signals.while_waiting = [&] { world.now.outside["second"] = "bad"; };
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 8);
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.version() == "0.0.51");
    CHECK(world.file("a") == "0.0.51\n");
    CHECK(world.file("b") == "-");
    CHECK(report->cluster_version == "0.0.51");
}

TEST_CASE("when an earlier upgrade fails while soaking nothing is rolled back") {
    World world;
    runner::UpgradeRequest request = World::yes();
    soak(world, request);
    world.signals.while_waiting = [&] { world.now.outside["first"] = "bad"; };
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 1);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.version() == "0.0.52");
    CHECK(report->outcome == Outcome::failed);
    CHECK(world.newest_run() == "failed");
    CHECK_FALSE(world.reporter.told("rollback begins"));
}

TEST_CASE("a rise of the version without an upgrade is asked for") {
    World world;
    world.publish(for_good("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    runner::UpgradeRequest request = to("0.0.60");
    request.yes = false;
    const std::string answer = GENERATE("y", "n");
    world.terminal.answer = [&](const std::string&) { return answer; };
    const auto report = world.upgrade(request);
    REQUIRE(world.terminal.questions.size() == 1);
    CHECK(has(world.terminal.questions.front(), "from 0.0.51 to 0.0.60"));
    CHECK(report->exit_code == (answer == "y" ? 0 : 4));
    CHECK(world.version() == (answer == "y" ? "0.0.60" : "0.0.51"));
}

TEST_CASE("a rise to another major version needs its own option, also with --yes") {
    World world;
    world.publish(for_good("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    runner::UpgradeRequest request = to("1.0.0");
    request.confirm_major = GENERATE(false, true);
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == (request.confirm_major ? 0 : 3));
    CHECK(world.version() == (request.confirm_major ? "1.0.0" : "0.0.51"));
    if (!request.confirm_major) CHECK(has(report->error->next, "--confirm-major"));
}

TEST_CASE("a dry run of a rise says where it ends, and records nothing") {
    World world;
    world.publish(for_good("0.0.51"));
    REQUIRE(world.upgrade()->exit_code == 0);
    const std::size_t events = world.ledgers.history().size();
    runner::UpgradeRequest request = to("0.0.60");
    request.dry_run = true;
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 0);
    CHECK(report->final_version == "0.0.60");
    CHECK(world.version() == "0.0.51");
    CHECK(world.ledgers.history().size() == events);
}

TEST_CASE("hooks run for what got past the question, and nothing else") {
    World world;
    world.config.hooks.before.command = {"before"};
    world.config.hooks.snapshot.command = {"snapshot"};
    world.config.hooks.after.command = {"after"};
    world.config.hooks.on_failure.command = {"on-failure"};
    runner::UpgradeRequest request;
    ScriptedUpgrade upgrade = for_good("0.0.51");
    SECTION("declined") {
        world.terminal.answer = [](const std::string&) { return "n"; };
        world.publish(upgrade);
        CHECK(world.upgrade(request)->exit_code == 4);
        CHECK(world.processes.programs.empty());
    }
    SECTION("failed in its simulation") {
        world.publish(upgrade.fails(HostPhase::simulate, 1));
        CHECK(world.upgrade(request)->exit_code == 3);
        CHECK(world.processes.programs.empty());
    }
    SECTION("interrupted at the question") {
        world.publish(upgrade);
        world.terminal.while_asked([&] { world.signals.signals = 1; });
        CHECK(world.upgrade(request)->exit_code == 143);
        CHECK(world.processes.programs.empty());
    }
    SECTION("good") {
        world.publish(upgrade);
        CHECK(world.upgrade(request)->exit_code == 0);
        CHECK(world.processes.programs == Strings{"before", "snapshot", "after"});
    }
    SECTION("failed for real") {
        world.publish(upgrade.fails(HostPhase::apply, 1));
        CHECK(world.upgrade(request)->exit_code == 1);
        CHECK(world.processes.programs == Strings{"before", "snapshot", "on-failure"});
    }
    SECTION("a hook that fails stops it before anything is changed") {
        world.publish(upgrade);
        world.processes.exit_statuses["snapshot"] = 1;
        CHECK(world.upgrade(request)->exit_code == 3);
        CHECK(world.now.outside.empty());
        CHECK(world.done().empty());
    }
    SECTION("a dry run") {
        world.publish(upgrade);
        request.dry_run = true;
        CHECK(world.upgrade(request)->exit_code == 0);
        CHECK(world.processes.programs.empty());
    }
}

TEST_CASE("a check that fails while soaking is an event of the history") {
    World world;
    runner::UpgradeRequest request = World::yes();
    soak(world, request);
    const std::string which = GENERATE("none", "first", "second");
    world.signals.while_waiting = [&] { world.now.outside[which] = "bad"; };
    CHECK((world.upgrade(request)->exit_code != 0) == (which != "none"));
    const auto& history = world.ledgers.history();
    CHECK(std::count_if(history.begin(), history.end(), [](const auto& event) {
              return event.kind == "soak_failed";
          }) == (which == "none" ? 0 : 1));
}
