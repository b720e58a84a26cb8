// SPDX-License-Identifier: Apache-2.0
// What the pipeline decides: what runs, what is said when, and how it ends.
#include <algorithm>
#include <memory>

#include "engine/documents.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

std::size_t count(const Strings& all, const std::string& one) {
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), one));
}

/// Where the first event with this in it stands; beyond the end when there is none.
std::size_t place_of(const World& world, const std::string& part) {
    const auto& events = world.reporter.events;
    return static_cast<std::size_t>(std::find_if(events.begin(), events.end(),
                                                 [&](const std::string& event) {
                                                     return event.find(part) != std::string::npos;
                                                 }) -
                                    events.begin());
}

UpgradeRequest asking() {
    return {};
}

}  // namespace

// The plan.

TEST_CASE("what somebody else has applied between look and lease is not applied again") {
    for (const bool executable : {false, true}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("image", "v1");
        if (executable) upgrade.executable();
        world.publish(upgrade);
        world.lock_by_hand();
        world.signals.while_waiting = [&] {
            world.signals.while_waiting = nullptr;
            world.ledgers.open()->unlock_by_hand("erna");
            CHECK(run_upgrade(world.parts(), World::yes()).exit_code == 0);
        };
        UpgradeRequest request = World::yes();
        request.wait = std::chrono::minutes(1);
        const auto report = world.upgrade(request);
        INFO(words(report));
        CHECK(report->exit_code == 0);
        CHECK(report->outcome == Outcome::nothing_to_do);
        CHECK(world.stage.effects["0.0.51: set image v1"] == 1);
        CHECK(world.done() == Strings{"0.0.51"});
    }
}

TEST_CASE("what is half undone by a run that died is seen after recovery") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("a", "1").sets("b", "1").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    world.at("after record_step_undone", 1, [&] { world.process.dies_at = world.process.points; });
    REQUIRE_FALSE(world.rollback(World::rollback_request()));
    world.process.at_point = nullptr;
    const auto report = world.upgrade();
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("0.0.51") && Contains("undone in part"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.outside("a").empty());
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

// What is said when.

TEST_CASE("recorded is not told when the commit fails") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    world.process.at_point = [n = 0](const std::string& point) mutable {
        if (point == "before advance" && ++n >= 2) fail_disk();
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK(report->error->changed == "perhaps");
    CHECK(world.reporter.told("apply good: 0.0.51: applied; recording"));
    CHECK_FALSE(world.reporter.told("recorded:"));
    CHECK(world.done().empty());
}

TEST_CASE("recorded is told after the commit, and after the words of the phase") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    std::vector<std::size_t> commits;
    world.process.at_point = [&](const std::string& point) {
        if (point == "after advance") commits.push_back(world.reporter.events.size());
    };
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(commits.size() == 3);
    CHECK(place_of(world, "apply good: 0.0.51") < commits[1]);
    CHECK(place_of(world, "recorded: 0.0.51 succeeded done") == commits[1]);
    CHECK(place_of(world, "apply begins: 0.0.52") > commits[1]);
    CHECK(place_of(world, "recorded: 0.0.52 succeeded done") == commits[2]);
}

TEST_CASE("an upgrade is recorded when the next one is refused right before it begins") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    ScriptedUpgrade next = ScriptedUpgrade::of("0.0.52").edits("app");
    next.preflight = good_for(1, PhaseEnd::blocked, "not any more");
    world.publish(next);
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.52") && Contains("it was not begun"));
    CHECK(world.reporter.told("recorded: 0.0.51 succeeded done"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(count(world.stage.phases, "apply 0.0.52") == 0);
    CHECK(world.ledgers.look()->loose_ends().open_attempts == 0);
}

TEST_CASE("an upgrade is recorded before the next one is judged again") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("image", "v1"));
    std::vector<Strings> done;
    world.stage.before_phase = [&](const std::string& version, HostPhase phase) {
        if (version == "0.0.52" && phase == HostPhase::preflight) done.push_back(world.done());
    };
    REQUIRE(world.upgrade()->exit_code == 0);
    REQUIRE(done.size() >= 2);
    CHECK(done[0].empty());
    CHECK(done[1] == Strings{"0.0.51"});
}

