// SPDX-License-Identifier: Apache-2.0
// What was shown, and saved in a plan, is what is done.
#include "engine/documents.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;
using Strings = std::vector<std::string>;

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
    const auto report = world.upgrade(World::asking());
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

TEST_CASE("what a program renders may come out as a new file, not as one that nobody looked at") {
    for (const bool is_there : {false, true}) {
        World world;
        world.now.files["app"] = "old\n";
        if (is_there) world.now.files["conf"] = "precious\n";
        world.publish(ScriptedUpgrade::of("0.0.51").step(
            {.id = "one",
             .edits = {{.path = "app", .line = "x", .rendered = true, .instead = "conf"}}}));
        const auto report = world.upgrade();
        INFO(words(report));
        CHECK(report->exit_code == (is_there ? 3 : 0));
        CHECK(world.file("app") == "old\n");
        CHECK(world.file("conf") == (is_there ? "precious\n" : "x\n"));
    }
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
        request.parameters.secrets["password"] = Secret("hunter2hunter2");
        request.saved_plan = world.save_plan(request);
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

TEST_CASE("a saved plan is refused when a skip that it was made with was taken back") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
    REQUIRE(world.upgrade()->exit_code == 0);
    world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
    world.publish(ScriptedUpgrade::of("0.0.53").edits("app"));
    world.ledgers.open()->record_skip({"0.0.52", "not here", "erna"});
    UpgradeRequest request = world.by_saved_plan();
    REQUIRE(world.ledgers.open()->remove_skip("0.0.52", "erna"));
    const auto refused = world.upgrade(request);
    CHECK(refused->exit_code == 6);
    CHECK_THAT(words(refused), Contains("0.0.52 is no longer skipped"));
    CHECK(world.done() == Strings{"0.0.51"});
    world.ledgers.open()->record_skip({"0.0.52", "not here", "erna"});
    CHECK(world.upgrade(request)->exit_code == 0);
    CHECK(world.done() == Strings{"0.0.51", "0.0.53"});
}

TEST_CASE("a value of the config goes before the one that an earlier upgrade was given") {
    World world;
    Parameter size;
    size.name = "size";
    size.required = true;
    for (const std::string version : {"0.0.51", "0.0.52", "0.0.53"}) {
        ScriptedUpgrade upgrade = ScriptedUpgrade::of(version).edits("app");
        upgrade.manifest.parameters = {size};
        world.publish(upgrade);
        world.config.parameters.clear();
        if (version != "0.0.53") world.config.parameters["size"] = "of " + version;
        CHECK(world.upgrade()->exit_code == 0);
        CHECK(world.facts().parameter_values.at("size") ==
              "of " + (version == "0.0.53" ? "0.0.52" : version));
    }
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
                   planned.request.parameters.secrets["password"] = Secret("another-one");
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
