// SPDX-License-Identifier: Apache-2.0
// What a run tells those who follow it: JSON lines, and output whose reader may go away.
#include <cstdlib>
#include <set>
#include <sstream>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

std::vector<runner::Json> events(const Sandbox& sandbox, const std::string& file) {
    std::istringstream lines(sandbox.read(file));
    std::vector<runner::Json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(runner::Json::parse(line));
    return all;
}

std::string moves(const std::vector<runner::Json>& events) {
    std::string text;
    for (const runner::Json& event : events) {
        if (event["event"] != "state") continue;
        if (text.empty()) text = event["from"].get<std::string>();
        text += " " + event["to"].get<std::string>();
    }
    return text;
}

}  // namespace

TEST_CASE("every move, step and line of a run is one JSON line, and the result is the last") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    sandbox.behaviour("0.1.10001 two-steps\n");
    const auto result = sandbox.upgrade({"--events", "events.jsonl", "-o", "json"});
    REQUIRE(result.status == 0);
    const auto all = events(sandbox, "events.jsonl");
    CHECK(moves(all) ==
          "queued fetching simulating awaiting_confirmation applying verifying applying succeeded");
    std::set<std::string> kinds;
    std::int64_t sequence = 0;
    for (const runner::Json& event : all) {
        kinds.insert(event["event"].get<std::string>());
        CHECK(event["seq"] == ++sequence);
        CHECK(event["at"].get<std::string>().size() == 24);
    }
    for (const char* kind : {"state", "planned", "simulating", "phaseBegan", "phaseEnded", "step",
                             "diff", "applying", "finished"})
        CHECK(kinds.count(kind) == 1);
    CHECK(all.back()["event"] == "finished");
    CHECK(all.back()["result"] == result.json());
    CHECK(all.back()["exitCode"] == 0);
}

TEST_CASE("events of a failed run end with its result, those of the next run are appended") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 fail\n");
    CHECK(sandbox.upgrade({"--events", "events.jsonl"}).status == 1);
    CHECK(events(sandbox, "events.jsonl").back()["exitCode"] == 1);
    sandbox.behaviour("");
    CHECK(sandbox.upgrade({"--events", "events.jsonl"}).status == 0);
    CHECK(events(sandbox, "events.jsonl").back()["exitCode"] == 0);
}

TEST_CASE("a run under a given id is found under it, also when nothing is due") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    CHECK(sandbox.upgrade({"--run-id", "job-1", "--reason", "the window is open"}).status == 0);
    CHECK(sandbox.upgrade({"--run-id", "job-2"}).status == 0);
    const auto runs = sandbox.run({"history", "-o", "json"}).json()["runs"];
    REQUIRE(runs.size() == 2);
    CHECK(runs[0]["id"] == "job-2");
    CHECK(runs[0]["outcome"] == "nothing_to_do");
    CHECK(runs[1]["id"] == "job-1");
    CHECK(runs[1]["message"] == "the window is open");
    sandbox.release_plugin("reversible", "0.1.10002");
    sandbox.write("repository/shared", "shared\n");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"rollback", "--yes", "--run-id", "job-3"}).status == 0);
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"][0]["id"] == "job-3");
}

TEST_CASE("an id that another run has, or that is no id, is refused before anything begins") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    for (const std::string& odd :
         {std::string("../x"), std::string("a b"), std::string("-a"), std::string(65, 'a')}) {
        const auto refused = sandbox.upgrade({"--run-id=" + odd});
        CHECK(refused.status == 2);
        CHECK_THAT(refused.err, Contains("--run-id: expected up to 64 letters, digits and '-'"));
    }
    CHECK_FALSE(sandbox.exists("state/state.db"));
    CHECK(sandbox.upgrade({"--run-id", "job-1"}).status == 0);
    const auto again = sandbox.upgrade({"--run-id", "job-1"});
    CHECK(again.status == 2);
    CHECK_THAT(again.err, Contains("the ledger has a run with this id"));
    CHECK(sandbox.run({"rollback", "--yes", "--run-id", "job-1"}).status == 2);
}

TEST_CASE("events that cannot be written fail before anything begins, or only warn later") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    const auto refused = sandbox.upgrade({"--events", "nowhere/events"});
    CHECK(refused.status == 2);
    CHECK_THAT(refused.err, Contains("--events nowhere/events: cannot be written"));
    const auto full = sandbox.upgrade({"--events", "/dev/full"});
    CHECK(full.status == 0);
    CHECK_THAT(full.err, Contains("no more events are written"));
}

TEST_CASE("a reader of the output that goes away stops nothing") {
    Sandbox sandbox;
    std::string expected;
    for (int i = 10001; i < 10030; ++i) {
        sandbox.release_plugin("puppet", "0.1." + std::to_string(i));
        expected += "0.1." + std::to_string(i) + "\n";
    }
    sandbox.behaviour("all-note");
    const std::string command = "cd " + sandbox.path().string() + " && { " + Sandbox::program() +
                                " upgrade --yes; echo $? > status; } | head -n 1 > first";
    CHECK(std::system(command.c_str()) == 0);
    CHECK(sandbox.read("status") == "0\n");
    CHECK(sandbox.read("repository/order") == expected);
}
