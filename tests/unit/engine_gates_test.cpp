// SPDX-License-Identifier: Apache-2.0
// Every cell of the table of gates: where a gate stands it refuses that kind of run and nothing is
// changed, and where it does not there is a reason.
#include <set>

#include "model/error.hpp"
#include "support/asked_gate.hpp"
#include "support/text.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

namespace {

/// A cluster with 0.0.51 done and 0.0.52 due, and what is asked of a run in it.
struct Scene {
    World world;
    RunOptions options;
    std::string single = "0.0.52";  ///< what is run by itself

    Scene() {
        options.yes = true;
        world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
        ScriptedUpgrade done = ScriptedUpgrade::of("0.0.51").edits("app").sets("image", "v1");
        done.reversible();
        done.verify = good();
        world.publish(done);
        if (world.upgrade()->exit_code != 0) throw std::runtime_error("no scene");
        world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
    }

    /// The release of 0.0.52 as it is changed.
    void change(const std::function<void(ScriptedUpgrade&)>& how) {
        ScriptedUpgrade upgrade = world.script("0.0.52");
        how(upgrade);
        world.publish(upgrade);
    }
    /// `edit` happens when something is asked.
    void before_work(const std::function<void()>& edit) {
        options.yes = false;
        world.terminal.while_asked(edit);
    }
};

struct Refused {
    int exit_code = 0;
    std::string words;
};

Refused of(const std::optional<RunReport>& report) {
    return {report->exit_code, words(report)};
}

Refused carry_out(Scene& scene, KindOfRun kind) {
    try {
        switch (kind) {
            case KindOfRun::look:
                make_plan_report(scene.world.parts(), {});
                return {};
            case KindOfRun::upgrade: {
                UpgradeRequest request;
                static_cast<RunOptions&>(request) = scene.options;
                return of(scene.world.upgrade(request));
            }
            case KindOfRun::single: {
                SingleRunRequest request;
                static_cast<RunOptions&>(request) = scene.options;
                request.upgrade = scene.single;
                return of(scene.world.single(request));
            }
            case KindOfRun::rollback: {
                RollbackRequest request;
                static_cast<RunOptions&>(request) = scene.options;
                return of(scene.world.rollback(request));
            }
            case KindOfRun::verify: {
                const VerifyReport report = run_verify(scene.world.parts(), {});
                std::string words;
                for (const VerifiedUpgrade& one : report.upgrades) words += one.message;
                return {report.good() ? 0 : 1, words};
            }
            case KindOfRun::conformance:
                break;
        }
    } catch (const Error& error) {
        return {exit_code(error.failure()), error.what()};
    }
    throw std::logic_error("conformance has a cluster of its own");
}

/// The gates of one moment, asked as the run would ask them: for what its plan has left out before.
Refused ask_directly(Scene& scene, KindOfRun kind, GateMoment moment) {
    const auto view = scene.world.ledgers.look();
    const LedgerFacts facts = view->facts();
    std::vector<UpgradeInRun> upgrades(1);
    upgrades[0].version = scene.single;
    GateInput input{.kind = kind,
                    .config = scene.world.config,
                    .options = scene.options,
                    .facts = facts,
                    .ledger = *view,
                    .work_tree = scene.world.work_tree,
                    .sandbox = SandboxSupport::files_and_network,
                    .upgrades = upgrades,
                    .original = facts.cluster.original_version,
                    .cluster_version = std::nullopt,
                    .final_version = std::nullopt,
                    .reached_before = nullptr};
    try {
        pass_gates(input, moment);
    } catch (const Error& error) {
        return {exit_code(error.failure()), error.what()};
    }
    return {};
}

struct Cell {
    const char* gate;
    std::vector<KindOfRun> kinds;
    void (*provoke)(Scene&);
    const char* words;
    int exit_code = 3;
    bool directly = false;  ///< the plan of such a run never chooses it: the gate is asked alone
};

constexpr KindOfRun k_look = KindOfRun::look;
constexpr KindOfRun k_upgrade = KindOfRun::upgrade;
constexpr KindOfRun k_single = KindOfRun::single;
constexpr KindOfRun k_rollback = KindOfRun::rollback;
constexpr KindOfRun k_verify = KindOfRun::verify;

void distrust(Scene& scene) {
    scene.world.config.verification = Verification::enabled;
    scene.world.config.releases.source = SourceKind::git;
    scene.world.config.public_keys = {"ssh-ed25519 AAAA"};
    scene.world.source.judges = true;
    scene.world.source.problem_with_signatures = "its tag is signed by nobody known";
}

void go_below_original(Scene& scene) {
    scene.world.publish(ScriptedUpgrade::of("0.0.49").edits("conf"));
    scene.single = "0.0.49";
}

void skip(Scene& scene) {
    scene.world.ledgers.open()->record_skip({"0.0.52", "too risky", "erna"});
}

// lint: table
const std::vector<Cell>& cells() {
    static const std::vector<Cell> table{
        {"identity",
         {k_look, k_upgrade, k_single, k_rollback, k_verify},
         [](Scene& scene) { scene.world.config.name = "other"; },
         "is of the cluster 'demo'",
         6},
        {"standing",
         {k_look, k_upgrade, k_single, k_verify},
         [](Scene& scene) {
             scene.world.script("0.0.51").fails(HostPhase::rollback, 2);
             scene.world.rollback(World::rollback_request());
         },
         "it is recorded as done, and undone in part",
         6},
        {"half way",
         {k_look, k_upgrade},
         [](Scene& scene) {
             scene.change([](auto& upgrade) { upgrade.edits("app").fails(HostPhase::apply, 8); });
             scene.world.upgrade(World::without_rollback());
             scene.world.withdraw("0.0.52");
         },
         "0.0.52: its last attempt failed",
         6},
        {"original",
         {k_look, k_upgrade},
         go_below_original,
         "0.0.49 is not above the original version 0.0.50",
         6,
         true},
        {"original",
         {k_single},
         go_below_original,
         "0.0.49 is not above the original version 0.0.50",
         6},
        {"trust",
         {k_look, k_upgrade, k_single, k_rollback},
         distrust,
         "is not believed: its tag is signed by nobody known"},
        {"trust", {k_verify}, distrust, "is not believed: its tag is signed by nobody known", 1},
        {"pin",
         {k_look, k_upgrade, k_single},
         [](Scene& scene) {
             scene.world.script("0.0.52").fails(HostPhase::apply, 0);
             scene.world.upgrade();
             ScriptedUpgrade other = ScriptedUpgrade::of("0.0.52").edits("conf");
             other.content = "2";
             scene.world.publish(other);
         },
         "0.0.52 was changed after it was first attempted"},
        {"policy",
         {k_look, k_upgrade, k_single},
         [](Scene& scene) { scene.world.config.policy.write.emplace(); },
         "0.0.52 wants to write .: the cluster config's policy refuses that"},
        {"enforcement",
         {k_look, k_upgrade, k_single, k_rollback, k_verify},
         [](Scene& scene) {
             scene.world.config.policy.enforcement = Enforcement::required;
             scene.world.processes.support = SandboxSupport::none;
         },
         "this kernel cannot enforce what upgrades declare"},
        {"requires",
         {k_look, k_upgrade, k_single},
         [](Scene& scene) {
             scene.change([](auto& upgrade) { upgrade.manifest.needed_upgrades = {"0.0.51.a"}; });
         },
         "0.0.52 requires 0.0.51.a, which is neither done nor part of this run before it"},
        {"after",
         {k_look, k_upgrade, k_single},
         [](Scene& scene) {
             scene.change([](auto& upgrade) { upgrade.manifest.after = {"0.0.51.a"}; });
         },
         "0.0.52 was released after 0.0.51.a, which the source does not have"},
        {"skip", {k_look, k_upgrade}, skip, "0.0.52 is skipped: too risky (erna)", 3, true},
        {"skip", {k_single}, skip, "0.0.52 is skipped: too risky (erna)"},
        {"minimums",
         {k_look, k_upgrade, k_single},
         [](Scene& scene) {
             scene.change([](auto& upgrade) { upgrade.manifest.minimum_from = "0.0.52"; });
         },
         "0.0.52 needs a cluster that has reached 0.0.52; this one will be at 0.0.51"},
        {"risk",
         {k_upgrade, k_single},
         [](Scene& scene) {
             scene.change([](auto& upgrade) { upgrade.manifest.downtime = true; });
         },
         "downtime is caused by 0.0.52; --yes does not cover that"},
        {"work tree",
         {k_upgrade, k_single},
         [](Scene& scene) {
             scene.before_work([&scene] { scene.world.now.files["conf"] = "by hand\n"; });
         },
         "0.0.52 changed since it was shown: conf is not as when it was shown"},
        {"work tree",
         {k_rollback},
         [](Scene& scene) {
             // After all files of all upgrades were looked at, and before this one's turn.
             scene.world.process.at_point = [&scene](const std::string& point) {
                 const auto& events = scene.world.reporter.events;
                 if (point == "tell" && !events.empty() &&
                     events.back() == "moved: simulating to awaiting_confirmation")
                     scene.world.now.files["app"] = "by hand\n";
             };
         },
         "changed since it was shown: 0.0.51 cannot be rolled back: app was changed by hand since"},
    };
    return table;
}

GateMoment moment_of(const std::string& gate) {
    return gate_named(gate).moment;
}

}  // namespace

