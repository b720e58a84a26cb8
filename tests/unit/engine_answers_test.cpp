// SPDX-License-Identifier: Apache-2.0
// What is asked of whoever runs an upgrade, and what each answer leads to.
#include <algorithm>
#include <memory>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

using Answer = std::optional<std::string>;

/// Answers the question with these words by `answer`, and others by yes.
void give(World& world, const std::string& question, const Answer& answer) {
    world.terminal.answer = [=](const std::string& asked) -> Answer {
        return has(asked, question) ? answer : "y";
    };
}

bool asked(const World& world, const std::string& part) {
    const Strings& all = world.terminal.questions;
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& question) { return has(question, part); });
}

constexpr const char* k_go_on = "Go on without it, and without what requires it? [y/N] ";
constexpr const char* k_made = "With which version was the cluster 'demo' made? ";

/// 0.0.52 is blocked for good.
void publish_blocked(World& world, bool with_another = true) {
    if (with_another) world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b").needs("k", "1"));
}

}  // namespace

TEST_CASE("whether to go on without what is blocked is asked, and a yes leaves it out") {
    for (const bool yes : {false, true}) {
        World world;
        publish_blocked(world);
        give(world, k_go_on, yes ? "y" : "n");
        const auto report = world.upgrade(World::asking());
        CHECK(asked(world, std::string("0.0.52 is blocked: k is '', not '1'. ") + k_go_on));
        CHECK(report->exit_code == (yes ? 0 : 3));
        CHECK(world.done() == (yes ? Strings{"0.0.51"} : Strings{}));
    }
}

TEST_CASE("nobody is asked to go on without what is blocked by --yes, or when it only shows") {
    for (const bool dry_run : {false, true}) {
        for (const bool there : {false, true}) {
            World world;
            world.terminal.there = there;
            publish_blocked(world);
            UpgradeRequest request;
            request.dry_run = dry_run;
            request.yes = !dry_run;
            CHECK(world.upgrade(request)->exit_code == 3);
            CHECK(world.terminal.questions.empty());
        }
    }
}

TEST_CASE("where everything is blocked there is nothing to go on with") {
    World world;
    publish_blocked(world, false);
    UpgradeRequest request = World::yes();
    request.keep_going = true;
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 3);
    CHECK(words(report) == "everything that is due is blocked; nothing was changed");
}

TEST_CASE("a signal at the question whether to go on interrupts the run") {
    World world;
    publish_blocked(world);
    world.terminal.while_asked([&] { world.signals.signals = 1; });
    CHECK(world.upgrade(World::asking())->exit_code == 143);
    CHECK(world.terminal.questions.size() == 1);
}

TEST_CASE("without an original version nothing runs, and the config is where to write it") {
    struct Row {
        const char* what;
        bool there;
        Answer answer;
        const char* told;
    };
    const char* unknown = "the original version of the cluster 'demo' is not known";
    for (const Row& row :
         {Row{"nobody is there", false, {}, unknown}, Row{"no answer", true, {}, unknown},
          Row{"an empty answer", true, "", unknown},
          Row{"no version", true, "the newest", "the newest"}}) {
        World world;
        world.config.original_version.reset();
        world.terminal.there = row.there;
        world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
        give(world, k_made, row.answer);
        const auto report = world.upgrade();
        INFO(row.what << ": " << words(report));
        CHECK(report->exit_code == 3);
        CHECK_THAT(words(report), Contains(row.told));
        CHECK(asked(world, k_made) == row.there);
        CHECK(world.done().empty());
    }
}

TEST_CASE("a signal at the question for the original version interrupts the run") {
    World world;
    world.config.original_version.reset();
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    world.terminal.answer = [&](const std::string&) -> Answer {
        world.signals.signals = 1;
        return std::nullopt;
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 143);
    CHECK(words(report) == "interrupted; nothing was changed");
}

TEST_CASE("a saved plan whose upgrade is gone no longer fits") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("first"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
    UpgradeRequest request = world.by_saved_plan();
    world.withdraw("0.0.52");
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 6);
    CHECK_THAT(words(report), Contains("the saved plan plan.json no longer fits"));
}

TEST_CASE("the reason of a rise stands before what it raised") {
    World world;
    UpgradeRequest request = World::yes();
    request.selection.target = "0.0.60";
    request.reason = "as agreed";
    REQUIRE(world.upgrade(request)->exit_code == 0);
    CHECK(world.ledgers.look()->runs(1).front().message ==
          "as agreed; the cluster version was raised from 0.0.50 to 0.0.60");
}

TEST_CASE("what has no release cannot be run by itself") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    const auto report = world.single(World::by_itself("0.0.52"));
    CHECK(report->exit_code == 3);
    CHECK(words(report) == "there is no file and no release 0.0.52");
}

TEST_CASE("on a cluster that nothing was done on there is nothing to go back from") {
    World world;
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 0);
    CHECK(report->outcome == Outcome::nothing_to_do);
}

TEST_CASE("a release that became malformed undoes nothing") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1", "0").reversible());
    REQUIRE(world.upgrade()->exit_code == 0);
    world.folder.kept.stored.clear();
    world.source.stored.at("0.0.51").release.problem = "it has no checksums";
    const auto report = world.rollback(World::rollback_request());
    CHECK(report->exit_code == 3);
    CHECK_THAT(words(report),
               Contains("0.0.51 cannot be rolled back: ") && Contains("it has no checksums"));
    CHECK(world.outside("x") == "1");
}

TEST_CASE("what turns out to be needless when it is shown late is recorded, and not asked for") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("x", "1"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("b")).preflight =
        [judged = std::make_shared<int>(0)](const SeenWorld& seen) -> Judgement {
        if (seen.outside("x").empty()) return {PhaseEnd::blocked, "x is not there"};
        if (++*judged == 1) return {};
        return {PhaseEnd::nothing_to_do, "it is there"};
    };
    const auto report = world.upgrade(World::asking());
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK_FALSE(asked(world, "could not be shown before"));
    CHECK(world.done() == Strings{"0.0.51", "0.0.52"});
    CHECK(world.file("b") == "-");
}

TEST_CASE("looking without a key says that nothing would run like this") {
    World world;
    world.config.verification = Verification::enabled;
    const RunReport report = make_plan_report(world.parts(), {});
    REQUIRE_FALSE(report.warnings.empty());
    CHECK_THAT(report.warnings.back(),
               Contains("trust.publicKeys names no key; 'upgrade' refuses to "
                        "run like this: name the public keys"));
}
