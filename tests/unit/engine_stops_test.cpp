// SPDX-License-Identifier: Apache-2.0
// What stops a run at odd moments, and what is said of it then.
#include <functional>

#include "engine/lease_holder.hpp"
#include "engine/phase_events.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"
#include "support/two_files.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

/// Calls `work` at the nth phase of this kind of the upgrade.
void at_phase(World& world, const std::string& version, HostPhase phase, int nth,
              const std::function<void()>& work) {
    world.stage.before_phase = [=, left = nth](const std::string& now, HostPhase which) mutable {
        if (now == version && which == phase && --left == 0) work();
    };
}

}  // namespace

// Signals.

TEST_CASE("what fails in the preparation after a signal was interrupted by it") {
    for (const Failure failure : {Failure::preparation, Failure::refused}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        world.source.on_list = [&] {
            world.signals.signals = 1;
            throw Error(failure, "the connection was cut");
        };
        const auto report = world.upgrade();
        const bool interrupted = failure == Failure::preparation;
        CHECK(report->exit_code == (interrupted ? 143 : 6));
        CHECK(report->outcome == (interrupted ? Outcome::interrupted : Outcome::failed));
        CHECK(report->error->changed == "no");
        CHECK_THAT(words(report), Contains(interrupted ? "interrupted; nothing was changed"
                                                       : "the connection was cut"));
    }
}

TEST_CASE("what fails after a signal when something was changed has failed") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.at("before record_step", 1, [&] {
        world.signals.signals = 1;
        fail_disk();
    });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("the disk is full"));
    CHECK(world.newest_run() == "failed");
}

TEST_CASE("a signal while an upgrade is judged again keeps what was done before it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b")).preflight = good();
    at_phase(world, "0.0.52", HostPhase::preflight, 2, [&] { world.signals.signals = 1; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 143);
    CHECK(report->error->changed == "perhaps");
    CHECK(words(report) == "interrupted; what was done before stays done");
    CHECK(world.ledgers.look()->runs(1).front().message == words(report));
    CHECK(world.newest_run() == "cancelled");
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a signal between two undos leaves a rollback that failed, and says what is undone") {
    TwoFiles two;
    World& world = two.world;
    world.at("after file", 1, [&] { world.signals.signals = 1; });
    const auto report = undo(world, "0.0.50");
    CHECK(report->exit_code == 143);
    CHECK(report->outcome == Outcome::interrupted);
    CHECK(world.newest_run() == "rollback_failed");
    CHECK_THAT(words(report), Contains("after 1 upgrade; 1 upgrade left, none of them begun; "
                                       "rolled back: 0.0.52"));
    CHECK(world.done() == Strings{"0.0.51"});
}

TEST_CASE("a signal ends a check of what is done") {
    World world;
    for (const char* version : {"0.0.51", "0.0.52"})
        world.publish(ScriptedUpgrade::of(version).edits(version)).verify = good();
    REQUIRE(world.upgrade()->exit_code == 0);
    world.stage.phases.clear();
    at_phase(world, "0.0.51", HostPhase::verify, 1, [&] { world.signals.signals = 1; });
    CHECK_THROWS_AS(run_verify(world.parts(), {}), Interrupted);
    CHECK(world.stage.phases == Strings{"verify 0.0.51"});
}

TEST_CASE("a check that a signal ends while soaking has not failed") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a")).verify =
        good_for(1, PhaseEnd::failed, "it was interrupted");
    at_phase(world, "0.0.51", HostPhase::verify, 2, [&] { world.signals.signals = 1; });
    UpgradeRequest request = World::yes();
    request.soak = std::chrono::seconds(5);
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 143);
    CHECK(report->outcome == Outcome::interrupted);
    CHECK_THAT(words(report), Contains("everything is done, and the checks were good so far"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.file("a") == "0.0.51\n");
}

// What somebody else does.

TEST_CASE("a ledger that became another cluster's while the lease was waited for is left alone") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.lock_by_hand();
    world.signals.while_waiting = [&] {
        world.signals.while_waiting = nullptr;
        const auto ledger = world.ledgers.open();
        ledger->unlock_by_hand("erna");
        ledger->set_identity({"other", "", ""});
    };
    UpgradeRequest request = World::yes();
    request.wait = std::chrono::minutes(1);
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("is of the cluster 'other'"));
    CHECK(report->ledger_copy.empty());
    CHECK(world.now.files.empty());
}

TEST_CASE("all files that are not as they were shown are named") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").edits("b"));
    world.terminal.while_asked([&] { world.now.files = {{"a", "mine\n"}, {"b", "mine\n"}}; });
    CHECK_THAT(words(world.upgrade(World::asking())),
               Contains("a, b are not as when it was shown"));
}

TEST_CASE("a lock by hand is live, whoever made it and when") {
    const FakeClock clock;
    LeaseInfo lease;
    lease.owner = "manual";
    lease.host = "another";
    clock.advance(2 * k_lease_expiry);
    CHECK(is_live(lease, clock));
}

// What cannot be written or started.

