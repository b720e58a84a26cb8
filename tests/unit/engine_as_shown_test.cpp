// SPDX-License-Identifier: Apache-2.0
// What was shown is what is done: all that an upgrade was shown from is as it was, and it does
// nothing else.
#include "support/catch.hpp"
#include "support/engine_world.hpp"
#include "support/sha256.hpp"

using namespace test;
using Catch::Contains;
using runner::BegunCommand;
using runner::CommandWords;
using runner::HostPhase;
using runner::is_shown;
using runner::Outcome;
using runner::pieces_of;
using runner::WordPieces;
using upgrade::services::PathKind;
using Strings = std::vector<std::string>;

namespace {

/// Runs what is due, and has `change` done between the last simulation and the first effect.
std::optional<runner::RunReport> upgrade_with(World& world, const std::function<void()>& change) {
    runner::UpgradeRequest request;
    world.terminal.answer = [&world, change](const std::string&) -> std::optional<std::string> {
        change();
        world.terminal.answer = nullptr;
        return "y";
    };
    return world.upgrade(request);
}

void check_stopped(World& world, const std::optional<runner::RunReport>& report,
                   const std::string& what) {
    INFO(words(report));
    CHECK(report->exit_code == 3);
    CHECK(report->error->changed == "no");
    CHECK_THAT(words(report), Contains("changed since it was shown") && Contains(what));
    CHECK(world.done().empty());
    CHECK(world.file("app") == "-");
}

ScriptedUpgrade reading(const std::string& version, const ScriptedStep& what) {
    ScriptedStep step = what;
    step.edits = {{.path = "app", .line = version}};
    return ScriptedUpgrade::of(version).step(step);
}

}  // namespace

// What it was made from.

TEST_CASE("a file that an upgrade only reads is as it was when it was shown, or it is stopped") {
    for (const std::string now : {"other\n", ""}) {
        World world;
        world.now.files["values"] = "old\n";
        world.publish(reading("0.0.51", {.id = "one", .reads = {"values"}}));
        const auto report = upgrade_with(world, [&] {
            world.now.files.erase("values");
            if (!now.empty()) world.now.files["values"] = now;
        });
        check_stopped(world, report, "values is not as when it was shown");
        world.now.files["values"] = "old\n";
        CHECK(world.upgrade()->exit_code == 0);
    }
}

TEST_CASE("a file whose absence an upgrade has seen stops it when it is there") {
    World world;
    world.publish(reading("0.0.51", {.id = "one", .reads = {"values"}}));
    const auto report = upgrade_with(world, [&] { world.now.files["values"] = "new\n"; });
    check_stopped(world, report, "values is not as when it was shown");
}

TEST_CASE("of a file that is only asked for nothing but its kind counts") {
    World world;
    world.now.files["values"] = "old\n";
    world.publish(reading("0.0.51", {.id = "one", .asks_for = {"values"}}));
    const auto same = upgrade_with(world, [&] { world.now.files["values"] = "other\n"; });
    INFO(words(same));
    CHECK(same->exit_code == 0);
    World gone;
    gone.now.files["values"] = "old\n";
    gone.publish(reading("0.0.51", {.id = "one", .asks_for = {"values"}}));
    check_stopped(gone, upgrade_with(gone, [&] { gone.now.files.erase("values"); }), "values");
}

TEST_CASE("another file of a pattern that an upgrade has asked for stops it") {
    World world;
    world.now.files["apps/one.yaml"] = "1\n";
    world.publish(reading("0.0.51", {.id = "one", .lists = {"apps/*.yaml"}}));
    const auto report = upgrade_with(world, [&] { world.now.files["apps/two.yaml"] = "2\n"; });
    check_stopped(world, report, "apps/*.yaml is not as when it was shown");
    World beside;
    beside.now.files["apps/one.yaml"] = "1\n";
    beside.publish(reading("0.0.51", {.id = "one", .lists = {"apps/*.yaml"}}));
    const auto good = upgrade_with(beside, [&] { beside.now.files["two.yaml"] = "2\n"; });
    CHECK(good->exit_code == 0);
}

TEST_CASE("what an upgrade reads may have been written by the upgrades before it") {
    World world;
    world.now.files["values"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").edits("values").edits("apps/new.yaml"));
    world.publish(reading("0.0.52", {.id = "one",
                                     .reads = {"values"},
                                     .lists = {"apps/*"},
                                     .asks_for = {"apps", "apps/new.yaml"}}));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.count("simulate begins: 0.0.52") == 1);
}

TEST_CASE("what a late upgrade has left is shown anew to those that read it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(ScriptedUpgrade::of("0.0.52").edits("apps/new.yaml").needs("image", "v2"));
    world.publish(
        reading("0.0.53", {.id = "one", .reads = {"apps/new.yaml"}, .lists = {"apps/*"}}));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.count("simulate begins: 0.0.53") == 2);
    CHECK(world.done() == Strings{"0.0.51", "0.0.52", "0.0.53"});
}

