// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.hpp"

#include <map>
#include "support/catch.hpp"

#include "model/error.hpp"

using namespace runner;

namespace {

Release release(const std::string& version) {
    Release made;
    made.version = UpgradeVersion::parse(version);
    made.tag = version;
    made.has_build = true;
    made.prerelease = !made.version->semver.prerelease.empty();
    return made;
}

std::vector<Release> releases(const std::vector<std::string>& versions) {
    std::vector<Release> made;
    for (const std::string& version : versions) made.push_back(release(version));
    return made;
}

ClusterFacts facts(const std::string& original, const std::string& cluster,
                   const std::vector<std::string>& done = {}) {
    ClusterFacts made;
    made.original_version = SemanticVersion::parse(original);
    if (!cluster.empty()) made.cluster_version = SemanticVersion::parse(cluster);
    for (const std::string& version : done)
        made.done.push_back({version, "Linux_amd64", std::nullopt});
    return made;
}

PlanOptions options(const std::string& target = "latest") {
    PlanOptions made;
    made.target = target;
    made.platform = "Linux_amd64";
    return made;
}

std::vector<std::string> due(const std::vector<Release>& all, const Plan& plan) {
    std::vector<std::string> versions;
    for (const DueUpgrade& upgrade : plan.due)
        versions.push_back(all[upgrade.release].version->to_string());
    return versions;
}

std::map<std::string, Reason> reasons(const std::vector<Release>& all, const Plan& plan) {
    std::map<std::string, Reason> found;
    for (const OtherUpgrade& other : plan.other)
        found[all[other.release].version->to_string()] = other.reason;
    return found;
}

using Versions = std::vector<std::string>;

}  // namespace

TEST_CASE("due is what is not done, above the original version and up to the target, in order") {
    const auto all = releases({"0.0.64", "0.0.61", "0.0.63.b", "0.0.63.a", "0.0.60", "0.0.62"});
    const Plan plan = make_plan(all, facts("0.0.60", "", {"0.0.61"}), options("0.0.63"));
    CHECK(due(all, plan) == Versions{"0.0.62", "0.0.63.a", "0.0.63.b"});
    const auto why = reasons(all, plan);
    CHECK(why.at("0.0.60") == Reason::not_newer_than_original);
    CHECK(why.at("0.0.61") == Reason::done);
    CHECK(why.at("0.0.64") == Reason::newer_than_target);
    CHECK(plan.final_version.to_string() == "0.0.63");
}

TEST_CASE("a hotfix older than the last applied upgrade still runs, and is said to be late") {
    const auto all = releases({"0.0.62", "0.0.62.a", "0.0.63"});
    const Plan plan = make_plan(all, facts("0.0.60", "0.0.63", {"0.0.62", "0.0.63"}), options());
    CHECK(due(all, plan) == Versions{"0.0.62.a"});
    CHECK(plan.due.front().late);
}

TEST_CASE("nothing at or below the original version ever runs, hotfixes included") {
    const auto all = releases({"0.0.60.hotfix", "0.0.59"});
    CHECK(make_plan(all, facts("0.0.60", ""), options()).due.empty());
}

TEST_CASE("a target below the cluster version is refused, and latest below it is a warning") {
    const auto all = releases({"0.0.61"});
    try {
        make_plan(all, facts("0.0.60", "0.0.63"), options("0.0.62"));
        FAIL("not refused");
    } catch (const Error& error) {
        CHECK(error.failure() == Failure::refused);
    }
    const Plan plan = make_plan(all, facts("0.0.60", "0.0.63", {"0.0.61"}), options());
    CHECK(plan.target.to_string() == "0.0.63");
    CHECK(plan.warnings.size() == 1);
}

TEST_CASE("a target that no release has is legal, and said with the newest release") {
    struct Row {
        const char* about;
        Versions releases;
        const char* target;
        bool prereleases;
        std::string warning;  // empty: none
    };
    const Versions some{"0.0.63", "0.0.61", "0.0.62.a", "0.0.64-rc1"};
    const std::vector<Row> rows{
        {"above all", some, "9.9.9", false, "no release has 9.9.9; the newest is 0.0.63"},
        {"between two",
         {"0.0.61", "0.0.63"},
         "0.0.62",
         false,
         "no release has 0.0.62; the newest is 0.0.63"},
        {"build metadata", some, "v0.0.65+7", false, "no release has 0.0.65; the newest is 0.0.63"},
        {"a pre-release that is not taken", some, "0.0.64-rc1", false,
         "the target 0.0.64-rc1 is a pre-release, which the channel stable leaves out; the newest "
         "is 0.0.63"},
        {"a pre-release that is taken", some, "0.0.64-rc1", true, ""},
        {"above one that is taken", some, "0.0.64", true,
         "no release has 0.0.64; the newest is 0.0.64-rc1"},
        {"equal to one", some, "0.0.63", false, ""},
        {"equal to one with an identifier", some, "0.0.62", false, ""},
        {"where the cluster is", some, "0.0.60", false, ""},
        {"latest", some, "latest", false, ""},
        {"stable", some, "stable", true, ""},
        {"no releases", {}, "9.9.9", false, "no release has 9.9.9: the source has no releases"},
        {"no releases, where the cluster is", {}, "0.0.60", false, ""},
        {"only pre-releases",
         {"0.0.64-rc1"},
         "0.0.64",
         false,
         "no release has 0.0.64: the source has only pre-releases"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.about);
        PlanOptions asked = options(row.target);
        asked.take_prereleases = row.prereleases;
        const Plan plan = make_plan(releases(row.releases), facts("0.0.50", "0.0.60"), asked);
        CHECK(plan.warnings == (row.warning.empty() ? Versions{} : Versions{row.warning}));
        if (!row.warning.empty()) CHECK(plan.final_version == SemanticVersion::parse(row.target));
    }
}

