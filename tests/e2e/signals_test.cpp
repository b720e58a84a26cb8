// SPDX-License-Identifier: Apache-2.0
// Signals that come from the world around a run: a service manager that stops all of its processes,
// a terminal that is closed, a caller who has had some ignored.
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

/// Begins, and ends when the file `go` is there.
std::string waits(const std::string& before = {}) {
    return "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\n" + before +
           "echo begun; while [ ! -e go ]; do sleep 0.02; done; echo $0 >> made\n";
}

/// Called for each process below this one.
void each_below(pid_t process, const std::function<void(pid_t)>& work) {
    const std::string place =
        "/proc/" + std::to_string(process) + "/task/" + std::to_string(process) + "/children";
    std::ifstream children(place);
    for (pid_t child = 0; children >> child;) {
        each_below(child, work);
        work(child);
    }
}

}  // namespace

TEST_CASE("a signal that the caller has had ignored stops nothing") {
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", waits());
    sandbox.release_plugin("puppet", "0.1.10002");
    test::Program run(
        {"/bin/sh", "-c", "trap '' HUP INT; exec " + sandbox.program() + " upgrade --yes"},
        sandbox.path(), sandbox.environment);
    REQUIRE(run.wait_for_output("begun"));
    run.signal(SIGHUP);
    run.signal(SIGINT);
    sandbox.write("repository/go", "");
    const auto result = run.wait();
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Contains("0.1.10002: done"));
}

TEST_CASE("a signal to all processes of a run lets the upgrade finish that does not mind") {
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", waits("trap '' TERM\n"));
    sandbox.release_plugin("puppet", "0.1.10002");
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("begun"));
    each_below(run->pid(), [](pid_t process) { ::kill(process, SIGTERM); });
    run->signal(SIGTERM);
    sandbox.write("repository/go", "");
    const auto result = run->wait();
    INFO(result.out << result.err);
    CHECK(result.status == 143);
    CHECK_THAT(result.err, Contains("stopped by a signal after 1 upgrade") &&
                               !Contains("plugin host has died"));
    CHECK(sandbox.exists("repository/made"));
    CHECK(sandbox.upgrade().status == 0);
}

TEST_CASE("an upgrade that the signal to all processes has ended was cancelled") {
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", waits());
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("begun"));
    run->signal(SIGTERM);
    REQUIRE(run->wait_for_output("a second signal cancels it"));
    each_below(run->pid(), [](pid_t process) { ::kill(process, SIGTERM); });
    const auto result = run->wait();
    INFO(result.out << result.err);
    CHECK(result.status == 143);
    CHECK_THAT(result.err, !Contains("plugin host has died"));
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"][0]["state"] == "cancelled");
}

TEST_CASE("an upgrade whose command the signal to all processes has ended was cancelled") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.write("repository/behaviour", "0.1.10001 touches\n");
    sandbox.write("tools/touch", "#!/bin/sh\necho begun; read line < pipe\n");
    REQUIRE(::chmod((sandbox.path() / "tools/touch").c_str(), 0755) == 0);
    REQUIRE(::mkfifo((sandbox.path() / "repository/pipe").c_str(), 0600) == 0);
    sandbox.config(
        "0.1.0", {},
        "environment: {PATH: '" + (sandbox.path() / "tools").string() + ":/usr/bin:/bin'}\n");
    for (const bool stopped : {true, false}) {
        CAPTURE(stopped);
        const auto run = sandbox.start({"upgrade", "--yes"});
        REQUIRE(run->wait_for_output("begun"));
        if (stopped) {
            run->signal(SIGTERM);
            REQUIRE(run->wait_for_output("a second signal cancels it"));
        }
        each_below(run->pid(), [](pid_t process) { ::kill(process, SIGTERM); });
        const auto result = run->wait();
        INFO(result.out << result.err);
        CHECK(result.status == (stopped ? 143 : 1));
        CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"][0]["state"] ==
              (stopped ? "cancelled" : "failed"));
    }
}