TEST_CASE("what a command has left is shown anew to those that only read it") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").sets("image", "v2"));
    world.publish(reading("0.0.52", {.id = "one", .reads = {"made"}}));
    world.process.at_point = [&](const std::string& point) {
        if (point == "after command") world.now.files["made"] = "by the command\n";
    };
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.reporter.count("simulate begins: 0.0.52") == 2);
}

TEST_CASE("a file that became a link, a folder or executable stops the upgrade that changes it") {
    const std::vector<std::pair<PathKind, unsigned>> kinds{
        {PathKind::link, 0}, {PathKind::folder, 0}, {PathKind::file, 0755U}};
    for (const auto& [kind, permissions] : kinds) {
        World world;
        world.now.files["conf"] = "old\n";
        world.publish(ScriptedUpgrade::of("0.0.51").edits("conf"));
        const auto report = upgrade_with(world, [&, kind = kind, permissions = permissions] {
            world.work_tree.statuses["conf"] = {kind, permissions};
        });
        check_stopped(world, report, "conf is not as when it was shown");
        CHECK(world.file("conf") == "old\n");
    }
}

TEST_CASE("a file that becomes executable while its upgrade runs is not replaced") {
    World world;
    world.now.files["conf"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").step(
        {.id = "one", .edits = {{.path = "conf", .line = "x"}}, .commands = {{"image", "v2"}}}));
    world.process.at_point = [&](const std::string& point) {
        if (point == "after command") world.work_tree.statuses["conf"] = {PathKind::file, 0755U};
    };
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("conf is not as it was when that was shown"));
    CHECK(world.file("conf") == "old\n");
}

TEST_CASE("what a program renders replaces what was there when it was shown, or nothing") {
    const ScriptedStep step{.id = "one", .edits = {{"conf", "x", true}}};
    World world;
    world.now.files["conf"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51").step(step));
    const auto report = upgrade_with(world, [&] { world.now.files["conf"] = "mine\n"; });
    check_stopped(world, report, "conf is not as when it was shown");
    CHECK(world.file("conf") == "mine\n");

    World later;
    later.now.files["conf"] = "old\n";
    ScriptedStep with_command = step;
    with_command.commands = {{"image", "v2"}};
    later.publish(ScriptedUpgrade::of("0.0.51").step(with_command));
    later.process.at_point = [&](const std::string& point) {
        if (point == "after command") later.now.files["conf"] = "mine\n";
    };
    const auto stopped = later.upgrade();
    CHECK(stopped->exit_code == 1);
    CHECK_THAT(words(stopped), Contains("conf is not as it was when that was shown"));
    CHECK(later.file("conf") == "mine\n");
}

TEST_CASE("a file that is rendered twice is as its upgrade has left it the first time") {
    World world;
    world.now.files["conf"] = "old\n";
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .step({.id = "one", .edits = {{"conf", "x", true}}})
                      .step({.id = "two", .edits = {{"conf", "y", true}}}));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.file("conf") == "old\nx\ny\n");
}

TEST_CASE("a file that is edited by hand between two of its renderings is not replaced") {
    World world;
    world.now.files["conf"] = "old\n";
    world.publish(
        ScriptedUpgrade::of("0.0.51")
            .step({.id = "one", .edits = {{"conf", "x", true}}})
            .step({.id = "two", .edits = {{"conf", "y", true}}, .commands = {{"image", "v2"}}}));
    world.at("after command", 1, [&] { world.now.files["conf"] += "mine\n"; });
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("conf is not as it was when that was shown"));
    CHECK(world.file("conf") == "old\nx\nmine\n");
}

TEST_CASE("a change that was shown in one step is another one in another step") {
    const auto digest = runner::sha256("new");
    runner::ShownWork shown;
    shown.commits = {{"one", "app", digest}, {"two", "conf", digest}};
    runner::HostFileChange change;
    change.path = "app";
    runner::FileIntent intent;
    intent.new_digest = digest;
    CHECK(shown.why_other("one", change, intent).empty());
    for (const char* step : {"two", ""}) {
        CHECK(shown.why_other(step, change, intent) ==
              "what it writes to app is not what was shown");
    }
}

// Commands.

TEST_CASE("a command that was not shown is stopped before it begins") {
    for (const bool only_real : {true, false}) {
        World world;
        ScriptedCommand other{.key = "image", .value = "v2"};
        if (only_real) {
            other.only_real = true;
        } else {
            other.really = "v3";
        }
        world.publish(ScriptedUpgrade::of("0.0.51").step({.id = "one", .commands = {other}}));
        const auto report = world.upgrade();
        check_stopped(world, report,
                      only_real ? "its simulation did not show the command 'set image v2'"
                                : "its simulation did not show the command 'set image v3'");
        CHECK(world.outside("image").empty());
        CHECK_FALSE(world.reporter.told("rollback begins"));
        CHECK_FALSE(world.reporter.told("begun: set image"));
    }
}

