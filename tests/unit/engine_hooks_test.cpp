// SPDX-License-Identifier: Apache-2.0
// The programs beside a run come in pairs: after `before`, however the run ends, `after` or
// `onFailure` is run once; without it neither is.
#include <functional>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Strings = std::vector<std::string>;

namespace {

/// A cluster with 0.0.51 done and 0.0.52 due, and hooks that note their names.
struct Hooked {
    World world;
    RunOptions options;

    Hooked() {
        options.yes = true;
        ScriptedUpgrade done = ScriptedUpgrade::of("0.0.51").edits("app").sets("image", "v1");
        done.reversible();
        world.publish(done);
        if (world.upgrade()->exit_code != 0) throw std::runtime_error("no scene");
        world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
        world.config.hooks.before.command = {"before"};
        world.config.hooks.snapshot.command = {"snapshot"};
        world.config.hooks.after.command = {"after"};
        world.config.hooks.on_failure.command = {"onFailure"};
    }

    /// `work` happens while the hook `before` runs.
    void during_before(std::function<void()> work) {
        world.at("before program", 1, std::move(work));
    }

    std::optional<RunReport> run(KindOfRun kind) {
        if (kind == KindOfRun::rollback) {
            RollbackRequest request;
            static_cast<RunOptions&>(request) = options;
            return world.rollback(request);
        }
        if (kind == KindOfRun::single) {
            SingleRunRequest request;
            static_cast<RunOptions&>(request) = options;
            request.upgrade = "0.0.52";
            return world.single(request);
        }
        UpgradeRequest request;
        static_cast<RunOptions&>(request) = options;
        return world.upgrade(request);
    }
};

constexpr KindOfRun k_upgrade = KindOfRun::upgrade;
constexpr KindOfRun k_single = KindOfRun::single;
constexpr KindOfRun k_rollback = KindOfRun::rollback;

struct Ending {
    const char* what;
    std::vector<KindOfRun> kinds;
    void (*provoke)(Hooked&);
    Strings hooks;
};

const Strings k_good{"before", "snapshot", "after"};
const Strings k_bad{"before", "snapshot", "onFailure"};

// lint: table
const std::vector<Ending>& endings() {
    static const std::vector<Ending> table{
        {"it goes well", {k_upgrade, k_single, k_rollback}, [](Hooked&) {}, k_good},
        {"its preflight finds nothing to do",
         {k_upgrade, k_single},
         [](Hooked& scene) {
             scene.world.script("0.0.52").preflight = bad(PhaseEnd::nothing_to_do, "it is there");
         },
         k_good},
        {"it fails and is rolled back",
         {k_upgrade, k_single},
         [](Hooked& scene) { scene.world.script("0.0.52").fails(HostPhase::apply, 1); },
         k_bad},
        {"it fails and stays",
         {k_upgrade, k_single},
         [](Hooked& scene) {
             scene.options.roll_back = false;
             scene.world.script("0.0.52").fails(HostPhase::apply, 1);
         },
         k_bad},
        {"its undo fails",
         {k_rollback},
         [](Hooked& scene) { scene.world.script("0.0.51").fails(HostPhase::rollback, 1); },
         k_bad},
        {"the hook before fails",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) { scene.world.processes.exit_statuses["before"] = 1; },
         {"before", "onFailure"}},
        {"the hook snapshot fails",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) { scene.world.processes.exit_statuses["snapshot"] = 1; },
         k_bad},
        {"a file is changed while the hook runs",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) {
             scene.during_before([&scene] {
                 scene.world.now.files["conf"] = "by hand\n";
                 scene.world.now.files["app"] = "by hand\n";
             });
         },
         k_bad},
        {"a signal comes while the hook runs",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) { scene.during_before([&scene] { scene.world.signals.signals = 1; }); },
         k_good},
        {"a signal ends it between two upgrades",
         {k_upgrade},
         [](Hooked& scene) {
             scene.world.publish(ScriptedUpgrade::of("0.0.53").edits("other"));
             scene.world.stage.before_phase = [&scene](const std::string&, HostPhase phase) {
                 if (phase == HostPhase::apply) scene.world.signals.signals = 1;
             };
         },
         k_bad},
        {"a later question is declined",
         {k_upgrade},
         [](Hooked& scene) {
             // What 0.0.53 does is shown, and asked for, when 0.0.52 has nothing to do after all.
             ScriptedUpgrade first = ScriptedUpgrade::of("0.0.52").sets("mode", "new");
             first.preflight = good();
             scene.world.publish(first);
             ScriptedUpgrade second = ScriptedUpgrade::of("0.0.53").edits("conf");
             second.needs("mode", "new");
             scene.world.publish(second);
             scene.options.yes = false;
             scene.world.terminal.answer = [](const std::string& question) {
                 const bool late = question.find("could not be shown before") != std::string::npos;
                 return std::optional<std::string>(late ? "n" : "y");
             };
         },
         k_bad},
        {"the question is declined",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) {
             scene.options.yes = false;
             scene.world.terminal.answer = [](const std::string&) { return std::optional("n"); };
         },
         {}},
        {"it cannot be simulated",
         {k_upgrade, k_single},
         [](Hooked& scene) { scene.world.script("0.0.52").fails(HostPhase::simulate, 1); },
         {}},
        {"it is a dry run",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) { scene.options.dry_run = true; },
         {}},
        {"the ledger is another cluster's",
         {k_upgrade, k_single, k_rollback},
         [](Hooked& scene) { scene.world.config.name = "other"; },
         {}},
    };
    return table;
}

}  // namespace

