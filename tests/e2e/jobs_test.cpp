// SPDX-License-Identifier: Apache-2.0
// Jobs over HTTP: the real server, real processes, a real ledger.
#include <signal.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using runner::Json;
using test::ApiReply;
using test::ApiServer;
using test::k_cluster;
using test::k_yes;
using test::Sandbox;

namespace {

std::string history_of(Sandbox& sandbox) {
    return sandbox.run({"history", "-o", "json"}).json()["runs"].dump();
}

}  // namespace

TEST_CASE("an upgrade started over HTTP is an ordinary run in a process of its own") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    sandbox.behaviour("0.1.10001 two-steps\n");
    ApiServer server(sandbox);
    const Json before = server.get(k_cluster).json();
    CHECK(before["status"] == "upgrade-available");
    CHECK(before["due"] == 2);
    const ApiReply reply = server.post(k_cluster + "/upgrades",
                                       R"({"confirmDowntime": true, "reason": "it is time"})");
    REQUIRE(reply.status == 202);
    const std::string id = reply.json()["id"];
    CHECK(reply.header("Location") == "/api/v1/jobs/" + id);
    const Json job = server.wait_for_end(id);
    CHECK(job["state"] == "succeeded");
    CHECK(job["progress"] == 100);
    CHECK(job["actor"] == "alice");
    CHECK(job["reason"] == "it is time");
    CHECK(job["upgrades"].size() == 2);
    CHECK(job["error"].is_null());
    CHECK(sandbox.read("repository/two") == "2");
    // The command line knows it as any other.
    const Json run = sandbox.run({"history", "-o", "json"}).json()["runs"][0];
    CHECK(run["id"] == id);
    CHECK(run["actor"] == "alice");
    CHECK(run["message"] == "it is time");
    const Json after = server.get(k_cluster).json();
    CHECK(after["status"] == "up-to-date");
    CHECK(after["clusterVersion"] == "0.1.10002");
    CHECK(after["activeRun"].is_null());
    CHECK(after["lastRun"]["id"] == id);
    // Nothing due: a run all the same, which did nothing.
    const Json again = server.wait_for_end(server.start_upgrade());
    CHECK(again["state"] == "succeeded");
    CHECK(again["upgrades"].empty());
    CHECK(server.get(k_cluster + "/history?limit=1").json()["runs"][0]["outcome"] ==
          "nothing_to_do");
}

TEST_CASE("events tell every move in order, resume where they were left, and have an end") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 print\n");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    const std::string all = server.events(id);
    for (const char* part : {"event: state\n", "event: planned\n", "event: phaseBegan\n",
                             "event: line\n", "a log line", "event: finished\n"})
        CHECK_THAT(all, Contains(part));
    CHECK(all.rfind("event: over\ndata: {\"state\":\"succeeded\",\"progress\":100}\n\n") ==
          all.size() -
              std::string("event: over\ndata: {\"state\":\"succeeded\",\"progress\":100}\n\n")
                  .size());
    int next = 1;
    for (std::size_t at = 0; (at = all.find("id: ", at)) != std::string::npos; ++at)
        CHECK(std::stoi(all.substr(at + 4)) == next++);
    const std::string rest = server.events(id, "5");
    CHECK(rest.find("id: 5\n") == std::string::npos);
    CHECK(rest.find("id: 6\n") != std::string::npos);
    CHECK(all.find(rest.substr(rest.find("id: 6"))) != std::string::npos);
    // Whoever has seen them all is told not to come back.
    const auto over = server.send("GET", "/api/v1/jobs/" + id + "/events", server.reader(), {},
                                  {{"Last-Event-ID", std::to_string(next - 1)}});
    CHECK(over.status == 204);
    CHECK(server
              .send("GET", "/api/v1/jobs/" + id + "/events", server.reader(), {},
                    {{"Last-Event-ID", "-1"}})
              .status == 400);
    CHECK(all.find("ledgerCopy") == std::string::npos);
}

TEST_CASE("one job at a time: a second start is refused and told which one it waits for") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    std::mutex mutex;
    std::map<std::string, int> replies;
    std::vector<std::thread> clients;
    for (int i = 0; i < 20; ++i)
        clients.emplace_back([&] {
            const ApiReply reply = server.post(k_cluster + "/upgrades", k_yes);
            const std::lock_guard lock(mutex);
            ++replies[reply.status == 202 ? "accepted" : reply.code()];
        });
    for (std::thread& client : clients) client.join();
    INFO(server.log());
    CHECK(replies == std::map<std::string, int>{{"accepted", 1}, {"job_active", 19}});
    const ApiReply second = server.post(k_cluster + "/upgrades", k_yes);
    CHECK(second.code() == "job_active");
    const std::string id = second.json()["job"];
    CHECK(server.get(k_cluster).json()["activeRun"] == id);
    CHECK(server.post(k_cluster + "/rollback").status == 409);
    const Json job =
        server.wait_for(id, [](const Json& now) { return now["state"] == "applying"; });
    CHECK(job["current"] == "0.1.10001");
    CHECK(job["progress"] > 39);
    open_gate(sandbox);
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"].size() == 1);
}