TEST_CASE("a command that was not shown stops an upgrade after those that were: exit 1") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").step(
        {.id = "one",
         .commands = {
             {"first", "a"}, {"second", "b"}, {.key = "third", .value = "c", .only_real = true}}}));
    const auto report = world.upgrade();
    CHECK(report->exit_code == 1);
    CHECK_THAT(words(report), Contains("did not show the command 'set third c'"));
    CHECK(world.outside("second") == "b");
    CHECK(world.outside("third").empty());
    CHECK(report->error->changes.commands == Strings{"set first a", "set second b"});
}

TEST_CASE("what an earlier command has told may stand in a command that was shown without it") {
    World world;
    world.now.outside["id"] = "abc-123";
    world.publish(ScriptedUpgrade::of("0.0.51").step(
        {.id = "one",
         .commands = {{"made", "yes"}, {.key = "uses", .value = "--id=", .learned_from = "id"}}}));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.outside("uses") == "--id=abc-123");
}

TEST_CASE("what runs after an executable or a command knows that the world may have changed") {
    for (const std::string before : {"an executable", "a command", "a file"}) {
        World world;
        ScriptedUpgrade first = ScriptedUpgrade::of("0.0.51");
        if (before == "a command") {
            first.sets("image", "v2");
        } else {
            first.edits("conf");
        }
        if (before == "an executable") first.executable();
        world.publish(first);
        world.publish(ScriptedUpgrade::of("0.0.52").edits("app"));
        INFO(before);
        CHECK(world.upgrade()->exit_code == 0);
        CHECK(world.stage.after_effects == (before == "a file" ? Strings{} : Strings{"0.0.52"}));
    }
}

TEST_CASE("a command may run again in another attempt") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51")
                      .sets("image", "v2")
                      .step({.id = "again", .commands = {{"size", "2"}}})
                      .fails(HostPhase::apply, 5, runner::PhaseEnd::transient));
    const auto report = world.upgrade();
    INFO(words(report));
    CHECK(report->exit_code == 0);
    CHECK(world.stage.effects["0.0.51: set image v2"] == 1);
}

TEST_CASE("a command is one that was shown when all words are, but for what was learned") {
    const std::vector<CommandWords> shown{{"kubectl", "scale", "--replicas=3"},
                                          {"kubectl", "delete", "pod/"}};
    const auto is_one = [&](const std::vector<WordPieces>& command) {
        return is_shown(shown, command);
    };
    CHECK(is_one({{"kubectl"}, {"scale"}, {"--replicas=3"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--replicas=30"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--replicas=3"}, {"--force"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"delete"}, {"pod/web-1"}}));
    CHECK(is_one({{"kubectl"}, {"delete"}, {"pod/", ""}}));
    CHECK(is_one({{"kubectl"}, {"scale"}, {"--replicas=", ""}}));
    CHECK(is_one({{"kubectl"}, {"scale"}, {"--", "licas", "=3"}}));
    CHECK(is_one({{"kubectl"}, {"scale"}, {"--", "", "", "3"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--", "size", "=3"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--", "=4"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--", "=3", "=3"}}));  // one after the other
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--rep", "replicas", "=3"}}));
    CHECK_FALSE(is_one({{"kubectl"}, {"scale"}, {"--size=", ""}}));
    CHECK_FALSE(is_one({{"", ""}, {"scale"}, {"--replicas=3"}}));  // the program never is
    CHECK_FALSE(is_one({{"kubectl scale"}, {"--replicas=3"}}));
    CHECK(pieces_of("--id=abc:7", {{5, 8}, {9, 10}}) == WordPieces{"--id=", ":", ""});
    CHECK(pieces_of("plain", {}) == WordPieces{"plain"});
}

// Saved plans.

TEST_CASE("the digest of what was shown tells words, kinds and lists apart") {
    runner::ShownWork one;
    one.commands = {{"set", "a b"}};
    runner::ShownWork other = one;
    CHECK(one.digest() == other.digest());
    other.commands = {{"set", "a", "b"}};
    CHECK_FALSE(one.digest() == other.digest());
    other = one;
    other.before["a"] = {.kind = PathKind::file, .mode = 0644U};
    one.before["a"] = {.kind = PathKind::file, .mode = 0755U};
    CHECK_FALSE(one.digest() == other.digest());
    other.before = one.before;
    other.lists["*"] = {};
    CHECK_FALSE(one.digest() == other.digest());
    one.lists["?"] = {};
    CHECK_FALSE(one.digest() == other.digest());
}

TEST_CASE("the digest of what was shown tells steps and paths apart, whatever is in their names") {
    const auto digest = [](const std::string& step, const std::string& path) {
        runner::ShownWork shown;
        shown.commits = {{step, path, std::nullopt}};
        return shown.digest();
    };
    CHECK_FALSE(digest("one", "conf") == digest("two", "conf"));
    CHECK_FALSE(digest("one", "conf") == digest("one", "app"));
    CHECK_FALSE(digest("a:b", "c") == digest("a", "b:c"));
    CHECK_FALSE(digest("ab", "c") == digest("a", "bc"));
}
