// SPDX-License-Identifier: Apache-2.0
// The edges of single gates, each asked by itself.
#include "support/asked_gate.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

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

TEST_CASE("a file is refused where its version was attempted from a release, or only shown") {
    Asked asked;
    LedgerDump dump;
    dump.identity.name = "demo";
    dump.pins.push_back({"0.0.52", Platform::current().to_string(), std::string(64, 'a')});
    asked.world.ledgers.open()->import(dump, "erna");
    asked.upgrades[0].supplier = Supplier::file;
    for (const bool yes : {false, true}) {
        asked.options.yes = yes;
        asked.options.dry_run = true;
        CHECK(asked("pin").empty());
        asked.options.dry_run = false;
        CHECK_THAT(asked("pin"), Contains("whether this file is of that release"));
    }
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
