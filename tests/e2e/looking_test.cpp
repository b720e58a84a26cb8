// SPDX-License-Identifier: Apache-2.0
// check, plan, history and state show write no byte, need no lease, and work on a read-only ledger.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

const std::vector<std::vector<std::string>> k_looks{{"check"},           {"plan"},
                                                    {"history"},         {"state", "show"},
                                                    {"state", "export"}, {"upgrade", "--dry-run"}};

}  // namespace

TEST_CASE("looking writes no byte, before the first run and after it") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    for (const auto& look : k_looks) {
        if (look.back() == "export") continue;
        CHECK(sandbox.run(look).status == 0);
    }
    CHECK_FALSE(sandbox.exists("state"));
    REQUIRE(sandbox.upgrade().status == 0);
    sandbox.release_plugin("puppet", "0.1.10002");
    const auto before = sandbox.snapshot(".");
    for (const auto& look : k_looks) {
        CAPTURE(look);
        CHECK(sandbox.run(look).status == 0);
        auto after = sandbox.snapshot(".");
        for (auto entry = after.begin(); entry != after.end();) {
            entry = entry->first.rfind("cache", 0) == 0 ? after.erase(entry) : std::next(entry);
        }
        auto expected = before;
        for (auto entry = expected.begin(); entry != expected.end();) {
            entry = entry->first.rfind("cache", 0) == 0 ? expected.erase(entry) : std::next(entry);
        }
        CHECK((after == expected));
    }
}

TEST_CASE("looking works on a read-only ledger and while the lease is held") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    REQUIRE(sandbox.run({"state", "lock", "--reason", "test"}).status == 0);
    ::chmod((sandbox.path() / "state/state.db").c_str(), 0444);
    ::chmod((sandbox.path() / "state").c_str(), 0555);
    for (const auto& look : k_looks) {
        CAPTURE(look);
        CHECK(sandbox.run(look).status == 0);
    }
    CHECK_THAT(sandbox.run({"state", "show"}).out, Contains("locked by hand"));
}

TEST_CASE("looking works while another run is applying") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 hang\n");
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("--- running 0.1.10001"));
    const auto history = sandbox.run({"history", "-o", "json"});
    CHECK(history.status == 0);
    CHECK(history.json()["runs"][0]["state"] == "applying");
    CHECK(sandbox.run({"check", "-o", "json"}).json()["clusters"][0]["status"] ==
          "upgrade-available");
    run->signal(SIGINT);
    REQUIRE(run->wait_for_output("a second signal cancels it"));
    run->signal(SIGINT);
    CHECK(run->wait().status == 130);
}

TEST_CASE(
    "check tells pending from up to date by status and exit code, and names a broken cluster "
    "beside the others") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    CHECK(sandbox.run({"check", "--fail-on-changes"}).status == 7);
    CHECK(sandbox.run({"plan", "--fail-on-changes"}).status == 7);
    REQUIRE(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"check", "--fail-on-changes"}).status == 0);
    sandbox.write("broken.yaml", "kind: Nonsense\n");
    const auto both = sandbox.run({"check", "cluster.yaml", "broken.yaml", "-o", "json"});
    CHECK(both.status == 2);
    CHECK(both.json()["clusters"][0]["status"] == "up-to-date");
    CHECK(both.json()["clusters"][1]["status"] == "unknown");
    CHECK(sandbox.run({"check", "broken.yaml"}).status == 2);
}

TEST_CASE("check of several clusters ends with the worst of their exit codes, in any order") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    const std::string good = sandbox.read("cluster.yaml");
    const auto write = [&](const char* file, const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        sandbox.write(file, text);
    };
    write("due.yaml", "state/state.db", "other/state.db");
    write("refused.yaml", "name: test", "name: other");  // of whom the ledger is not
    write("unlisted.yaml", "directory: releases", "directory: nowhere");
    write("broken.yaml", "metadata", "metedata");
    const auto check = [&](const std::vector<std::string>& files) {
        std::vector<std::string> arguments{"check", "--fail-on-changes"};
        arguments.insert(arguments.end(), files.begin(), files.end());
        const int status = sandbox.run(arguments).status;
        std::reverse(arguments.begin() + 2, arguments.end());
        CHECK(sandbox.run(arguments).status == status);
        return status;
    };
    CHECK(check({"cluster.yaml", "cluster.yaml"}) == 0);
    CHECK(check({"cluster.yaml", "due.yaml"}) == 7);
    CHECK(check({"due.yaml", "missing.yaml"}) == 2);
    CHECK(check({"cluster.yaml", "broken.yaml", "unlisted.yaml"}) == 3);
    CHECK(check({"refused.yaml", "unlisted.yaml", "due.yaml"}) == 6);
    CHECK(sandbox.run({"check", "cluster.yaml", "due.yaml"}).status == 0);
    CHECK_THAT(sandbox.run({"check", "cluster.yaml", "refused.yaml"}).err, Contains("other: "));
}

TEST_CASE("the plan gives for every other upgrade the reason") {
    Sandbox sandbox;
    for (const char* version : {"0.1.10001", "0.1.10002", "0.1.10003"})
        sandbox.release_plugin("puppet", version);
    sandbox.config("0.1.10001");
    const auto plan = sandbox.run({"plan", "--to", "0.1.10002", "-o", "json"}).json();
    CHECK(plan["due"].size() == 1);
    CHECK(plan["due"][0]["permissions"]["commands"][0] == "touch");
    CHECK(plan["other"][0]["reason"] == "not_newer_than_original");
    CHECK(plan["other"][1]["reason"] == "newer_than_target");
    CHECK(sandbox.run({"plan", "--to", "0.1.10002.x"}).status == 2);
}