TEST_CASE("a run of the command line is a job, too: seen, and in the way") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    const auto run = sandbox.start({"upgrade", "--yes"});
    REQUIRE(run->wait_for_output("at the gate"));
    const ApiReply refused = server.post(k_cluster + "/upgrades", k_yes);
    CHECK(refused.code() == "job_active");
    const std::string id = refused.json()["job"];
    const Json job = server.get("/api/v1/jobs/" + id).json();
    CHECK(job["actor"] == "tester");
    CHECK(job["state"] == "applying");
    CHECK(server.get("/api/v1/jobs/" + id + "/events").code() == "not_started_here");
    CHECK(server.post("/api/v1/jobs/" + id + "/cancel").code() == "not_started_here");
    CHECK_THAT(server.get_as_admin("/api/v1/jobs/" + id + "/logs/0.1.10001").body,
               Contains("at the gate"));
    open_gate(sandbox);
    CHECK(run->wait().status == 0);
    CHECK(server.get("/api/v1/jobs/" + id).json()["over"] == true);
}

TEST_CASE("an idempotency key starts once, under a race and later, and anew after a failure") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    const std::string body = R"({"confirmDowntime": false, "idempotencyKey": "monday"})";
    std::mutex mutex;
    std::set<std::string> ids;
    std::set<int> statuses;
    std::vector<std::thread> clients;
    for (int i = 0; i < 20; ++i)
        clients.emplace_back([&] {
            const ApiReply reply = server.post(k_cluster + "/upgrades", body);
            const std::lock_guard lock(mutex);
            statuses.insert(reply.status);
            ids.insert(reply.json().value("id", reply.body));
        });
    for (std::thread& client : clients) client.join();
    CHECK(statuses == std::set<int>{202});
    REQUIRE(ids.size() == 1);
    CHECK(server
              .post(k_cluster + "/upgrades",
                    R"({"confirmDowntime": true, "idempotencyKey": "monday"})")
              .code() == "idempotency_key_reused");
    open_gate(sandbox);
    CHECK(server.wait_for_end(*ids.begin())["state"] == "succeeded");
    const ApiReply later = server.post(k_cluster + "/upgrades", body);
    CHECK(later.status == 200);
    CHECK(later.json()["id"] == *ids.begin());
    // One that failed starts anew.
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.behaviour("0.1.10002 fail\n");
    const std::string again = R"({"confirmDowntime": false, "idempotencyKey": "tuesday"})";
    const std::string failed = server.start_upgrade(again);
    CHECK(server.wait_for_end(failed)["state"] == "failed");
    sandbox.behaviour("");
    const std::string anew = server.start_upgrade(again);
    CHECK(anew != failed);
    CHECK(server.wait_for_end(anew)["state"] == "succeeded");
}

TEST_CASE("failures before and after the first change are told apart") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    ApiServer server(sandbox);
    const std::string waiting = k_cluster + "/upgrades?wait=true";
    sandbox.behaviour("0.1.10001 simulated-fail\n");
    const ApiReply before = server.post(waiting, k_yes);
    CHECK(before.status == 422);
    CHECK(before.code() == "preparation_failed");
    CHECK(before.body.find("told to fail") == std::string::npos);  // fixed words
    const Json first = server.get("/api/v1/jobs/" + before.json()["job"].get<std::string>()).json();
    CHECK(first["state"] == "failed_pre");
    CHECK(first["error"]["changed"] == "no");
    CHECK_THAT(first["detail"].get<std::string>(), Contains("told to fail"));
    sandbox.behaviour("0.1.10001 fail-second\n");
    const ApiReply after = server.post(waiting, k_yes);
    CHECK(after.status == 500);
    CHECK(after.code() == "apply_failed");
    CHECK(after.body.find("told to fail") == std::string::npos);
    sandbox.behaviour("");
    const ApiReply good = server.post(waiting, k_yes);
    CHECK(good.status == 200);
    CHECK(good.json()["state"] == "succeeded");
    CHECK(server.post(k_cluster + "/upgrades", R"({"confirmDowntime": false, "target": "0.1.1"})")
              .code() == "refused");
    CHECK(server.post(k_cluster + "/upgrades?wait=maybe", k_yes).status == 400);
}

