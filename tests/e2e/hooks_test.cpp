// SPDX-License-Identifier: Apache-2.0
// Programs beside a run, and the copy of the ledger that is made before it.
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "support/catch.hpp"
#include "support/sandbox.hpp"
#include "support/unique_fd.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

/// A hook that keeps its input and notes its name.
void hook(const Sandbox& sandbox, const std::string& name, const std::string& more = {}) {
    sandbox.write(name + ".sh", "#!/bin/sh\ncat > " + name + ".json\necho " + name +
                                    " >> order\necho printed by " + name + "\n" + more);
    ::chmod((sandbox.path() / (name + ".sh")).c_str(), 0755);
}

const std::string k_hooks =
    "hooks:\n  before: {command: [./before.sh]}\n  snapshot: {command: [./snapshot.sh, cluster]}\n"
    "  after: {command: [./after.sh]}\n  onFailure: {command: [./onFailure.sh]}\n";

struct Hooked : Sandbox {
    Hooked() {
        config("0.1.0", {}, k_hooks);
        for (const char* name : {"before", "snapshot", "after", "onFailure"}) hook(*this, name);
        release_plugin("puppet", "0.1.10001");
    }
    [[nodiscard]] std::string order() const { return exists("order") ? read("order") : ""; }
};

/// Whether the process ends within 5 s, or has ended.
bool ends(pid_t pid) {
    const runner::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process) return errno == ESRCH;
    pollfd waiting{process.get(), POLLIN, 0};
    return ::poll(&waiting, 1, 5000) == 1;
}

}  // namespace

TEST_CASE("hooks run around the changes, with the plan and the result on their input") {
    Hooked sandbox;
    sandbox.behaviour("0.1.10001 note\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 0);
    CHECK(sandbox.order() == "before\nsnapshot\nafter\n");
    CHECK_THAT(result.out, Contains("hook snapshot: ./snapshot.sh cluster") &&
                               Contains("  | printed by before"));
    const auto before = runner::Json::parse(sandbox.read("before.json"));
    CHECK(before["hook"] == "before");
    CHECK(before["cluster"] == "test");
    CHECK(before["result"]["due"][0]["version"] == "0.1.10001");
    CHECK(before["result"]["outcome"].is_null());
    const auto after = runner::Json::parse(sandbox.read("after.json"));
    CHECK(after["result"]["outcome"] == "succeeded");
    CHECK(after["run"] == before["run"]);
    // Nothing due, a dry run, a no: no hook.
    CHECK(sandbox.upgrade().status == 0);
    sandbox.release_plugin("puppet", "0.1.10002");
    CHECK(sandbox.run({"upgrade", "--dry-run"}).status == 0);
    CHECK(sandbox.run_on_terminal({"upgrade"}, "n\n", "[y/N]").status == 4);
    CHECK(sandbox.order() == "before\nsnapshot\nafter\n");
}

TEST_CASE("a hook that fails beforehand stops the run with nothing changed") {
    for (const char* name : {"before", "snapshot"}) {
        Hooked sandbox;
        sandbox.behaviour("0.1.10001 note\n");
        hook(sandbox, name, "exit 7\n");
        const auto result = sandbox.upgrade();
        CHECK(result.status == 3);
        CHECK_THAT(result.err,
                   Contains("the hook '" + std::string(name) +
                            "' failed: it ended with exit status 7; nothing was changed"));
        CHECK_FALSE(sandbox.exists("repository/order"));
        CHECK_THAT(sandbox.order(), Catch::EndsWith("onFailure\n"));
        CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"][0]["state"] == "failed_pre");
        hook(sandbox, name);
        CHECK(sandbox.upgrade().status == 0);
    }
    Hooked sandbox;
    std::filesystem::remove(sandbox.path() / "before.sh");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("cannot run './before.sh'"));
}

