// SPDX-License-Identifier: Apache-2.0
// How a run ends: what it has done by then, its exit code, and what is said of it.
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

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
            REQUIRE(attempts.size() == (undoable ? 2 : 1));
            CHECK(attempts.front().outcome == row.attempt);
            CHECK(report->exit_code == (undoable ? 8 : 1));
            CHECK(report->error->changed == (undoable ? "undone" : "perhaps"));
            CHECK(attempts.back().outcome == (undoable ? "rolled_back" : row.attempt));
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
        const bool replaced = std::string(point) == "before record_step";
        CHECK(report->error->message ==
              std::string("the disk is full") + (replaced ? "; files changed: app" : ""));
        CHECK(report->error->changes.files.empty() == !replaced);
        CHECK(world.ledgers.look()->loose_ends().open_attempts == 0);
        CHECK(world.ledgers.look()->runs(1).front().attempts.at(0).outcome == "failed");
        CHECK(world.newest_run() == "failed");
        world.process.at_point = nullptr;
        CHECK(world.upgrade()->exit_code == 0);
        CHECK(world.file("app") == "0.0.51\n");
    }
}

TEST_CASE("an error in the middle of an automatic undo leaves it half undone") {
    World world;
    world.now.files["app"] = "old\n";
    world.publish(
        ScriptedUpgrade::of("0.0.51").edits("app").edits("conf").fails(HostPhase::apply, 6));
    world.at("before record_files_undone", 1, fail_disk);
    const auto report = world.upgrade();
    world.process.at_point = nullptr;
    CHECK(report->exit_code == 1);
    const auto attempts = world.ledgers.look()->runs(1).front().attempts;
    REQUIRE(attempts.size() == 2);
    CHECK(attempts.front().outcome == "failed");
    CHECK(attempts.back().outcome == "rollback_failed");
    CHECK(world.newest_run() == "rollback_failed");
    CHECK_THAT(words(report), Catch::Contains("it could not be rolled back: the disk is full"));
    CHECK(report->error->changes.files == std::vector<std::string>{"app"});
    CHECK_FALSE(world.reporter.told("could not be recorded"));
    CHECK(world.upgrade()->exit_code == 6);
    CHECK(world.rollback(World::rollback_request())->exit_code == 0);
    CHECK(world.file("app") == "old\n");
}

TEST_CASE("a signal right after the run has its row ends it as interrupted") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    world.at("after begin_run", 1, [&] { world.signals.signals = 1; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 143);
    CHECK(report->error->changed == "no");
    CHECK(world.newest_run() == "interrupted");
    CHECK_FALSE(world.reporter.told("could not be recorded"));
}

TEST_CASE("a secret is stored neither as a step's id, nor as a path, a state value or its name") {
    const std::string password = "hunter2hunter2";
    const std::string encoded = "conf/hunter2%68unter2";
    // How each ends: what a simulation shows is refused before anything has begun.
    for (const auto& [place, code] : std::map<std::string, int>{{"id", 3},
                                                                {"path", 3},
                                                                {"other path", 1},
                                                                {"asked path", 3},
                                                                {"listed", 3},
                                                                {"key", 1},
                                                                {"value", 1},
                                                                {"nowhere", 0}}) {
        World world;
        ScriptedStep step{.id = place == "id" ? password : "one"};
        step.values = {{place == "key" ? password : "name", place == "value" ? password : "x"}};
        step.edits = {{place == "path" ? encoded : "app", "line"}};
        if (place == "other path") step.edits.front().instead = encoded;
        if (place == "asked path") step.asks_for = {encoded};
        if (place == "listed") step.lists = {encoded + "/*"};
        ScriptedUpgrade upgrade = ScriptedUpgrade::of("0.0.51").step(step);
        upgrade.manifest.permissions.write = {"app", "conf"};
        Parameter secret;
        secret.name = "password";
        secret.secret = true;
        upgrade.manifest.parameters = {secret};
        world.publish(upgrade);
        UpgradeRequest request = World::yes();
        request.parameters.secrets["password"] = Secret(password);
        const auto report = world.upgrade(request);
        INFO(place << ": " << words(report));
        CHECK(report->exit_code == code);
        for (const auto& [path, text] : world.now.files) CHECK(path != encoded);
        // A value comes with the end of its step, whose files are recorded by then.
        CHECK(world.ledgers.open()->changed_files("0.0.51").size() ==
              (place == "nowhere" || place == "key" || place == "value" ? 1 : 0));
        CHECK(world.done().size() == (place == "nowhere" ? 1 : 0));
        if (place != "nowhere") CHECK_THAT(words(report), Contains("wants a secret stored"));
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
    world.lock_by_hand();
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

TEST_CASE("why the last upgrade is not undone when its check fails while soaking is told") {
    World world;
    world.signals.while_waiting = [&] { world.now.files["app"] = "mine\n"; };
    const auto report = soak_with(world, "0.0.52");
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Catch::Contains("it was not rolled back: 0.0.52 cannot be rolled "
                                              "back: app was changed by hand"));
    CHECK(world.file("app") == "mine\n");
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
}

TEST_CASE("the checks are made once more at the very end of a soak") {
    World world;
    CHECK(soak_with(world, "")->exit_code == 0);
    CHECK(count(world.stage.phases, "verify 0.0.51") == 2);
    CHECK(count(world.stage.phases, "verify 0.0.52") == 2);
    CHECK(world.reporter.told("soaked: all checks stayed good"));
}

TEST_CASE("what is refused when something was changed by then ends as what failed") {
    for (const Failure failure : {Failure::preparation, Failure::refused}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        world.publish(ScriptedUpgrade::of("0.0.52").edits("b"));
        world.at("before record_step", 2, [&] { throw Error(failure, "somebody was here"); });
        const auto report = world.upgrade();
        INFO(to_string(failure));
        CHECK(report->exit_code == 1);
        CHECK(report->error->code == to_string(Failure::apply_failed));
        CHECK(report->error->changed == "perhaps");
        CHECK(world.newest_run() == "failed");
    }
}

TEST_CASE("what stops a run before anything is changed is told apart in the history") {
    struct Row {
        const char* state;
        const char* outcome;
        void (*make)(World& world);
    };
    for (const Row& row :
         {Row{"failed_pre", "failed",
              [](World& world) { world.script("0.0.51").fails(HostPhase::simulate, 1); }},
          Row{"aborted", "aborted",
              [](World& world) {
                  world.terminal.answer = [](const std::string&) { return std::optional("n"); };
              }},
          Row{"cancelled", "interrupted", [](World& world) {
                  world.terminal.answer = [&world](const std::string&) {
                      world.signals.signals = 1;
                      return std::optional("y");
                  };
              }}}) {
        World world;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        row.make(world);
        const auto report = world.upgrade(World::asking());
        const RunRecord run = world.ledgers.look()->runs(1).front();
        CHECK(std::string(to_string(run.state)) == row.state);
        CHECK(run.outcome == row.outcome);
        CHECK(std::string(to_string(*report->outcome)) == row.outcome);
        CHECK(report->error->changed == "no");
        CHECK(run.attempts.empty());
    }
}