TEST_CASE("a secret given over HTTP reaches its upgrade, and no file, log, event or reply") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    ApiServer server(sandbox);
    const std::string secret = "correct-horse-battery";
    const ApiReply reply =
        server.post(k_cluster + "/upgrades?wait=true",
                    R"({"confirmDowntime": false, "secrets": {"token": ")" + secret + "\"}}");
    INFO(reply.body);
    CHECK(reply.status == 200);
    const std::string id = reply.json()["id"];
    std::string said = reply.body + server.events(id) + server.log() +
                       server.get_as_admin("/api/v1/jobs/" + id + "/logs/0.1.10001").body +
                       server.get(k_cluster + "/history").body;
    CHECK(said.find(secret) == std::string::npos);
    for (const auto& [file, bytes] : sandbox.snapshot("state")) {
        INFO(file);
        CHECK(bytes.find(secret) == std::string::npos);
    }
}

TEST_CASE(
    "cancelled before its first change a job stops at once, later after the current upgrade") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    server.wait_for_state(id, "applying");
    CHECK(server.post("/api/v1/jobs/" + id + "/cancel").status == 202);
    CHECK(server.post("/api/v1/jobs/" + id + "/cancel").status == 202);  // cuts nothing in half
    open_gate(sandbox);
    const Json job = server.wait_for_end(id);
    CHECK(job["state"] == "cancelled");
    CHECK(job["upgrades"][0]["outcome"] == "succeeded");
    CHECK(job["upgrades"][1]["outcome"].is_null());
    CHECK(server.post("/api/v1/jobs/" + id + "/cancel").code() == "job_over");
    // Before: its simulation hangs.
    sandbox.release_plugin("puppet", "0.1.10003");
    sandbox.behaviour("0.1.10003 simulated-hang\n");
    const std::string early = server.start_upgrade();
    server.wait_for(early, [](const Json& now) { return now["state"] == "simulating"; });
    CHECK(server.post("/api/v1/jobs/" + early + "/cancel").status == 202);
    const Json cancelled = server.wait_for_end(early);
    CHECK(cancelled["state"] == "cancelled");
    CHECK(cancelled["error"]["changed"] == "no");
}

TEST_CASE("a server that dies loses no job: the next one follows it to its end") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    release_gated(sandbox, "0.1.10002");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    server.wait_for_state(id, "applying");
    server.kill();
    open_gate(sandbox);
    server.start();
    server.wait_for(id, [](const Json& job) { return job["current"] == "0.1.10002"; });
    CHECK(server.post(k_cluster + "/upgrades", k_yes).json()["job"] == id);
    CHECK(server.stop() == 0);  // a stop ends no job either
    server.start();
    std::string events;
    std::thread follower([&] { events = server.events(id, "3"); });
    open_gate(sandbox);
    follower.join();
    CHECK_THAT(events, Contains("id: 4\n"));
    CHECK_THAT(events, Contains("event: over\ndata: {\"state\":\"succeeded\""));
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
}

TEST_CASE("a job that dies is told, marked in the ledger, and finished by starting again") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    server.wait_for_state(id, "applying");
    const Json lease = sandbox.run({"state", "show", "-o", "json"}).json()["lease"];
    REQUIRE(::kill(lease["pid"].get<pid_t>(), SIGKILL) == 0);
    const Json job = server.wait_for_end(id);
    CHECK(job["state"] == "interrupted");
    CHECK(job["error"]["changed"] == "perhaps");
    CHECK_THAT(server.events(id), Contains("event: over\ndata: {\"state\":\"interrupted\""));
    // The server itself writes it down.
    test::wait_until([&] {
        return history_of(sandbox).find("\"outcome\":\"interrupted\"") != std::string::npos;
    });
    CHECK(server.get(k_cluster).json()["activeRun"].is_null());
    const Json hatch = server.get_as_admin(k_cluster + "/escape-hatch").json();
    CHECK(hatch["upgrade"] == "0.1.10001");
    CHECK(hatch["commands"].dump().find("runner logs 0.1.10001 -c 'cluster.yaml'") !=
          std::string::npos);
    const std::string again = server.start_upgrade();
    open_gate(sandbox);
    CHECK(server.wait_for_end(again)["state"] == "succeeded");
}

TEST_CASE("closing the connection of a wait cancels nothing") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    httplib::Client client("127.0.0.1", server.port());
    bool answered = true;
    std::thread waiter([&] {
        const auto reply =
            client.Post(k_cluster + "/upgrades?wait=true",
                        {{"Authorization", "Bearer " + server.admin()}}, k_yes, "application/json");
        answered = bool(reply);
    });
    Json active;
    test::wait_until([&] {
        active = server.get(k_cluster).json()["activeRun"];
        return active.is_string();
    });
    client.stop();
    waiter.join();
    CHECK_FALSE(answered);
    const std::string id = active;
    server.wait_for_state(id, "applying");
    open_gate(sandbox);
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
}