TEST_CASE("an upgrade is told as recorded when a file of the next one was changed") {
    World world;
    world.now.files["conf"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
    world.at("before file", 1, [&] { world.now.files["conf"] = "mine\n"; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.52 changed since it was shown: conf"));
    CHECK(world.reporter.told("recorded: 0.0.51 succeeded done"));
    CHECK(world.done() == Strings{"0.0.51"});
}

// What is left out.

TEST_CASE("what is left out at its turn is not applied, nor what requires it, nor soaked") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v1"));
    ScriptedUpgrade blocked = ScriptedUpgrade::of("0.0.52").edits("app");
    blocked.preflight = good_for(1, PhaseEnd::blocked, "not any more");
    blocked.verify = bad(PhaseEnd::failed, "not there");
    world.publish(blocked);
    ScriptedUpgrade dependent = ScriptedUpgrade::of("0.0.53").edits("conf");
    dependent.manifest.needed_upgrades = {"0.0.52"};
    world.publish(dependent);
    world.publish(ScriptedUpgrade::of("0.0.54").edits("other"));
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    request.soak = std::chrono::seconds(1);
    const auto report = world.upgrade(request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.54"});
    CHECK(world.version() == "0.0.51");
    CHECK(report->cluster_version == "0.0.51");
    for (const char* phase : {"apply 0.0.52", "verify 0.0.52", "rollback 0.0.52", "apply 0.0.53"})
        CHECK(count(world.stage.phases, phase) == 0);
    CHECK(count(world.stage.phases, "verify 0.0.54") > 0);
    CHECK(world.newest_run() == "succeeded");
}

TEST_CASE("the version stays below both, left out in the rehearsal and at its turn") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app").needs("never", "there"));
    world.publish(ScriptedUpgrade::of("0.0.52").sets("image", "v1"));
    ScriptedUpgrade late = ScriptedUpgrade::of("0.0.53").edits("app");
    late.preflight = good_for(1, PhaseEnd::blocked, "not any more");
    world.publish(late);
    world.publish(ScriptedUpgrade::of("0.0.54").edits("other"));
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.52", "0.0.54"});
    CHECK(world.version() == "0.0.50");
    world.now.outside["never"] = "there";
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() == "0.0.52");
}

// What was shown.

TEST_CASE("what an upgrade of this run has changed is shown anew, and goes on") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("image", "v2"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.file("app") == "old\n0.0.52\n0.0.53\n");
    CHECK(world.reporter.count("simulate begins: 0.0.53") == 2);
    CHECK(world.reporter.count("simulate begins: 0.0.51") == 1);
}

TEST_CASE("what a person has changed meanwhile is refused") {
    World world;
    world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("image", "v2"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("conf"));
    world.stage.before_phase = [&](const std::string& version, HostPhase phase) {
        if (version == "0.0.52" && phase == HostPhase::apply) world.now.files["conf"] = "mine\n";
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.53 changed since it was shown: conf"));
    CHECK(world.file("conf") == "mine\n");
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

TEST_CASE("what a person has changed after this run is not taken for its own") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    ScriptedUpgrade late = ScriptedUpgrade::of("0.0.52").edits("app").needs("image", "v2");
    late.verify = good();
    world.publish(late);
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::verify) world.now.files["app"] = "mine\n";
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("0.0.53 changed since it was shown: app"));
    CHECK(world.file("app") == "mine\n");
    CHECK(world.reporter.count("simulate begins: 0.0.53") == 1);
}

TEST_CASE("an upgrade with nothing before it that is judged otherwise now is refused") {
    for (const PhaseEnd end : {PhaseEnd::blocked, PhaseEnd::nothing_to_do}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
        upgrade.preflight = good_for(1, end, "not any more");
        world.publish(upgrade);
        UpgradeRequest request = World::yes();
        request.keep_going = true;
        const auto report = world.upgrade(request);
        CHECK(report->exit_code == 3);
        CHECK_THAT(words(report), Contains("0.0.51 changed since it was shown"));
        CHECK(world.done().empty());
    }
}