TEST_CASE("latest and stable leave pre-releases out, preview takes them") {
    const auto all = releases({"0.0.61", "0.0.62-rc1"});
    CHECK(make_plan(all, facts("0.0.60", ""), options()).target.to_string() == "0.0.61");
    PlanOptions preview = options();
    preview.take_prereleases = true;
    CHECK(make_plan(all, facts("0.0.60", ""), preview).target.to_string() == "0.0.62-rc1");
    preview.target = "stable";
    CHECK(make_plan(all, facts("0.0.60", ""), preview).target.to_string() == "0.0.61");
}

TEST_CASE("a malformed release fails the plan only when it would be due") {
    auto all = releases({"0.0.61", "0.0.62"});
    all[0].problem = "it has no checksums";
    CHECK_THROWS_WITH(make_plan(all, facts("0.0.60", ""), options()),
                      Catch::Contains("0.0.61") && Catch::Contains("no checksums"));
    const Plan plan = make_plan(all, facts("0.0.61", ""), options());
    CHECK(due(all, plan) == Versions{"0.0.62"});
    CHECK(plan.warnings.size() == 1);
}

TEST_CASE("a due upgrade without a build, and two releases of one version, fail the plan") {
    auto all = releases({"0.0.61"});
    all[0].has_build = false;
    CHECK_THROWS_WITH(make_plan(all, facts("0.0.60", ""), options()),
                      Catch::Contains("no build for Linux_amd64"));
    auto twice = releases({"0.0.61", "0.0.61"});
    twice[1].tag = "v0.0.61";
    CHECK_THROWS_WITH(make_plan(twice, facts("0.0.60", ""), options()), Catch::Contains("several"));
}

TEST_CASE("with --only and --skip the cluster version rises no further than what is left undone") {
    const auto all = releases({"0.0.61", "0.0.62", "0.0.63"});
    PlanOptions some = options();
    some.only = {UpgradeVersion::parse("0.0.61"), UpgradeVersion::parse("0.0.63")};
    const Plan plan = make_plan(all, facts("0.0.60", ""), some);
    CHECK(due(all, plan) == Versions{"0.0.61", "0.0.63"});
    CHECK(reasons(all, plan).at("0.0.62") == Reason::not_selected);
    CHECK(plan.final_version.to_string() == "0.0.61");
    PlanOptions wrong = options();
    wrong.skip = {UpgradeVersion::parse("0.0.69")};
    CHECK_THROWS_WITH(make_plan(all, facts("0.0.60", ""), wrong), Catch::Contains("0.0.69"));
}

TEST_CASE("the version after each upgrade never claims more than is done") {
    const auto all = releases({"0.0.61", "0.0.62", "0.0.64"});
    const Plan plan = make_plan(all, facts("0.0.60", ""), options("0.0.70"));
    CHECK(version_after(all, plan, 1).to_string() == "0.0.61");
    CHECK(version_after(all, plan, 2).to_string() == "0.0.62");
    CHECK(version_after(all, plan, 3).to_string() == "0.0.70");
}

TEST_CASE("an edited and a vanished release of a done upgrade are reported, not run") {
    auto all = releases({"0.0.61"});
    all[0].digest = Digest::parse(std::string(64, 'a'));
    ClusterFacts known = facts("0.0.60", "0.0.62", {"0.0.61", "0.0.62"});
    known.done[0].digest = Digest::parse(std::string(64, 'b'));
    const Plan plan = make_plan(all, known, options());
    CHECK(plan.due.empty());
    const std::string warnings = plan.warnings.at(0) + plan.warnings.at(1) + plan.warnings.at(2);
    CHECK_THAT(warnings, Catch::Contains("0.0.61 was changed after it was applied"));
    CHECK_THAT(warnings, Catch::Contains("0.0.62 is done, and its release is gone"));
}

TEST_CASE("a vanished release is reported though another done upgrade has two releases") {
    auto all = releases({"0.0.61", "0.0.61"});
    all[1].tag = "v0.0.61";
    const Plan plan = make_plan(all, facts("0.0.60", "0.0.62", {"0.0.61", "0.0.62"}), options());
    REQUIRE(plan.warnings.size() == 2);
    CHECK(plan.warnings[1] == "0.0.62 is done, and its release is gone from the source");
}

TEST_CASE("no releases at all: nothing is due, with a warning") {
    const Plan plan = make_plan({}, facts("0.0.60", "0.0.61"), options());
    CHECK(plan.due.empty());
    CHECK(plan.final_version.to_string() == "0.0.61");
    CHECK(plan.warnings.size() == 1);
}
