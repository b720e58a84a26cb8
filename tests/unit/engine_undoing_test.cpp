// SPDX-License-Identifier: Apache-2.0
// What is undone, in which order, and what stands in its way.
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using runner::HostPhase;
using runner::Outcome;
using Strings = std::vector<std::string>;

namespace {

/// The upgrades that were rolled back, in order.
Strings undone(const World& world) {
    Strings versions;
    for (const std::string& event : world.reporter.events) {
        const std::string head = "recorded: ";
        const std::string tail = " rolled_back";
        if (event.rfind(head, 0) == 0 && has(event, tail))
            versions.push_back(event.substr(head.size(), event.find(tail) - head.size()));
    }
    return versions;
}

void edit_twice(World& world) {
    world.now.files["a"] = "old a\n";
    world.now.files["b"] = "old b\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
    REQUIRE(world.upgrade()->exit_code == 0);
}

}  // namespace

TEST_CASE("the newest upgrade is undone, and the version falls") {
    World world;
    edit_twice(world);
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.version() == "0.0.51");
    CHECK(world.file("b") == "old b\n");
    CHECK(world.file("a") == "old a\n0.0.51\n");
}

TEST_CASE("undoing goes in the reverse order of application, and takes along what came on top") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("a"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52.cc").edits("a"));
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(world.file("a") == "old\n0.0.51\n0.0.53\n0.0.52.cc\n");
    const auto report = world.rollback(World::rollback_request("0.0.52"));
    CHECK(report->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.52.cc", "0.0.53"});
    CHECK(world.file("a") == "old\n0.0.51\n");
    CHECK(world.reporter.told("0.0.52.cc is undone first"));
    CHECK(world.upgrade()->exit_code == 0);  // both are due again
    CHECK(world.file("a") == "old\n0.0.51\n0.0.52.cc\n0.0.53\n");
}

TEST_CASE("what requires an upgrade is undone before it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
    REQUIRE(world.upgrade()->exit_code == 0);
    auto needs_it = ScriptedUpgrade::of("0.0.51.late").edits("c");
    needs_it.manifest.needed_upgrades = {"0.0.52"};
    world.publish(needs_it);
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK(world.rollback(World::rollback_request("0.0.51"))->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.51.late", "0.0.52"});
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("what is half applied is undone first") {
    World world;
    edit_twice(world);
    world.publish(ScriptedUpgrade::of("0.0.53").edits("a").edits("b").fails(HostPhase::apply, 5));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    REQUIRE(world.file("a") == "old a\n0.0.51\n0.0.53\n");
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(undone(world) == Strings{"0.0.53"});
    CHECK(world.file("a") == "old a\n0.0.51\n");
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.version() == "0.0.52");
}

TEST_CASE("an undo that failed half-way stands in the way of everything until it is finished") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .edits("a")
                      .sets("x", "1", "0")
                      .reversible()
                      .fails(HostPhase::rollback, 4));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto failed = world.rollback(World::rollback_request());
    CHECK(failed->exit_code == 1);
    CHECK(world.newest_run() == "rollback_failed");
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.upgrade()->exit_code == 6);
    CHECK_THROWS(run_verify(world.parts(), {}));
    CHECK_THROWS(make_plan_report(world.parts(), {}));
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.file("a") == "old\n");
    CHECK(world.outside("x") == "0");
    CHECK(world.done().empty());
    CHECK(world.upgrade()->exit_code == 0);
}

TEST_CASE("a file that somebody changed is found before the first one is undone") {
    World world;
    edit_twice(world);
    world.now.files["a"] += "by hand\n";
    const auto before = world.now;
    const auto report = world.rollback(World::rollback_request("0.0.50"));
    CHECK(report->exit_code == 6);
    CHECK(has(report->error->message, "a was changed by hand since"));
    CHECK(world.now == before);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    auto request = World::rollback_request("0.0.50");
    request.force = true;
    CHECK(world.rollback(request)->exit_code == 0);
    CHECK(world.file("a") == "old a\n");
}

TEST_CASE("a file of any of them that changes while the question waits stops the rollback") {
    World world;
    edit_twice(world);
    auto request = World::rollback_request("0.0.50");
    request.yes = false;
    world.terminal.answer = [&](const std::string&) {
        world.now.files["a"] += "by hand\n";  // of the one that is undone last
        return "y";
    };
    const auto report = world.rollback(request);
    CHECK(report->exit_code == 6);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.file("b") == "old b\n0.0.52\n");
}

TEST_CASE("recovery leaves alone what somebody changed in a file of an unfinished step") {
    World world;
    world.now.files["a"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 4));
    REQUIRE(world.upgrade(World::without_rollback())->exit_code == 1);
    REQUIRE(world.file("a") == "old\n0.0.51\n");
    const bool by_hand = GENERATE(false, true);
    if (by_hand) world.now.files["a"] += "by hand\n";
    world.script("0.0.51").fails(HostPhase::simulate, 1);
    CHECK(world.upgrade()->exit_code == 3);
    CHECK(world.file("a") == (by_hand ? "old\n0.0.51\nby hand\n" : "old\n"));
    CHECK(world.reporter.told("a was changed by hand after 0.0.51") == by_hand);
}

TEST_CASE("an original that is gone is found before the first one is undone") {
    World world;
    edit_twice(world);
    const bool damaged = GENERATE(false, true);
    for (auto& [backup, content] : world.work_tree.originals) {
        if (has(backup, "0.0.51") && damaged) content = "damaged";
    }
    if (!damaged) world.folder.remove_originals("0.0.51");
    const auto before = world.now;
    const auto report = world.rollback(World::rollback_request("0.0.50"));
    CHECK(report->exit_code == 6);
    CHECK(has(report->error->message, "the original of a"));
    CHECK(world.now == before);
}

TEST_CASE("what changed only files is undone without its release") {
    World world;
    edit_twice(world);
    world.withdraw("0.0.51");
    world.withdraw("0.0.52");
    CHECK(world.folder.kept.stored.empty());
    CHECK(world.rollback(World::rollback_request("0.0.50"))->exit_code == 0);
    CHECK(world.file("a") == "old a\n");
}

TEST_CASE("an undo of its own is run from the kept release when the source has none") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1", "0").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.withdraw("0.0.51");
    const bool kept = GENERATE(true, false);
    if (!kept) world.folder.kept.stored.clear();
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == (kept ? 0 : 3));
    CHECK(world.outside("x") == (kept ? "0" : "1"));
    if (!kept) CHECK(has(report->error->message, "its release is gone from the source"));
}

TEST_CASE("what ran commands and is not reversible is not undone") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 6);
    CHECK(has(report->error->message, "does not say that it is reversible"));
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a dry run of a rollback shows commands and files, and changes nothing") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").sets("x", "1", "0").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    const auto before = world.now;
    const std::size_t events = world.ledgers.history().size();
    auto request = World::rollback_request();
    request.dry_run = true;
    CHECK(world.rollback(request)->exit_code == 0);
    CHECK(world.reporter.told("would run: set x 0"));
    CHECK(world.reporter.told("-0.0.51"));
    CHECK(world.now == before);
    CHECK(world.ledgers.history().size() == events);
}