TEST_CASE("a late question that is declined ends the run before that upgrade") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app").needs("image", "v2"));
    world.terminal.answer = [](const std::string& question) -> std::optional<std::string> {
        return question.find("could not be shown before") == std::string::npos ? "y" : "n";
    };
    const auto report = world.upgrade(asking());
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("declined before 0.0.52; it was not begun"));
    CHECK(world.terminal.questions.size() == 2);
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.file("app") == "-");
}

TEST_CASE("what is held back before its first effect leaves nothing to roll back") {
    for (const bool one_before : {false, true}) {
        World world;
        world.now.files["app"] = "old\n";
        if (one_before) world.publish(ScriptedUpgrade::of("0.0.51").edits("conf"));
        world.publish(ScriptedUpgrade::of("0.0.52").step(
            {.id = "evil", .edits = {{.path = "app", .line = "good", .really = "evil"}}}));
        const auto report = world.upgrade();
        CHECK(report->exit_code == (one_before ? 1 : 3));
        CHECK(report->error->changed == (one_before ? "perhaps" : "no"));
        CHECK_THAT(words(report), Contains("changed since it was shown"));
        CHECK(world.file("app") == "old\n");
        CHECK_FALSE(world.reporter.told("rollback begins"));
        CHECK(world.done() == (one_before ? Strings{"0.0.51"} : Strings{}));
    }
}

TEST_CASE("a file that was never shown is not written") {
    World world;
    world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
    world.publish(ScriptedUpgrade::of("0.0.51").step(
        {.id = "one", .edits = {{.path = "app", .line = "x", .instead = "conf"}}}));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("did not show that conf would be changed"));
    CHECK(world.file("conf") == "old\n");
}

TEST_CASE("what a program renders may come out as another file than was shown") {
    World world;
    world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
    world.publish(ScriptedUpgrade::of("0.0.51").step(
        {.id = "one",
         .edits = {{.path = "app", .line = "x", .rendered = true, .instead = "conf"}}}));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.file("app") == "old\n");
    CHECK(world.file("conf") == "old\nx\n");
}

// How it ends.

TEST_CASE("every end of a phase has its outcome, exit code and word for what is changed") {
    struct Row {
        PhaseEnd end;
        const char* attempt;
    };
    for (const Row& row :
         {Row{PhaseEnd::failed, "failed"}, Row{PhaseEnd::aborted, "aborted"},
          Row{PhaseEnd::transient, "failed"}, Row{PhaseEnd::not_loaded, "failed"},
          Row{PhaseEnd::exit_status, "failed"}, Row{PhaseEnd::killed_by_signal, "failed"},
          Row{PhaseEnd::timed_out, "failed"}, Row{PhaseEnd::protocol_violation, "failed"},
          Row{PhaseEnd::output_limit, "failed"}, Row{PhaseEnd::blocked, "failed"},
          Row{PhaseEnd::nothing_to_do, "failed"}}) {
        for (const bool undoable : {true, false}) {
            World world;
            world.now.files["app"] = "old\n";
            ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
            if (!undoable) upgrade.sets("image", "v1");
            world.publish(upgrade.fails(HostPhase::apply, 4, row.end, 100));
            const auto report = world.upgrade();
            INFO(static_cast<int>(row.end) << ' ' << undoable << ": " << words(report));
            const auto attempts = world.ledgers.look()->runs(1).front().attempts;
            REQUIRE(attempts.size() == 1);
            CHECK(report->exit_code == (undoable ? 8 : 1));
            CHECK(report->error->changed == (undoable ? "undone" : "perhaps"));
            CHECK(attempts[0].outcome == (undoable ? "rolled_back" : row.attempt));
            CHECK(report->outcome == (undoable ? Outcome::rolled_back : Outcome::failed));
            CHECK(world.newest_run() == (undoable ? "rolled_back" : "failed"));
            CHECK(world.file("app") == (undoable ? "old\n" : "old\n0.0.51\n"));
            CHECK(world.done().empty());
            CHECK(world.version() == "0.0.50");
        }
    }
}