TEST_CASE("logs are for admins: empty before, live meanwhile, whole afterwards") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    release_gated(sandbox, "0.1.10002");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    const std::string logs = "/api/v1/jobs/" + id + "/logs/";
    server.wait_for_state(id, "applying");
    const ApiReply later = server.get_as_admin(logs + "0.1.10002");
    CHECK(later.status == 200);
    CHECK(later.body.empty());
    CHECK(server.get_as_admin(logs + "0.1.10003").code() == "no_such_log");
    CHECK(server.get_as_admin(logs + "..").status == 400);
    CHECK(server.get_as_admin(logs + "0.1.10001?follow=maybe").status == 400);
    CHECK(server.get(logs + "0.1.10001").code() == "forbidden");
    std::string followed;
    std::thread follower(
        [&] { followed = server.get_as_admin(logs + "0.1.10001?follow=true").body; });
    open_gate(sandbox);
    follower.join();
    CHECK(followed.find("at the gate of 0.1.10001\n  through\n") != std::string::npos);
    open_gate(sandbox);
    server.wait_for_end(id);
    CHECK(server.get_as_admin(logs + "0.1.10001").body == followed);
}

TEST_CASE("a stream whose ledger cannot be read any more breaks off, and the server stays") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    server.wait_for_state(id, "applying");
    std::atomic<bool> begun{false};
    std::thread follower([&] {
        httplib::Client client("127.0.0.1", server.port());
        client.Get("/api/v1/jobs/" + id + "/logs/0.1.10001?follow=true",
                   {{"Authorization", "Bearer " + server.admin()}},
                   [&](const char*, std::size_t) { return begun = true; });
    });
    test::wait_until([&] { return begun.load(); });
    const std::string config = sandbox.read("cluster.yaml");
    sandbox.write("state/other.db", std::string(4096, 'x'));
    std::string other = config;
    other.replace(other.find("state.db"), 8, "other.db");
    sandbox.write("cluster.yaml", other);
    follower.join();
    CHECK(server.get("/healthz").status == 200);
    CHECK_THAT(server.log(), Contains("broke off"));
    sandbox.write("cluster.yaml", config);
    open_gate(sandbox);
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
}

TEST_CASE("a rollback over HTTP: looked at first, done as a job, and told when there is nothing") {
    Sandbox sandbox;
    sandbox.release_plugin("reversible", "0.1.10001");
    sandbox.write("repository/shared", "shared\n");
    ApiServer server(sandbox);
    const Json nothing = server.get_as_admin(k_cluster + "/rollback-preflight").json();
    CHECK(nothing["available"] == false);
    CHECK_THAT(nothing["reason"].get<std::string>(), Contains("nothing is done"));
    CHECK(server.post(k_cluster + "/rollback").code() == "rollback_not_possible");
    CHECK(server.post(k_cluster + "/upgrades?wait=true", k_yes).status == 200);
    const Json possible = server.get_as_admin(k_cluster + "/rollback-preflight").json();
    CHECK(possible["available"] == true);
    CHECK(possible["upgrades"] == Json::array({"0.1.10001"}));
    CHECK(server.get_as_admin(k_cluster + "/rollback-preflight?target=1").status == 400);
    const ApiReply undone = server.post(k_cluster + "/rollback?wait=true",
                                        R"({"reason": "it does not start", "target": "0.1.0"})");
    INFO(undone.body);
    CHECK(undone.status == 200);
    CHECK(undone.json()["state"] == "rolled_back");
    CHECK(undone.json()["progress"] == 100);
    CHECK(server.get(k_cluster).json()["clusterVersion"] == "0.1.0");
    const Json run = server.get(k_cluster + "/history").json()["runs"][0];
    CHECK(run["command"] == "rollback --to 0.1.0");
    CHECK(run["message"] == "it does not start");
    CHECK(run["actor"] == "alice");
    CHECK_THAT(server.get("/metrics").body,
               Contains("runner_last_run_success{cluster=\"test\"} 1\n"));
}

TEST_CASE("what is half undone is rolled back over HTTP, too, though nothing is done") {
    Sandbox sandbox;
    sandbox.release_plugin("reversible", "0.1.10001");
    for (const char* file : {"shared", "fail-for-real", "fail-undo"})
        sandbox.write(std::string("repository/") + file, "");
    REQUIRE(sandbox.upgrade().status == 1);
    std::filesystem::remove(sandbox.path() / "repository/fail-undo");
    ApiServer server(sandbox);
    CHECK(server.get_as_admin(k_cluster + "/rollback-preflight").json()["available"] == true);
    const ApiReply undone = server.post(k_cluster + "/rollback?wait=true", "{}");
    INFO(undone.body);
    CHECK(undone.status == 200);
    CHECK(undone.json()["state"] == "rolled_back");
}
