// SPDX-License-Identifier: Apache-2.0
// How a run that did not go well ends: who hears of it, what it has changed, and what comes next.
#include <signal.h>

#include "support/catch.hpp"

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

/// A hook that notes a failure.
struct Hooked : WorldlySandbox {
    Hooked() {
        write("failed.sh", "#!/bin/sh\necho failed >> heard\n");
        ::chmod((path() / "failed.sh").c_str(), 0755);
        listen();
    }
    void listen(const std::string& more = {}) const {
        configure("hooks: {onFailure: {command: [./failed.sh]}}\n" + more);
    }
    [[nodiscard]] bool heard() const { return exists("heard"); }
};

/// A program that writes a file and then ends so.
std::string program(const std::string& end) {
    return "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\necho x > written\n" + end;
}

const runner::Json k_any = {{"permissions", {{"write", {"."}}, {"commands", {"*"}}}}};

std::vector<std::string> strings(const runner::Json& list) {
    return list.get<std::vector<std::string>>();
}

}  // namespace

TEST_CASE("a failure before the question is nobody's alarm: onFailure stays silent") {
    Hooked world;
    world.release_plugin("puppet", "0.1.10001");
    const auto silent = [&](int status, const test::ProgramResult& result) {
        CHECK(result.status == status);
        CHECK_FALSE(world.heard());
        CHECK(world.state()["upgrades"].empty());
    };
    world.behaviour("0.1.10001 blocked\n");
    silent(3, world.upgrade());
    world.behaviour("0.1.10001 simulated-fail\n");
    silent(3, world.upgrade());
    world.behaviour("");
    world.listen("policy: {commands: []}\n");
    silent(3, world.upgrade());
    world.listen();
    silent(4, world.run_on_terminal({"upgrade"}, "n\n", "[y/N]"));
    silent(130, world.run_on_terminal({"upgrade"}, "\x03", "[y/N]"));
    const std::string archive = "releases/0.1.10001/upgrade_0.1.10001_Linux_amd64.tar.gz";
    world.write(archive, world.read(archive) + "x");
    std::filesystem::remove_all(world.path() / "cache");
    silent(3, world.upgrade());
}

TEST_CASE("a failure after the question calls onFailure, once") {
    {
        Hooked world;
        world.release_plugin("puppet", "0.1.10001");
        world.behaviour("0.1.10001 fail\n");
        CHECK(world.upgrade().status == 1);
        CHECK(world.read("heard") == "failed\n");
    }
    {
        Hooked world;  // rolled back
        world.wish("0.1.10001 v1 v2 blocked\n");
        world.break_it();
        CHECK(world.upgrade().status == 8);
        CHECK(world.read("heard") == "failed\n");
    }
    {
        Hooked world;  // in the second
        world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v9 v3 blocked\n");
        CHECK(world.upgrade().status == 1);
        CHECK(world.read("heard") == "failed\n");
    }
    {
        Hooked world;  // of a rollback
        world.wish("0.1.10001 v1 v2 blocked\n");
        REQUIRE(world.upgrade().status == 0);
        world.break_it();
        CHECK(world.run({"rollback", "--yes"}).status == 1);
        CHECK(world.read("heard") == "failed\n");
    }
}

TEST_CASE("a failed upgrade names the files that it has changed and the commands that it has run") {
    WorldlySandbox world;
    world.write("repository/shared", "shared\n");
    world.release_plugin("irreversible", "0.1.10001");
    world.write("repository/fail-for-real", "");
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 1);
    auto error = result.json()["error"];  // not const: what is missing is null
    CHECK(strings(error["changedFiles"]) ==
          std::vector<std::string>{"folder/0.1.10001/new", "outside-of-steps", "shared"});
    CHECK(strings(error["commandsRun"]) == std::vector<std::string>{"touch made-0.1.10001"});
    CHECK_THAT(error["message"].get<std::string>(),
               Contains("files changed: folder/0.1.10001/new, outside-of-steps, shared; commands "
                        "run: touch made-0.1.10001"));
    CHECK_THAT(error["next"].get<std::string>(), Contains("goes on after the last finished step"));
}

TEST_CASE("of an executable upgrade the files are named, and that its commands are not known") {
    WorldlySandbox world;
    world.release_program("0.1.1", program("exit 1\n"), k_any);
    const auto result = world.upgrade({"-o", "json"});
    CHECK(result.status == 1);
    auto error = result.json()["error"];  // not const: what is missing is null
    CHECK(strings(error["changedFiles"]) == std::vector<std::string>{"written"});
    CHECK(error["commandsRun"].empty());
    CHECK_THAT(error["message"].get<std::string>(),
               Contains("files changed: written; which commands it ran is not known: it is an "
                        "executable upgrade"));
    // It keeps no steps to go on after.
    CHECK_THAT(error["next"].get<std::string>(),
               Contains("it begins from its start") && !Contains("last finished step"));
}

TEST_CASE("what has finished no step does not promise to go on after one") {
    WorldlySandbox world;
    world.release_plugin("puppet", "0.1.10001");
    world.behaviour("0.1.10001 fail\n");
    const auto result = world.upgrade();
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("it begins from its start") && !Contains("last finished step"));
    world.wish("0.1.10002 v1 v2 blocked\n");
    world.behaviour("");
    world.break_it();
    const auto undone = world.upgrade();
    CHECK(undone.status == 8);
    CHECK_THAT(undone.err, !Contains("last finished step") && !Contains("files changed"));
    const auto kept = world.run({"upgrade", "--yes", "--no-auto-rollback"});
    CHECK(kept.status == 1);
    CHECK_THAT(kept.err, Contains("it goes on after the last finished step"));
}

TEST_CASE("an upgrade that is cancelled names what it has changed, too: exit 130") {
    WorldlySandbox world;
    const auto cancel = [&](const std::vector<std::string>& command) {
        const auto run = world.start(command);
        REQUIRE(run->wait_for_output("hanging"));
        run->signal(SIGINT);
        REQUIRE(run->wait_for_output("a second signal cancels it"));
        run->signal(SIGINT);
        const auto result = run->wait();
        INFO(result.out << result.err);
        CHECK(result.status == 130);
        return result;
    };
    world.release_program("0.1.10001", program("echo hanging\nexec sleep 600\n"), k_any);
    const auto executable = cancel({"upgrade", "--yes"});
    CHECK_THAT(executable.err, Contains("files changed: written; which commands it ran is not "
                                        "known"));
    world.remove_release("0.1.10001");
    REQUIRE(world.run({"state", "forget", "0.1.10001", "--reason", "undone by hand"}).status == 0);
    world.release_plugin("shaky", "0.1.10002");
    world.behaviour("0.1.10002 apply-hang\n");
    const auto plugin = cancel({"upgrade", "--yes", "--no-auto-rollback"});
    CHECK_THAT(plugin.err, Contains("files changed: made/0.1.10002, order") &&
                               Contains("it goes on after the last finished step"));
    world.behaviour("");
    CHECK(world.upgrade().status == 0);
}

TEST_CASE("the help says of the codes 1 and 130 that the message tells what changed") {
    WorldlySandbox world;
    const auto help = world.run({"--help"}).out;
    for (const auto& [code, next] : {std::pair("1   ", "2   "), std::pair("130", "\n")}) {
        const std::size_t at = help.find("\n  " + std::string(code)) + 1;
        REQUIRE(at != 0);
        CHECK_THAT(help.substr(at, help.find(next, at) - at),
                   Contains("files changed") && Contains("commands run"));
    }
}