TEST_CASE("a failing check of its own rolls an upgrade back, or leaves it to be mended") {
    for (const bool roll_back : {true, false}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
        upgrade.verify = bad(PhaseEnd::failed, "bad");
        world.publish(upgrade);
        UpgradeRequest request = World::yes();
        request.roll_back = roll_back;
        const auto report = world.upgrade(request);
        CHECK(report->exit_code == (roll_back ? 8 : 1));
        CHECK_THAT(words(report), Contains("verification failed: bad"));
        CHECK(world.file("app") == (roll_back ? "-" : "0.0.51\n"));
        CHECK(world.done().empty());
    }
}

TEST_CASE("cancelled and rolled back is the exit code of the signal") {
    World world;
    world.signals.number = 2;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.at("after file", 1, [&] { world.signals.signals = 2; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 130);
    CHECK(report->outcome == Outcome::rolled_back);
    CHECK(report->error->code == "interrupted");
    CHECK(report->error->changed == "undone");
    CHECK(world.file("app") == "-");
    CHECK(world.newest_run() == "rolled_back");
}

TEST_CASE("a third signal leaves an upgrade as it is") {
    World world;
    world.signals.number = 2;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.at("after file", 1, [&] { world.signals.signals = 3; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 130);
    CHECK(report->outcome == Outcome::cancelled);
    CHECK(report->error->changed == "perhaps");
    CHECK_FALSE(world.reporter.told("rollback begins"));
    CHECK(world.newest_run() == "cancelled");
}

TEST_CASE("an error in the middle of an attempt closes it") {
    for (const char* point : {"before record_files", "before record_step", "log"}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        world.at(point, 1, fail_disk);
        const auto report = world.upgrade();
        INFO(point);
        CHECK(report->exit_code == 1);
        CHECK(report->error->message == "the disk is full");
        CHECK(world.ledgers.look()->loose_ends().open_attempts == 0);
        CHECK(world.ledgers.look()->runs(1).front().attempts.at(0).outcome == "failed");
        CHECK(world.newest_run() == "failed");
        world.process.at_point = nullptr;
        CHECK(world.upgrade()->exit_code == 0);
        CHECK(world.file("app") == "0.0.51\n");
    }
}

TEST_CASE("a signal before the work changes nothing, whatever the stage") {
    for (const char* event : {"planned:", "simulating 1", "simulate begins", "simulate good",
                              "moved: simulating to awaiting_confirmation"}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        world.process.at_point = [&](const std::string&) {
            if (world.reporter.told(event)) world.signals.signals = 1;
        };
        const auto report = world.upgrade();
        INFO(event);
        CHECK(report->exit_code == 143);
        CHECK(report->outcome == Outcome::interrupted);
        CHECK(report->error->changed == "no");
        CHECK(world.now.files.empty());
        CHECK(world.done().empty());
        CHECK(world.newest_run() == "cancelled");
    }
}

TEST_CASE("a signal while an upgrade works ends the run after it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    world.at("before file", 1, [&] { world.signals.signals = 1; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 143);
    CHECK(report->error->changed == "perhaps");
    CHECK_THAT(words(report), Contains("after 1 upgrade; 1 upgrade left"));
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.version() == "0.0.51");
    CHECK(report->cluster_version == "0.0.51");
    CHECK(world.newest_run() == "cancelled");
}

TEST_CASE("a signal while waiting for the lease ends the wait") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    LeaseInfo lock;
    lock.owner = "manual";
    lock.actor = "erna";
    world.ledgers.open()->lock_by_hand(lock);
    UpgradeRequest request = World::yes();
    CHECK(world.upgrade(request)->exit_code == 5);
    request.wait = std::chrono::minutes(10);
    world.signals.while_waiting = [&] { world.signals.signals = 1; };
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 143);
    CHECK(report->error->changed == "no");
    CHECK(world.reporter.count("waiting up to") == 1);
    CHECK(world.newest_run() == "-");
}

TEST_CASE("a lease that is given back while somebody waits is taken") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.lock_by_hand();
    UpgradeRequest request = World::yes();
    request.wait = std::chrono::minutes(10);
    world.signals.while_waiting = [&] { world.ledgers.open()->unlock_by_hand("erna"); };
    CHECK(world.upgrade(request)->exit_code == 0);
}

