// SPDX-License-Identifier: Apache-2.0
// Every cell of the table of gates: where a gate stands it refuses that kind of run and nothing is
// changed, and where it does not there is a reason. Then the edges of single gates.
#include <algorithm>
#include <set>

#include "engine/gates/gate.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"
#include "support/text.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

namespace {

/// A cluster with 0.0.51 done and 0.0.52 due, and what is asked of a run in it.
struct Scene {
    World world;
    RunOptions options;

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
        world.terminal.answer = [edit](const std::string&) {
            edit();
            return std::optional<std::string>("y");
        };
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
                request.upgrade = "0.0.52";
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
    upgrades[0].version = "0.0.52";
    GateInput input{.kind = kind,
                    .config = scene.world.config,
                    .options = scene.options,
                    .facts = facts,
                    .ledger = *view,
                    .work_tree = scene.world.work_tree,
                    .sandbox = SandboxSupport::files_and_network,
                    .upgrades = upgrades,
                    .original = std::nullopt,
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
         "0.0.51 changed since it was shown: app is not as when it was shown"},
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

namespace {

/// One gate, asked alone.
struct Asked {
    World world;
    RunOptions options;
    LedgerFacts facts;
    std::vector<UpgradeInRun> upgrades;
    std::vector<Release> releases;
    SandboxSupport sandbox = SandboxSupport::files_and_network;
    std::optional<SemanticVersion> original = SemanticVersion::parse("0.0.50");
    std::optional<SemanticVersion> cluster_version = SemanticVersion::parse("0.0.50");
    std::optional<SemanticVersion> final_version;
    std::function<SemanticVersion(const UpgradeInRun&)> reached_before;