TEST_CASE("each kind of run passes where nothing is wrong") {
    for (const KindOfRun kind : {k_look, k_upgrade, k_single, k_rollback, k_verify}) {
        Scene scene;
        const Refused refused = carry_out(scene, kind);
        INFO(to_string(kind) << ": " << refused.words);
        CHECK(refused.exit_code == 0);
    }
}

TEST_CASE("every cell of the gates has a reason, or a run that it refuses") {
    std::set<std::pair<std::string, std::string>> standing;
    for (const Gate& gate : gates()) {
        CHECK(&gate_named(gate.name) == &gate);
        for (std::size_t kind = 0; kind < k_kinds_of_run; ++kind) {
            const char* reason = gate.absent_because[kind];
            INFO(gate.name << ", " << to_string(static_cast<KindOfRun>(kind)));
            if (reason != nullptr) CHECK(std::string(reason).size() > 10);
            if (reason == nullptr)
                standing.emplace(gate.name, to_string(static_cast<KindOfRun>(kind)));
        }
    }
    std::set<std::pair<std::string, std::string>> refused;
    for (const Cell& cell : cells()) {
        for (const KindOfRun kind : cell.kinds) refused.emplace(cell.gate, to_string(kind));
    }
    CHECK(standing == refused);
}

TEST_CASE("where a gate stands it refuses the run, and nothing is changed") {
    for (const Cell& cell : cells()) {
        for (const KindOfRun kind : cell.kinds) {
            Scene scene;
            cell.provoke(scene);
            const Surroundings before = scene.world.now;
            const auto done = scene.world.done();
            const std::string version = scene.world.version();
            scene.world.reporter.events.clear();
            scene.world.stage.effects.clear();
            const Refused refused = cell.directly ? ask_directly(scene, kind, moment_of(cell.gate))
                                                  : carry_out(scene, kind);
            INFO(cell.gate << ", " << to_string(kind) << ": " << refused.words);
            CHECK(refused.exit_code == cell.exit_code);
            CHECK_THAT(refused.words, Contains(cell.words));
            CHECK(scene.world.done() == done);
            CHECK(scene.world.version() == version);
            CHECK(scene.world.stage.effects.empty());
            CHECK(scene.world.reporter.count("recorded:") == 0);
            if (std::string(cell.gate) != "work tree") CHECK(scene.world.now == before);
        }
    }
}