TEST_CASE("the heart beats while a phase takes long") {
    for (const HostPhase phase : {HostPhase::apply, HostPhase::verify}) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").edits("app");
        upgrade.verify = good();
        world.publish(upgrade);
        int beats = 0;
        world.process.at_point = [&](const std::string& point) {
            if (point == "before heartbeat") ++beats;
        };
        REQUIRE(world.upgrade()->exit_code == 0);
        CHECK(beats == 0);
        World slow;
        slow.publish(upgrade);
        slow.process.at_point = world.process.at_point;
        slow.stage.before_phase = [&](const std::string&, HostPhase now) {
            if (now == phase) slow.clock.advance(std::chrono::seconds(6));
        };
        REQUIRE(slow.upgrade()->exit_code == 0);
        CHECK(beats > 0);
    }
}

// Hooks and questions.

TEST_CASE("onFailure is run for what failed after the question, and for nothing else") {
    const auto programs = [](const std::function<void(World&, UpgradeRequest&)>& change) {
        World world;
        world.config.hooks.on_failure.command = {"alarm"};
        world.config.hooks.after.command = {"cheer"};
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        UpgradeRequest request = World::yes();
        change(world, request);
        world.upgrade(request);
        return world.processes.programs;
    };
    CHECK(programs([](World&, UpgradeRequest&) {}) == Strings{"cheer"});
    CHECK(programs([](World& world, UpgradeRequest&) {
              world.script("0.0.51").fails(HostPhase::apply, 1);
          }) == Strings{"alarm"});
    CHECK(programs([](World& world, UpgradeRequest&) {
              world.script("0.0.51").fails(HostPhase::simulate, 1);
          }).empty());
    CHECK(programs([](World& world, UpgradeRequest&) {
              world.config.policy.write.emplace();
          }).empty());
    CHECK(programs([](World& world, UpgradeRequest& request) {
              request.yes = false;
              world.terminal.answer = [](const std::string&) { return std::optional("n"); };
          }).empty());
    CHECK(programs([](World&, UpgradeRequest& request) { request.dry_run = true; }).empty());
}

TEST_CASE("a hook before the work that fails stops it") {
    World world;
    world.config.hooks.before.command = {"prepare"};
    world.config.hooks.snapshot.command = {"snapshot"};
    world.processes.exit_statuses["prepare"] = 7;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report), Contains("the hook 'before' failed: it ended with exit status 7"));
    CHECK(world.processes.programs == Strings{"prepare"});
    CHECK(world.now.files.empty());
    world.processes.exit_statuses.clear();
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(world.processes.programs == Strings{"prepare", "prepare", "snapshot"});
}

TEST_CASE("each risk is asked by itself, and one no is enough") {
    for (std::size_t no = 0; no <= 3; ++no) {
        World world;
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("1.0.0").edits("app");
        upgrade.manifest.downtime = true;
        world.publish(upgrade);
        world.terminal.answer = [&](const std::string&) -> std::optional<std::string> {
            return world.terminal.questions.size() == no + 1 ? "n" : "y";
        };
        const auto report = world.upgrade(asking());
        CHECK(report->exit_code == (no < 3 ? 4 : 0));
        CHECK(world.terminal.questions.size() == std::min<std::size_t>(no + 1, 3));
        CHECK(world.done().size() == (no < 3 ? 0 : 1));
        CHECK(world.newest_run() == (no < 3 ? "aborted" : "succeeded"));
        if (no < 2) continue;
        CHECK_THAT(world.terminal.questions[0], Contains("This will upgrade the cluster 'demo'"));
        CHECK_THAT(world.terminal.questions[1], Contains("Downtime is caused by 1.0.0."));
        CHECK_THAT(world.terminal.questions[2], Contains("to another major version, 1.0.0"));
    }
}

TEST_CASE("without a terminal and without a yes nothing is even listed") {
    World world;
    world.terminal.there = false;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    CHECK(world.upgrade(asking())->exit_code == 2);
    CHECK(world.source.lists == 0);
}