TEST_CASE("after a failure its hook runs - a hook that fails afterwards is a warning") {
    Hooked sandbox;
    sandbox.behaviour("0.1.10001 fail\n");
    CHECK(sandbox.upgrade().status == 1);
    CHECK(sandbox.order() == "before\nsnapshot\nonFailure\n");
    const auto told = runner::Json::parse(sandbox.read("onFailure.json"));
    CHECK(told["result"]["error"]["changed"] == "perhaps");
    sandbox.behaviour("");
    hook(sandbox, "after", "exit 3\n");
    const auto result = sandbox.upgrade({"-o", "json"});
    CHECK(result.status == 0);
    CHECK_THAT(result.json()["warnings"].back().get<std::string>(),
               Contains("the hook 'after' failed: it ended with exit status 3"));
}

TEST_CASE("a hook is ended by its time limit, with what it has started, and by a signal") {
    Hooked sandbox;
    sandbox.config("0.1.0", {}, "hooks: {before: {command: [./before.sh], timeout: 50ms}}\n");
    hook(sandbox, "before", "sleep 600 &\necho $! > child\nwait\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("took longer than its limit of 50 ms"));
    CHECK(ends(std::stoi(sandbox.read("child"))));
    sandbox.config("0.1.0", {}, "hooks: {before: {command: [./before.sh]}}\n");
    hook(sandbox, "before", "exec sleep 600\n");
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("printed by before"));
    run->signal(SIGINT);
    const auto interrupted = run->wait();
    CHECK(interrupted.status == 130);
    CHECK(sandbox.upgrade({"--dry-run"}).status == 0);  // and the lease is free
}

TEST_CASE("hooks get the environment of upgrades: no token, nothing of the loader") {
    Hooked sandbox;
    sandbox.config("0.1.0", {}, k_hooks + "environment: {DECLARED: here}\n");
    sandbox.environment["SECRET_OF_THE_SHELL"] = "x";
    hook(sandbox, "before", "env > environment\n");
    CHECK(sandbox.upgrade().status == 0);
    const std::string environment = sandbox.read("environment");
    CHECK_THAT(environment, Contains("DECLARED=here") && !Contains("SECRET_OF_THE_SHELL"));
}

TEST_CASE("hooks stand around a rollback, too") {
    Hooked sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.release_plugin("files_only", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"rollback", "--yes"}).status == 0);
    CHECK(sandbox.order() == "before\nsnapshot\nafter\nbefore\nsnapshot\nafter\n");
    CHECK(runner::Json::parse(sandbox.read("after.json"))["result"]["outcome"] == "rolled_back");
}

TEST_CASE("a copy of the ledger is made before each run and named - the oldest go") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    CHECK(sandbox.upgrade({"-o", "json"}).json()["ledgerCopy"].is_null());  // there was none
    sandbox.release_plugin("puppet", "0.1.10002");
    const std::string copy = sandbox.upgrade({"-o", "json"}).json()["ledgerCopy"];
    // Put in its place it is the ledger as it was.
    const std::string yaml = sandbox.read("cluster.yaml");
    sandbox.write("copy.yaml", yaml);
    std::filesystem::copy_file(copy, sandbox.path() / "copied.db");
    std::string other = yaml;
    other.replace(other.find("state/state.db"), 14, "copied.db");
    sandbox.write("cluster.yaml", other);
    const auto state = sandbox.run({"state", "show", "-o", "json"}).json();
    CHECK(state["clusterVersion"] == "0.1.10001");
    CHECK(state["unfinishedRun"] == false);
    sandbox.write("cluster.yaml", yaml);
    for (int i = 10003; i < 10016; ++i) {
        sandbox.release_plugin("noop", "0.1." + std::to_string(i));
        REQUIRE(sandbox.upgrade().status == 0);
    }
    std::size_t copies = 0;
    for (const auto& [name, content] : sandbox.snapshot("state/copies"))
        copies += name.find(".db") != std::string::npos ? 1U : 0U;
    CHECK(copies == 10);
    CHECK_FALSE(std::filesystem::exists(copy));
}