TEST_CASE("a skipped upgrade is not chosen at all") {
    for (const KindOfRun kind : {k_look, k_upgrade}) {
        Scene scene;
        skip(scene);
        CHECK(carry_out(scene, kind).exit_code == 0);
        CHECK(scene.world.done() == std::vector<std::string>{"0.0.51"});
    }
}

TEST_CASE("the second upgrade of a run is judged, too") {
    Asked asked({"0.0.51", "0.0.52"});
    asked.manifest(1).permissions.network = true;
    asked.world.config.policy.network = false;
    CHECK(asked("policy", 0).empty());
    CHECK_FALSE(asked("policy", 1).empty());

    Scene scene;
    scene.world.publish(ScriptedUpgrade::of("0.0.53").edits("conf"));
    scene.world.config.policy.commands.emplace();
    ScriptedUpgrade third = ScriptedUpgrade::of("0.0.54").sets("image", "v9");
    scene.world.publish(third);
    const Refused refused = carry_out(scene, k_upgrade);
    CHECK(refused.exit_code == 3);
    CHECK_THAT(refused.words, Contains("0.0.54 wants to run set"));
    CHECK(scene.world.done() == std::vector<std::string>{"0.0.51"});
}

TEST_CASE("all refusals of a moment are told at once, each with its way out") {
    Scene scene;
    scene.change([](auto& upgrade) {
        upgrade.manifest.minimum_from = "0.0.60";
        upgrade.manifest.needed_upgrades = {"0.0.51.a"};
    });
    UpgradeRequest request = World::yes();
    const auto report = scene.world.upgrade(request);
    CHECK_THAT(report->error->message, Contains("needs a cluster that has reached 0.0.60") &&
                                           Contains("requires 0.0.51.a") &&
                                           Contains("; nothing was changed"));
    CHECK_THAT(report->error->next, Contains("; "));
}

TEST_CASE("the gates of one moment ask nothing of another") {
    Scene scene;
    scene.world.config.name = "other";
    CHECK(ask_directly(scene, k_upgrade, GateMoment::admit).exit_code == 0);
    CHECK(ask_directly(scene, k_upgrade, GateMoment::look).exit_code == 6);
    CHECK(ask_directly(scene, KindOfRun::conformance, GateMoment::look).exit_code == 0);
}