TEST_CASE("a rise without upgrades is asked for, too") {
    World world;
    UpgradeRequest request;
    request.selection.target = "0.0.99";
    world.terminal.answer = [](const std::string&) { return std::optional("n"); };
    CHECK(world.upgrade(request)->exit_code == 4);
    REQUIRE(world.terminal.questions.size() == 1);
    CHECK_THAT(world.terminal.questions[0],
               Contains("No upgrade runs") && Contains("0.0.50") && Contains("0.0.99"));
    CHECK(world.version() != "0.0.99");
    world.terminal.answer = nullptr;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() == "0.0.99");
    CHECK(world.upgrade(request)->exit_code == 0);  // nothing to ask
    CHECK(world.terminal.questions.size() == 2);
}

TEST_CASE("a rise to another major version is confirmed by its option") {
    World world;
    UpgradeRequest request = World::yes();
    request.selection.target = "1.0.0";
    CHECK(world.upgrade(request)->exit_code == 3);
    CHECK(world.version() != "1.0.0");
    request.confirm_downtime = true;
    CHECK(world.upgrade(request)->exit_code == 3);
    request.dry_run = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() != "1.0.0");
    request.dry_run = false;
    request.confirm_major = true;
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.version() == "1.0.0");
    CHECK(world.terminal.questions.empty());
}

// Soaking.

namespace {

/// 0.0.51 and 0.0.52, each with a check; that of `version` fails from its second time on.
std::optional<RunReport> soak_with(World& world, const std::string& version) {
    for (const char* one : {"0.0.51", "0.0.52"}) {
        ScriptedUpgrade upgrade = ScriptedUpgrade::of(one).edits("app");
        upgrade.verify = good_for(one == version ? 1 : 1000, PhaseEnd::failed, "not any more");
        world.publish(upgrade);
    }
    UpgradeRequest request = World::yes();
    request.soak = std::chrono::milliseconds(100);
    return world.upgrade(request);
}

}  // namespace

TEST_CASE("the last upgrade is undone when its check fails while soaking") {
    World world;
    const auto report = soak_with(world, "0.0.52");
    CHECK(report->exit_code == 8);
    CHECK(report->error->changed == "undone");
    CHECK(world.done() == Strings{"0.0.51"});
    CHECK(world.version() == "0.0.51");
    CHECK(report->cluster_version == "0.0.51");
    CHECK(world.file("app") == "0.0.51\n");
    Strings outcomes;
    const std::vector<RunRecord> runs = world.ledgers.look()->runs(1);
    for (const AttemptRecord& attempt : runs.front().attempts)
        outcomes.push_back(attempt.version + ' ' + attempt.outcome);
    CHECK(outcomes == Strings{"0.0.51 succeeded", "0.0.52 succeeded", "0.0.52 rolled_back"});
    CHECK(world.reporter.told("recorded: 0.0.52 rolled_back"));
}

TEST_CASE("an earlier upgrade is not undone when its check fails while soaking") {
    World world;
    const auto report = soak_with(world, "0.0.51");
    CHECK(report->exit_code == 1);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.version() == "0.0.52");
    CHECK(world.newest_run() == "failed");
}

TEST_CASE("the checks are made once more at the very end of a soak") {
    World world;
    CHECK(soak_with(world, "")->exit_code == 0);
    CHECK(count(world.stage.phases, "verify 0.0.51") == 2);
    CHECK(count(world.stage.phases, "verify 0.0.52") == 2);
    CHECK(world.reporter.told("soaked: all checks stayed good"));
}

// Going on.

TEST_CASE("before it is tried again the files of an unfinished step are put back") {
    World world;
    world.now.files = {{"a", "old\n"}, {"b", "old\n"}};
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .step({.id = "both", .edits = {{"a", "x"}, {"b", "x"}}})
                      .fails(HostPhase::apply, 4, PhaseEnd::transient));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.told("put back 1 file"));
    CHECK(world.file("a") == "old\nx\n");
    CHECK(world.file("b") == "old\nx\n");
    CHECK(count(world.stage.phases, "apply 0.0.51") == 2);
}

