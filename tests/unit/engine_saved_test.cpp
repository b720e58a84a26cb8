// SPDX-License-Identifier: Apache-2.0
// A saved plan beside the ledger and the releases as they are now: whatever moved is named.
#include <algorithm>
#include <functional>
#include <utility>

#include "engine/saved_plan.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

namespace {

const Digest k_digest = *Digest::parse(std::string(64, 'a'));

/// A plan of 0.0.52 and 0.0.53 on a cluster that has 0.0.51, and that cluster.
struct Scene {
    SavedPlan plan;
    LedgerFacts facts;
    ClusterIdentity own{"demo", "eu-1", "123"};
    SemanticVersion original = SemanticVersion::parse("0.0.50");
    std::vector<UpgradeInRun> upgrades;

    Scene() {
        plan.file = "plan.json";
        plan.cluster = own;
        plan.platform = Platform::current().to_string();
        plan.target = "0.0.53";
        plan.original_version = "0.0.50";
        plan.cluster_version = "0.0.51";
        plan.done = {"0.0.51"};
        plan.skipped = {"0.0.51.a"};
        plan.last_attempt = 7;
        facts.identity = own;
        facts.cluster.original_version = original;
        facts.cluster.cluster_version = SemanticVersion::parse("0.0.51");
        facts.cluster.done.push_back({"0.0.51", "", {}});
        facts.cluster.skipped.push_back({"0.0.51.a", "", ""});
        facts.last_attempt = 7;
        for (const char* version : {"0.0.52", "0.0.53"}) {
            plan.due.push_back({version, version, k_digest.to_string(), std::nullopt});
            upgrades.push_back(from_ledger(version, version, plan.platform, k_digest.to_string()));
        }
    }
    [[nodiscard]] std::string refusal() const {
        try {
            plan.check_ledger(facts, own, original);
            plan.check_upgrades(upgrades);
        } catch (const Error& error) {
            CHECK(error.failure() == Failure::refused);
            CHECK_THAT(error.what(), Contains("the saved plan plan.json no longer fits: ") &&
                                         Contains("; nothing was changed"));
            return error.what();
        }
        return {};
    }
};

struct Move {
    const char* told;
    std::function<void(Scene&)> make;
};

SemanticVersion version(const char* text) {
    return SemanticVersion::parse(text);
}

// lint: table
const std::vector<Move>& moves() {
    static const std::vector<Move> table{
        {"it is for the cluster 'demo', the config is of 'other'",
         [](Scene& scene) { scene.own.name = "other"; }},
        {"it is for the cluster", [](Scene& scene) { scene.own.region = "eu-2"; }},
        {"it is for the cluster", [](Scene& scene) { scene.own.account_id = "124"; }},
        {"it is for Plan9_mips, this is", [](Scene& scene) { scene.plan.platform = "Plan9_mips"; }},
        {"0.0.51.b was done since",
         [](Scene& scene) {
             scene.facts.cluster.done.push_back({"0.0.51.b", "", {}});
         }},
        {"0.0.51 is no longer done", [](Scene& scene) { scene.facts.cluster.done.clear(); }},
        {"0.0.51.b was skipped since",
         [](Scene& scene) {
             scene.facts.cluster.skipped.push_back({"0.0.51.b", "", ""});
         }},
        {"0.0.51.a is no longer skipped",
         [](Scene& scene) { scene.facts.cluster.skipped.clear(); }},
        {"the cluster was at 0.0.51 and is at 0.0.52",
         [](Scene& scene) { scene.facts.cluster.cluster_version = version("0.0.52"); }},
        {"the cluster was at 0.0.51 and is at 0.0.50",
         [](Scene& scene) { scene.facts.cluster.cluster_version.reset(); }},
        {"the original version was 0.0.50 and is 0.0.49",
         [](Scene& scene) { scene.facts.cluster.original_version = version("0.0.49"); }},
        {"an upgrade was attempted since ('runner history' shows it)",
         [](Scene& scene) { scene.facts.last_attempt = 8; }},
        {"0.0.53 was the release '0.0.53' and is the release 'v0.0.53'",
         [](Scene& scene) { scene.upgrades[1].tag = "v0.0.53"; }},
        {"the release of 0.0.53 had aaaa",
         [](Scene& scene) { scene.upgrades[1].known.archive_digest.bytes[0] = 1; }},
        {"due were 0.0.52, 0.0.53, and are 0.0.52",
         [](Scene& scene) { scene.upgrades.pop_back(); }},
        {"due were 0.0.52, and are 0.0.52, 0.0.53",
         [](Scene& scene) { scene.plan.due.pop_back(); }},
        {"due were none, and are 0.0.52, 0.0.53", [](Scene& scene) { scene.plan.due.clear(); }},
        {"due were 0.0.52, 0.0.53, and are none", [](Scene& scene) { scene.upgrades.clear(); }},
        {"due were 0.0.52, 0.0.53, and are 0.0.53, 0.0.52",
         [](Scene& scene) { std::swap(scene.upgrades[0], scene.upgrades[1]); }},
    };
    return table;
}

}  // namespace

TEST_CASE("a saved plan fits where nothing moved") {
    CHECK(Scene().refusal().empty());
}

TEST_CASE("a saved plan is refused for each thing that moved, which is named alone") {
    for (const Move& move : moves()) {
        Scene scene;
        move.make(scene);
        const std::string told = scene.refusal();
        CHECK_THAT(told, Contains(move.told));
        CHECK(std::count(told.begin(), told.end(), ';') == 1);
    }
}

TEST_CASE("a saved plan that no longer fits names all that moved, and an attempt only by itself") {
    Scene scene;
    scene.facts.cluster.done.push_back({"0.0.51.b", "", {}});
    scene.facts.cluster.done.push_back({"0.0.51.c", "", {}});
    scene.facts.cluster.skipped.clear();
    scene.facts.last_attempt = 8;
    const std::string told = scene.refusal();
    CHECK_THAT(told, Contains("0.0.51.b and 1 more was done since; 0.0.51.a is no longer skipped"));
    CHECK_THAT(told, !Contains("attempted since"));
}

TEST_CASE("a saved plan of a new cluster fits before its first run") {
    Scene scene;
    scene.facts = {};
    scene.plan.done.clear();
    scene.plan.skipped.clear();
    scene.plan.last_attempt = 0;
    scene.plan.cluster_version = "0.0.50";
    CHECK(scene.refusal().empty());
}

TEST_CASE("what was not verified by a digest yet is compared later") {
    Scene scene;
    for (UpgradeInRun& upgrade : scene.upgrades) upgrade.known.archive_digest = {};
    CHECK(scene.refusal().empty());
}

TEST_CASE("a value that is given goes before the one that the plan was given") {
    SavedPlan plan;
    plan.given = {{"size", "1"}, {"colour", "red"}};
    GivenParameters given;
    given.values = {{"size", "2"}};
    given.secrets["token"] = Secret("x");
    const GivenParameters both = plan.with_given(given);
    CHECK(both.values == std::map<std::string, std::string>{{"size", "2"}, {"colour", "red"}});
    REQUIRE(both.secrets.size() == 1);
    CHECK(both.secrets.at("token").reveal() == "x");
}