    explicit Asked(const std::vector<std::string>& versions = {"0.0.52"}) {
        for (const std::string& version : versions) {
            upgrades.emplace_back();
            upgrades.back().version = version;
            upgrades.back().known.manifest = Manifest::undeclared(UpgradeVersion::parse(version));
            upgrades.back().known.manifest.declared = true;
            upgrades.back().known.manifest.permissions = {};
        }
    }
    Manifest& manifest(std::size_t i = 0) { return upgrades[i].known.manifest; }
    void done(const std::string& version) { facts.cluster.done.push_back({version, "", {}}); }
    void release(const std::string& version) {
        releases.emplace_back();
        releases.back().version = UpgradeVersion::parse(version);
    }
    /// What it says to the upgrade at `i`; empty: nothing.
    std::string operator()(const char* gate, std::size_t i = 0) {
        const auto view = world.ledgers.look();
        const GateInput input{.kind = KindOfRun::upgrade,
                              .config = world.config,
                              .options = options,
                              .facts = facts,
                              .ledger = *view,
                              .work_tree = world.work_tree,
                              .sandbox = sandbox,
                              .upgrades = upgrades,
                              .releases = &releases,
                              .original = original,
                              .cluster_version = cluster_version,
                              .final_version = final_version,
                              .reached_before = reached_before};
        const auto refusal = gate_named(gate).check(input, &upgrades[i]);
        if (!refusal) return {};
        CHECK_FALSE(refusal->way_out.empty());
        return refusal->what;
    }
};

}  // namespace

TEST_CASE("requires is met by the original version, what is done, and what runs before") {
    Asked asked({"0.0.51", "0.0.52"});
    const auto needs = [&](const std::string& version) {
        asked.manifest(1).needed_upgrades = {version};
        return asked("requires", 1).empty();
    };
    CHECK(needs("0.0.50"));
    CHECK(needs("0.0.50.a"));
    CHECK(needs("0.0.49"));
    CHECK(needs("0.0.51"));
    CHECK_FALSE(needs("0.0.51.a"));
    CHECK_FALSE(needs("0.0.52"));
    CHECK_FALSE(needs("0.0.53"));
    asked.upgrades[0].verdict = Verdict::left_out;
    CHECK_FALSE(needs("0.0.51"));
    asked.done("0.0.51");
    CHECK(needs("0.0.51"));
    asked.original.reset();
    CHECK_FALSE(needs("0.0.50"));
}

TEST_CASE("requires names all that is missing") {
    Asked asked;
    asked.manifest().needed_upgrades = {"0.0.51", "0.0.51.a"};
    const std::string words = asked("requires");
    CHECK_THAT(words, Contains("requires 0.0.51,"));
    CHECK_THAT(words, Contains("requires 0.0.51.a,"));
}

TEST_CASE("what requires a later one of the same run is refused") {
    Asked asked({"0.0.51", "0.0.52"});
    asked.manifest(0).needed_upgrades = {"0.0.52"};
    CHECK_FALSE(asked("requires", 0).empty());
}

TEST_CASE("after knows releases, what is done or skipped, and nothing below the original version") {
    Asked asked;
    const auto after = [&](const std::string& version) {
        asked.manifest().after = {version};
        return asked("after").empty();
    };
    CHECK(after("0.0.50"));
    CHECK(after("0.0.49"));
    CHECK_FALSE(after("0.0.51"));
    asked.release("0.0.51");
    CHECK(after("0.0.51"));
    CHECK_FALSE(after("0.0.51.a"));
    asked.done("0.0.51.a");
    CHECK(after("0.0.51.a"));
    CHECK_FALSE(after("0.0.51.b"));
    asked.facts.cluster.skipped.push_back({"0.0.51.b", "", ""});
    CHECK(after("0.0.51.b"));
    asked.original.reset();
    CHECK_FALSE(after("0.0.50"));
}

TEST_CASE("known versions are gathered once, and a release without a version is none") {
    KnownVersions versions;
    LedgerFacts facts;
    facts.cluster.done.push_back({"0.0.51", "", {}});
    facts.cluster.skipped.push_back({"0.0.52", "", ""});
    std::vector<Release> releases(2);
    releases[1].version = UpgradeVersion::parse("0.0.53");
    CHECK(versions.is_done(facts, "0.0.51"));
    CHECK_FALSE(versions.is_done(facts, "0.0.52"));
    for (const char* known : {"0.0.51", "0.0.52", "0.0.53"})
        CHECK(versions.is_known(facts, releases, known));
    CHECK_FALSE(versions.is_known(facts, releases, "0.0.54"));
    facts.cluster.done.push_back({"0.0.54", "", {}});
    CHECK_FALSE(versions.is_done(facts, "0.0.54"));
}

TEST_CASE("minimumFrom is met when it is exactly reached") {
    Asked asked;
    asked.manifest().minimum_from = "0.0.51";
    CHECK_FALSE(asked("minimums").empty());
    asked.cluster_version = SemanticVersion::parse("0.0.51");
    CHECK(asked("minimums").empty());
    asked.reached_before = [](const UpgradeInRun&) { return SemanticVersion::parse("0.0.50"); };
    CHECK_FALSE(asked("minimums").empty());
    asked.reached_before = [](const UpgradeInRun&) { return SemanticVersion::parse("0.0.51"); };
    asked.cluster_version = SemanticVersion::parse("0.0.50");
    CHECK(asked("minimums").empty());
    asked.reached_before = nullptr;
    asked.cluster_version.reset();
    CHECK(asked("minimums").empty());
}

TEST_CASE("each risk is confirmed by its own option alone") {
    Asked asked;
    asked.options.yes = true;
    asked.manifest().downtime = true;
    asked.final_version = SemanticVersion::parse("1.0.0");
    const std::string downtime = "downtime is caused by 0.0.52";
    const std::string major = "this is a step from 0.0.50 to another major version, 1.0.0";
    CHECK_THAT(asked("risk"), Contains(downtime) && Contains(major));
    asked.options.confirm_downtime = true;
    CHECK_THAT(asked("risk"), !Contains(downtime) && Contains(major));
    asked.options.confirm_major = true;
    CHECK(asked("risk").empty());
    asked.options.confirm_downtime = false;
    CHECK_THAT(asked("risk"), Contains(downtime) && !Contains(major));
}

TEST_CASE("a risk is no refusal where somebody is asked, or nothing is done") {
    Asked asked;
    asked.manifest().downtime = true;
    CHECK(asked("risk").empty());
    asked.options.yes = true;
    asked.options.dry_run = true;
    CHECK(asked("risk").empty());
}

TEST_CASE("a step to another minor version is no risk, one to a lower major version is") {
    Asked asked;
    asked.options.yes = true;
    asked.final_version = SemanticVersion::parse("0.9.0");
    CHECK(asked("risk").empty());
    asked.cluster_version = SemanticVersion::parse("1.0.0");
    CHECK_FALSE(asked("risk").empty());
    asked.final_version.reset();
    CHECK(asked("risk").empty());
}

TEST_CASE("a changed release is accepted for the version that was named alone") {
    Asked asked;
    const Digest first = *Digest::parse(std::string(64, 'a'));
    const Digest second = *Digest::parse(std::string(64, 'b'));
    asked.world.ledgers.open()->import(
        [&] {
            LedgerDump dump;
            dump.identity.name = "demo";
            dump.original_version = dump.cluster_version = SemanticVersion::parse("0.0.50");
            dump.pins.push_back({"0.0.52", Platform::current().to_string(), first.to_string()});
            return dump;
        }(),
        "erna");
    CHECK(asked("pin").empty());  // nothing verified it yet
    asked.upgrades[0].known.archive_digest = first;
    CHECK(asked("pin").empty());
    asked.upgrades[0].known.archive_digest = second;
    CHECK_THAT(asked("pin"), Contains(first.to_string()) && Contains(second.to_string()));
    asked.options.accept_changed = {"0.0.51", "0.0.53"};
    CHECK_FALSE(asked("pin").empty());
    asked.options.accept_changed = {"0.0.51", "0.0.52"};
    CHECK(asked("pin").empty());
}

TEST_CASE("the policy refuses what it does not name, each by its own words") {
    Asked asked;
    PolicyConfig& policy = asked.world.config.policy;
    Permissions& wants = asked.manifest().permissions;
    CHECK(asked("policy").empty());
    wants.network = true;
    CHECK(asked("policy").empty());
    policy.network = false;
    CHECK_THAT(asked("policy"), Contains("0.0.52 wants to use the network"));
    wants.network = false;
    CHECK(asked("policy").empty());

    wants.write = {"apps/demo", "infra"};
    CHECK(asked("policy").empty());
    policy.write = {"apps"};
    CHECK_THAT(asked("policy"),
               Contains("wants to write infra") && !Contains("wants to write apps"));
    policy.write = {"apps", "infra"};
    CHECK(asked("policy").empty());

    wants.commands = {"kubectl", "helm"};
    policy.commands = {"kubectl"};
    CHECK_THAT(asked("policy"), Contains("wants to run helm") && !Contains("wants to run kubectl"));
    policy.commands = {"kubectl", "helm"};
    CHECK(asked("policy").empty());

    asked.manifest().declared = false;
    CHECK(asked("policy").empty());
    policy.undeclared = false;
    CHECK_THAT(asked("policy"), Contains("declares nothing of what it does"));
}

TEST_CASE("enforcement is required of files and network both") {
    Asked asked;
    asked.sandbox = SandboxSupport::none;
    CHECK(asked("enforcement").empty());
    asked.world.config.policy.enforcement = Enforcement::disabled;
    CHECK(asked("enforcement").empty());
    asked.world.config.policy.enforcement = Enforcement::required;
    CHECK_FALSE(asked("enforcement").empty());
    asked.sandbox = SandboxSupport::files;
    CHECK_FALSE(asked("enforcement").empty());
    asked.sandbox = SandboxSupport::files_and_network;
    CHECK(asked("enforcement").empty());
}

TEST_CASE("only enabled verification refuses what is not believed, and no file that was named") {
    Asked asked;
    asked.upgrades[0].known.signature_problem = "it is not signed";
    CHECK(asked("trust").empty());
    asked.world.config.verification = Verification::warn;
    CHECK(asked("trust").empty());
    asked.world.config.verification = Verification::enabled;
    CHECK_THAT(asked("trust"), Contains("0.0.52 is not believed: it is not signed"));
    for (const auto& [supplier, refused] :
         {std::pair(Supplier::kept, true), std::pair(Supplier::file, false),
          std::pair(Supplier::none, false)}) {
        asked.upgrades[0].supplier = supplier;
        CHECK(asked("trust").empty() != refused);
    }
    asked.upgrades[0].supplier = Supplier::source;
    asked.upgrades[0].known.signature_problem.clear();
    CHECK(asked("trust").empty());
}

TEST_CASE("a cluster is another one by name, region or account alone") {
    Asked asked;
    CHECK(asked("identity").empty());
    asked.facts.identity = ClusterIdentity{"demo", "", ""};
    CHECK(asked("identity").empty());
    asked.facts.identity = ClusterIdentity{"demo", "", "1234"};
    CHECK_THAT(asked("identity"), Contains("account 1234"));
    asked.facts.identity = ClusterIdentity{"demo", "eu", ""};
    CHECK_THAT(asked("identity"), Contains("in eu"));
    asked.facts.identity = ClusterIdentity{"other", "", ""};
    CHECK_THAT(asked("identity"), Contains("'other'"));
}

TEST_CASE("the original version is fixed once it is stored") {
    Asked asked;
    asked.facts.identity = ClusterIdentity{"demo", "", ""};
    asked.facts.cluster.original_version = SemanticVersion::parse("0.0.49");
    CHECK_THAT(asked("identity"), Contains("0.0.49, which is fixed"));
    CHECK(identity_refusal(asked.world.config, asked.facts)->failure == Failure::usage);
    asked.world.config.original_version.reset();
    CHECK(asked("identity").empty());
}

TEST_CASE("only what is half undone stops every run") {
    Asked asked;
    UnsettledUpgrade upgrade;
    upgrade.version = "0.0.51";
    upgrade.outcome = Outcome::failed;
    upgrade.finished_steps = {"one"};
    asked.facts.unsettled = {upgrade};
    CHECK(asked("standing").empty());
    asked.facts.unsettled[0].done = true;
    CHECK(asked("standing").empty());
    asked.facts.unsettled[0].is_undo = true;
    CHECK_FALSE(asked("standing").empty());
    asked.facts.unsettled[0].outcome.reset();  // it is being undone just now
    CHECK(asked("standing").empty());
    asked.facts.unsettled.insert(asked.facts.unsettled.begin(), UnsettledUpgrade{});
    asked.facts.unsettled[1].outcome = Outcome::rollback_failed;
    CHECK_THAT(asked("standing"), Contains("the rollback of 0.0.51 failed half-way"));
}

TEST_CASE("a file that was to be created, changed or removed is compared with what was shown") {
    Asked asked;
    asked.world.now.files["there"] = "text";
    asked.upgrades[0].shown.before["there"] = {.kind = upgrade::services::PathKind::file,
                                               .digest = asked.world.work_tree.digest("there")};
    asked.upgrades[0].shown.before["absent"] = {};
    CHECK(asked("work tree").empty());
    asked.world.now.files["absent"] = "";
    CHECK_THAT(asked("work tree"), Contains("absent is not as"));
    asked.world.now.files.clear();
    CHECK_THAT(asked("work tree"), Contains("there is not as"));
    asked.options.force = true;  // is for rollbacks
    CHECK_FALSE(asked("work tree").empty());
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
    CHECK(split(report->error->next, '\n').size() == 2);
}

TEST_CASE("the gates of one moment ask nothing of another") {
    Scene scene;
    scene.world.config.name = "other";
    CHECK(ask_directly(scene, k_upgrade, GateMoment::admit).exit_code == 0);
    CHECK(ask_directly(scene, k_upgrade, GateMoment::look).exit_code == 6);
    CHECK(ask_directly(scene, KindOfRun::conformance, GateMoment::look).exit_code == 0);
}