TEST_CASE("transient failures are tried as often as the config says") {
    for (const int attempts : {1, 2, 4}) {
        World world;
        world.config.retry.attempts = attempts;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a").fails(HostPhase::apply, 1,
                                                                     PhaseEnd::transient, 100));
        CHECK(world.upgrade()->exit_code == 8);
        CHECK(count(world.stage.phases, "apply 0.0.51") == static_cast<std::size_t>(attempts));
    }
}

TEST_CASE("an upgrade that goes on is not judged by its preflight again") {
    World world;
    ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").sets("image", "v1").edits("app");
    upgrade.preflight = [](const SeenWorld& seen) -> Judgement {
        if (seen.outside("image").empty()) return {};
        return {PhaseEnd::nothing_to_do, "it is there"};
    };
    world.publish(upgrade.fails(HostPhase::apply, 5));
    REQUIRE(world.upgrade()->exit_code == 1);
    REQUIRE(world.outside("image") == "v1");
    const std::size_t judged = count(world.stage.phases, "preflight 0.0.51");
    CHECK(world.upgrade()->exit_code == 0);
    CHECK(count(world.stage.phases, "preflight 0.0.51") == judged);
    CHECK(world.file("app") == "0.0.51\n");
    CHECK(world.stage.effects["0.0.51: set image v1"] == 1);
}

// Saved plans.

namespace {

/// 0.0.50.z done, and 0.0.51 due, which takes a secret.
struct Planned {
    World world;
    UpgradeRequest request = World::yes();

    Planned() {
        world.now.files["app"] = "old\n";
        world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
        if (world.upgrade()->exit_code != 0) throw std::runtime_error("no plan");
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.52").edits("app");
        Parameter secret;
        secret.name = "password";
        secret.secret = true;
        secret.required = true;
        upgrade.manifest.parameters = {secret};
        upgrade.preflight = [](const SeenWorld& seen) -> Judgement {
            if (seen.outside("there").empty()) return {};
            return {PhaseEnd::nothing_to_do, "it is there"};
        };
        world.publish(upgrade);
        request.parameters.secrets["password"] = "hunter2hunter2";
        UpgradeRequest planning = request;
        planning.dry_run = planning.pin_work = planning.report_other = true;
        const RunReport report = plan_upgrade(world.parts(), planning);
        const Json document = saved_plan_document(report, world.facts(), {"demo", "", ""}, {});
        request.saved_plan = SavedPlan::parse(dump_json(document), "plan.json");
    }
};

}  // namespace

TEST_CASE("a saved plan runs where everything is as it was") {
    Planned planned;
    const auto report = planned.world.upgrade(planned.request);
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(planned.world.done() == Strings{"0.0.51", "0.0.52"});
}

TEST_CASE("a saved plan is refused with another secret, other work or another verdict") {
    const auto refused = [](const std::function<void(Planned&)>& change) {
        Planned planned;
        change(planned);
        const auto report = planned.world.upgrade(planned.request);
        CHECK(report->exit_code == 6);
        CHECK(planned.world.done() == Strings{"0.0.51"});
        return words(report);
    };
    CHECK_THAT(refused([](Planned& planned) {
                   planned.request.parameters.secrets["password"] = "another-one";
               }),
               Contains("password") && !Contains("another-one") && !Contains("hunter2"));
    CHECK_THAT(refused([](Planned& planned) {
                   planned.world.script("0.0.52").steps[0].edits[0].line = "something else";
               }),
               Contains("0.0.52 would do something else than the plan shows"));
    CHECK_THAT(refused([](Planned& planned) { planned.world.now.outside["there"] = "yes"; }),
               Contains("0.0.52 was ready and is nothing_to_do"));
    CHECK_THAT(refused([](Planned& planned) { planned.world.now.files["app"] = "mine\n"; }),
               Contains("files that 0.0.52 reads or changes are not as they were: app"));
    CHECK_THAT(refused([](Planned& planned) {
                   planned.world.publish(ScriptedUpgrade::of("0.0.51.a").edits("x"));
                   planned.world.script("0.0.52").content = "2";
                   planned.world.publish(ScriptedUpgrade(planned.world.script("0.0.52")));
               }),
               Contains("the release of 0.0.52 had"));
}