TEST_CASE("whoever got the hook before gets one of those afterwards, and nobody else") {
    for (const Ending& ending : endings()) {
        for (const KindOfRun kind : ending.kinds) {
            Hooked scene;
            ending.provoke(scene);
            const auto report = scene.run(kind);
            INFO(ending.what << ", " << to_string(kind) << ": " << words(report));
            CHECK(scene.world.processes.programs == ending.hooks);
        }
    }
}

TEST_CASE("a rise of the version without an upgrade has no hook, also when it fails") {
    for (const bool fails : {false, true}) {
        Hooked scene;
        scene.world.withdraw("0.0.52");
        UpgradeRequest request = World::yes();
        request.selection.target = "0.0.60";
        if (fails) scene.world.at("before raise_cluster_version", 1, fail_disk);
        CHECK(scene.world.upgrade(request)->exit_code == (fails ? 1 : 0));
        CHECK(scene.world.processes.programs.empty());
    }
}

TEST_CASE("the signal that stopped the run stops no hook that follows it") {
    Hooked hooked;
    World& world = hooked.world;
    world.publish(ScriptedUpgrade::of("0.0.53").edits("other"));
    world.stage.before_phase = [&](const std::string&, HostPhase phase) {
        if (phase == HostPhase::apply) world.signals.signals = 1;
    };
    CHECK(hooked.run(k_upgrade)->exit_code == 143);
    CHECK(world.processes.programs == Strings{"before", "snapshot", "onFailure"});
    CHECK(world.processes.cancelled.empty());
    world.signals.signals = 0;
    world.stage.before_phase = nullptr;
    world.at("before program", 1, [&] { world.signals.signals = 1; });  // while it runs
    hooked.run(k_upgrade);
    CHECK(world.processes.cancelled == Strings{"before"});
}

TEST_CASE("the last line of a hook is told, also without its newline") {
    Hooked hooked;
    hooked.world.processes.outputs["before"] = "first\nto the output";
    hooked.world.processes.errors["before"] = "second\nto the errors";
    REQUIRE(hooked.run(k_upgrade)->exit_code == 0);
    for (const char* line : {"first", "to the output", "second", "to the errors"})
        CHECK(hooked.world.reporter.count(std::string("line: ") + line) == 1);
}

TEST_CASE("a hook gets its name, the run and what it comes to, in the config's folder") {
    Hooked hooked;
    auto& hooks = hooked.world.config.hooks;
    std::chrono::milliseconds timeout(1000);
    for (HookConfig* hook : {&hooks.before, &hooks.snapshot, &hooks.after, &hooks.on_failure})
        hook->timeout = timeout *= 2;
    const bool fails = GENERATE(false, true);
    if (fails) hooked.world.script("0.0.52").fails(HostPhase::apply, 1);
    const auto report = hooked.run(k_upgrade);
    const std::string last = fails ? "onFailure" : "after";
    timeout = std::chrono::milliseconds(1000);
    for (const std::string name : {"before", "snapshot", "after", "onFailure"}) {
        timeout *= 2;
        const auto found = hooked.world.processes.specs.find(name);
        const bool begins = name == "before" || name == "snapshot";
        REQUIRE((found != hooked.world.processes.specs.end()) == (begins || name == last));
        if (!begins && name != last) continue;
        const auto& spec = found->second;
        CHECK(spec.timeout == timeout);
        CHECK(spec.folder == "/cluster");
        CHECK(spec.own_session);
        const Json input = parse_json(spec.input, name);
        CHECK(spec.input.back() == '\n');
        CHECK(input["schemaVersion"] == 1);
        CHECK(input["hook"] == name);
        CHECK(input["cluster"] == "demo");
        CHECK(input["run"] == report->run);
        CHECK(input["result"]["due"][0]["version"] == "0.0.52");
        CHECK(input["result"]["outcome"] ==
              (begins ? Json() : Json(fails ? "rolled_back" : "succeeded")));
    }
}

TEST_CASE("a hook that fails afterwards is a warning, and changes no result") {
    Hooked hooked;
    hooked.world.processes.exit_statuses["after"] = 7;
    const auto report = hooked.run(k_upgrade);
    CHECK(report->exit_code == 0);
    CHECK(report->warnings == Strings{"the hook 'after' failed: it ended with exit status 7"});
    CHECK(hooked.world.reporter.told("warning: the hook 'after' failed"));
}

TEST_CASE("the heart beats while a hook takes long") {
    Hooked hooked;
    int beats = 0;
    hooked.world.process.at_point = [&](const std::string& point) {
        if (point == "before program") hooked.world.clock.advance(std::chrono::minutes(1));
        if (point == "before heartbeat") ++beats;
    };
    REQUIRE(hooked.run(k_upgrade)->exit_code == 0);
    CHECK(beats >= 3);
}