TEST_CASE("an end of a run that cannot be recorded is a warning") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::simulate, 1));
    world.at("before finish_run", 1, fail_disk);
    CHECK(world.upgrade()->exit_code == 3);
    CHECK(
        world.reporter.told("warning: the end of the run could not be recorded: the disk is full"));
}

TEST_CASE("what is too old and cannot be removed is a warning") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.at("before forget_old_originals", 1, fail_disk);
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.reporter.told("warning: what is too old was not removed: the disk is full"));
}

TEST_CASE("a hook that cannot be started, or loses the lease, has failed") {
    for (const bool absent : {true, false}) {
        World world;
        world.config.hooks.before.command = {"before"};
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        if (absent) world.processes.absent = {"before"};
        world.process.at_point = [&](const std::string& point) {
            if (point == "before program") world.clock.advance(std::chrono::minutes(1));
            if (point == "before heartbeat" && !absent)
                throw Error(Failure::apply_failed, "the lease is another's");
        };
        const auto report = world.upgrade();
        CHECK(report->exit_code == 3);
        CHECK_THAT(words(report),
                   Contains("the hook 'before' failed: ") &&
                       Contains(absent ? "cannot run 'before'" : "the lease is another's"));
        CHECK(world.now.files.empty());
    }
}

TEST_CASE("a phase that changes nothing records nothing") {
    World world;
    const EngineParts parts = world.parts();
    const auto ledger = world.ledgers.open();
    const UpgradeInRun upgrade = from_ledger("0.0.51", "", "", "");
    const PhaseRunnerOptions options;
    const Redactor redactor;
    PhaseEvents events(parts, options, redactor, *ledger, upgrade, HostPhase::simulate, {});
    CHECK_THROWS_WITH(events.record_step("one", {}),
                      "a phase that changes nothing wants something recorded");
}

TEST_CASE("the folder that each phase finds empty has one name in what is compared") {
    World world;
    const EngineParts parts = world.parts();
    const auto ledger = world.ledgers.open();
    const UpgradeInRun upgrade = from_ledger("0.0.51", "", "", "");
    PhaseRunnerOptions options;
    const Redactor redactor;
    for (const std::string folder : {"", "/tmp/phase"}) {
        options.temporary_folder = folder;
        PhaseEvents events(parts, options, redactor, *ledger, upgrade, HostPhase::simulate, {});
        events.on_command_shown({"cp", "/tmp/phase/a:/tmp/phase/b", "/tmp/other"}, {});
        const std::string word =
            folder.empty() ? "/tmp/phase/a:/tmp/phase/b" : "$TMPDIR/a:$TMPDIR/b";
        CHECK(events.take_commands() == std::vector<CommandWords>{{"cp", word, "/tmp/other"}});
    }
}

// What has to be built.

TEST_CASE("what is not built yet is built before it runs, each with a log of its own") {
    World world;
    for (const char* version : {"0.0.51", "0.0.52", "0.0.53"})
        world.publish(ScriptedUpgrade::of(version).edits(version));
    world.source.unbuilt = {"0.0.51", "0.0.53"};
    const auto report = world.upgrade();
    CHECK(report->exit_code == 0);
    const std::string logs = "/state/logs/" + report->run + '/';
    CHECK(world.source.builds ==
          Strings{"0.0.51 " + logs + "0.0.51.build.log", "0.0.53 " + logs + "0.0.53.build.log"});
    CHECK(world.reporter.told("building 0.0.51 from its tag (1 of 2)"));
    CHECK(world.reporter.told("building 0.0.53 from its tag (2 of 2)"));
    CHECK(world.reporter.told(" to building"));
    CHECK(world.done().size() == 3);
}

TEST_CASE("where all is built nothing is told of building") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK_FALSE(world.reporter.told("building"));
}

TEST_CASE("a dry run keeps no log of a build") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.source.unbuilt = {"0.0.51"};
    UpgradeRequest request = World::yes();
    request.dry_run = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.source.builds == Strings{"0.0.51 "});
}

TEST_CASE("a build that fails changes nothing, and says where its words are") {
    for (const bool dry_run : {false, true}) {
        for (const std::string next : {"", "install a compiler"}) {
            World world;
            world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
            world.source.unbuilt = {"0.0.51"};
            world.source.while_building = [&] {
                throw Error(Failure::preparation, "its build failed", next);
            };
            UpgradeRequest request = World::yes();
            request.dry_run = dry_run;
            const auto report = world.upgrade(request);
            CHECK(report->exit_code == 3);
            CHECK(words(report) == "its build failed; nothing was changed");
            const std::string logs = "'runner logs 0.0.51 --build' shows what its build said";
            CHECK(report->error->next == (!next.empty() ? next : dry_run ? "" : logs));
        }
    }
}

TEST_CASE("a signal while something is built interrupts the run, however the build ends") {
    for (const bool fails : {false, true}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        world.source.unbuilt = {"0.0.51"};
        world.source.while_building = [&] {
            world.signals.signals = 1;
            if (fails) throw Error(Failure::preparation, "killed");
        };
        const auto report = world.upgrade();
        CHECK(report->exit_code == 143);
        CHECK(words(report) == "interrupted; nothing was changed");
    }
}
