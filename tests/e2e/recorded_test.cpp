// SPDX-License-Identifier: Apache-2.0
// Done is said after the commit that makes it so, and never before: whatever of the ledger's writes
// fails, what was said to be done is done by the ledger.
#include <set>
#include <sstream>

#include "support/catch.hpp"
#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

const std::vector<std::string> k_versions{"0.1.10001", "0.1.10002"};

/// Two upgrades, again and again.
struct Disturbed : WorldlySandbox {
    Disturbed() {
        release_plugin("puppet", k_versions[0]);
        release_plugin("files_only", k_versions[1]);
        reset();
    }
    void reset() const {
        std::filesystem::remove_all(path() / "state");
        std::filesystem::remove_all(repository());
        std::filesystem::remove(path() / "events.jsonl");
        behaviour("0.1.10001 two-steps\n");
        write("repository/shared", "shared\n");
    }
    [[nodiscard]] std::vector<runner::Json> events() const {
        std::vector<runner::Json> all;
        if (!exists("events.jsonl")) return all;
        std::istringstream lines(read("events.jsonl"));
        for (std::string line; std::getline(lines, line);) all.push_back(runner::Json::parse(line));
        return all;
    }
    [[nodiscard]] std::set<std::string> said_in_events() const {
        std::set<std::string> versions;
        for (const runner::Json& event : events()) {
            if (event["event"] == "recorded" && event["outcome"] == "succeeded")
                versions.insert(event["version"]);
            if (event["event"] == "phaseEnded")
                CHECK(event["message"].get<std::string>().find("done") == std::string::npos);
        }
        return versions;
    }
    [[nodiscard]] std::set<std::string> done_by_ledger() {
        std::set<std::string> versions;
        const auto shown = run({"state", "show", "-o", "json"});
        if (shown.status != 0) return versions;  // it was not even begun
        const runner::Json state = shown.json();
        for (const runner::Json& upgrade : state["upgrades"]) versions.insert(upgrade["version"]);
        return versions;
    }
    /// The nth call of these, for every n, on the ledger's files.
    void never_said_too_early(const std::string& calls, const std::string& how) {
        std::size_t said_done = 0;
        for (std::size_t n = 1;; ++n) {
            INFO(calls << " " << how << " " << n);
            reset();
            const auto result =
                run_with_fault({"upgrade", "--yes", "--events", "events.jsonl"},
                               calls + ":" + how + ":" + std::to_string(n) + ":state.db");
            if (counted_calls() < n) break;
            const auto done = done_by_ledger();
            const auto told = said_in_events();
            for (const std::string& version : k_versions) {
                const bool said = result.out.find("\n" + version + ": done\n") != std::string::npos;
                CHECK_THAT(result.out, !Contains("--- " + version + ": done"));
                if (said || told.count(version) != 0) {
                    CHECK(done.count(version) == 1);
                    ++said_done;
                }
            }
            if (result.out.find("Upgrade complete") != std::string::npos)
                CHECK(done.size() == k_versions.size());
        }
        CHECK(said_done > 0);
    }
};

}  // namespace

TEST_CASE("done is said only of what the ledger has, whichever of its writes fails") {
    Disturbed sandbox;
    sandbox.never_said_too_early("sync", "EIO");
    sandbox.never_said_too_early("write", "ENOSPC");
}

TEST_CASE("done is said only of what the ledger has, wherever the runner is killed") {
    Disturbed sandbox;
    sandbox.never_said_too_early("sync", "before");
}

TEST_CASE("an upgrade is applied, then recorded, then done, before the next one begins") {
    Disturbed sandbox;
    const auto result = sandbox.upgrade({"--events", "events.jsonl"});
    REQUIRE(result.status == 0);
    std::size_t at = 0;
    for (const char* words :
         {"--- running 0.1.10001", "--- 0.1.10001: applied; recording ---", "\n0.1.10001: done\n",
          "--- running 0.1.10002", "--- 0.1.10002: applied; recording ---", "\n0.1.10002: done\n",
          "Upgrade complete"}) {
        INFO(words);
        const std::size_t found = result.out.find(words, at);
        REQUIRE(found != std::string::npos);
        at = found;
    }
    std::vector<std::string> order;
    for (const runner::Json& event : sandbox.events()) {
        const std::string kind = event["event"];
        if (kind == "phaseBegan" && event["phase"] == "apply")
            order.push_back("began " + event["version"].get<std::string>());
        if (kind == "recorded") order.push_back("recorded " + event["version"].get<std::string>());
        if (kind == "finished") order.push_back(kind);
    }
    CHECK(order == std::vector<std::string>{"began 0.1.10001", "recorded 0.1.10001",
                                            "began 0.1.10002", "recorded 0.1.10002", "finished"});
}

TEST_CASE("the hook afterwards finds in the ledger what it is told") {
    WorldlySandbox world;
    world.release_plugin("noop", "0.1.10001");
    world.write("afterwards.sh",
                "#!/bin/sh\ncat > told\n\"" + test::Sandbox::program() + "\" state show > shown\n");
    ::chmod((world.path() / "afterwards.sh").c_str(), 0755);
    world.configure("hooks: {after: {command: [./afterwards.sh]}}\n");
    REQUIRE(world.upgrade().status == 0);
    CHECK_THAT(world.read("told"), Contains("\"outcome\":\"succeeded\""));
    CHECK_THAT(world.read("shown"), Contains("0.1.10001"));
}
