// SPDX-License-Identifier: Apache-2.0
// The HTTP API as its users meet it: the real server, real jobs, a real ledger.
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using runner::Json;
using test::ApiReply;
using test::ApiServer;
using test::Sandbox;

namespace {

const std::string k_cluster = "/api/v1/clusters/test";
const std::string k_yes = R"({"confirmDowntime": false})";

/// A path of the description with names put in.
std::string filled(std::string path, const std::string& job) {
    for (const auto& [name, value] : {std::pair<std::string, std::string>{"{cluster}", "test"},
                                      {"{job}", job},
                                      {"{upgrade}", "0.1.10001"}}) {
        const std::size_t at = path.find(name);
        if (at != std::string::npos) path.replace(at, name.size(), value);
    }
    return path;
}

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

TEST_CASE("each route is as described: who may use it, and what it says") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 fail\n");
    ApiServer server(sandbox);
    const std::string failed = server.start_upgrade();
    CHECK(server.wait_for_end(failed)["state"] == "failed");
    sandbox.behaviour("0.1.10001 two-steps\n");
    const std::string id = server.start_upgrade();
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
    const Json description = server.get("/openapi.json").json();
    CHECK(description["openapi"] == "3.1.0");
    std::size_t routes = 0;
    for (const auto& [path, methods] : description["paths"].items()) {
        for (const auto& [method, operation] : methods.items()) {
            ++routes;
            INFO(method << ' ' << path);
            const std::string verb = method == "get" ? "GET" : "POST";
            const std::string where = filled(path, id);
            const bool open = operation["security"].empty();
            const bool admin =
                operation["description"].get<std::string>().find("admin") != std::string::npos;
            CHECK(server.send(verb, where, "").status == (open ? 200 : 401));
            if (admin) CHECK(server.send(verb, where, server.reader()).code() == "forbidden");
            CHECK(server.send(verb, where + "?odd=1", server.admin()).status == 400);
            CHECK(server.send(verb == "GET" ? "DELETE" : "GET", where, server.admin()).status ==
                  405);
            const ApiReply reply = server.send(verb, where, server.admin());
            INFO(reply.status << ' ' << reply.body);
            REQUIRE(operation["responses"].contains(std::to_string(reply.status)));
            const Json& contents = operation["responses"][std::to_string(reply.status)]["content"];
            const std::string type = reply.header("Content-Type");
            const std::string plain = type.substr(0, type.find(';'));
            REQUIRE(contents.contains(plain));
            if (plain.find("json") != std::string::npos)
                CHECK(test::schema_problem(reply.json(), contents[plain]["schema"], description) ==
                      "");
        }
    }
    CHECK(routes == 18);
    // The file in the documents is this description: runner serve --openapi >
    // docs/schema/openapi.json
    CHECK(Json::parse(sandbox.run({"serve", "--openapi"}).out) == description);
    std::ostringstream file;
    file << std::ifstream(std::string(SOURCE_FOLDER) + "/docs/schema/openapi.json").rdbuf();
    CHECK(Json::parse(file.str()) == description);
}

TEST_CASE("what is nowhere, odd or too much gets a problem document with a stable code") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    struct Case {
        const char* method;
        std::string path;
        int status;
        const char* code;
    };
    for (const Case& one : std::vector<Case>{
             {"GET", "/", 404, "no_such_route"},
             {"GET", "/api/v1/clusters/", 404, "no_such_route"},
             {"GET", "/api/v1/clusters/other", 404, "no_such_cluster"},
             {"GET", "/api/v1/clusters/..%2F..%2Fetc%2Fpasswd", 404, "no_such_route"},
             {"GET", "/api/v1/jobs/../../etc/passwd", 404, "no_such_route"},
             {"GET", "/api/v1/jobs/%2e%2e", 404, "no_such_job"},
             {"GET", "/api/v1/jobs/none", 404, "no_such_job"},
             {"GET", "/api/v1/jobs/none/logs/0.1.10001", 404, "no_such_job"},
             {"POST", "/api/v1/jobs/none/cancel", 404, "no_such_job"},
             {"DELETE", "/api/v1/clusters/test", 405, "method_not_allowed"},
             {"PUT", "/api/v1/clusters/test/upgrades", 405, "method_not_allowed"},
             {"GET", "/api/v1/clusters/test/history?limit=0", 400, "malformed_request"},
             {"GET", "/api/v1/clusters/test/history?limit=201", 400, "malformed_request"},
             {"GET", "/api/v1/clusters/test/history?limit=x", 400, "malformed_request"},
             {"GET", "/api/v1/clusters/test/history?limit=1&limit=2", 400, "malformed_request"},
             {"GET", "/" + std::string(2000, 'a'), 404, "no_such_route"},
             {"POST", "/api/v1/clusters/test/rollback", 409, "rollback_not_possible"},
             {"GET", "/api/v1/clusters/test/escape-hatch", 404, "nothing_failed"},
         }) {
        const ApiReply reply = server.send(one.method, one.path, server.admin());
        INFO(one.method << ' ' << one.path << ": " << reply.status << ' ' << reply.body);
        CHECK(reply.status == one.status);
        CHECK(reply.code() == one.code);
        CHECK(reply.json()["requestId"] == reply.header("X-Request-Id"));
    }
    CHECK(server.send("DELETE", k_cluster, server.admin()).header("Allow") == "GET");
}

TEST_CASE("a body that is not as described is refused with the place in it, and changes nothing") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    ApiServer server(sandbox);
    CHECK(server.get(k_cluster).status == 200);
    const auto before = sandbox.snapshot("state");
    const std::string upgrades = k_cluster + "/upgrades";
    for (const auto& [body, pointer] : std::vector<std::pair<std::string, std::string>>{
             {"{", ""},
             {"[]", ""},
             {"nonsense", ""},
             {"{}", "/confirmDowntime"},
             {R"({"confirmDowntime": "yes"})", "/confirmDowntime"},
             {R"({"confirmDowntime": true, "repository": "evil/upgrades"})", "/repository"},
             {R"({"confirmDowntime": true, "verification": "disabled"})", "/verification"},
             {R"({"confirmDowntime": true, "target": "newest"})", "/target"},
             {R"({"confirmDowntime": true, "target": "0.1.10001.x"})", "/target"},
             {R"({"confirmDowntime": true, "only": "0.1.10001"})", "/only"},
             {R"({"confirmDowntime": true, "only": ["--force"]})", "/only"},
             {R"({"confirmDowntime": true, "skip": [1]})", "/skip"},
             {R"({"confirmDowntime": true, "reason": ")" + std::string(281, 'x') + "\"}",
              "/reason"},
             {R"({"confirmDowntime": true, "idempotencyKey": ")" + std::string(65, 'x') + "\"}",
              "/idempotencyKey"},
             {R"({"confirmDowntime": true, "idempotencyKey": "a b"})", "/idempotencyKey"},
             {R"({"confirmDowntime": true, "parameters": {"A=B": "x"}})", "/parameters"},
             {R"({"confirmDowntime": true, "parameters": {"A": 1}})", "/parameters"},
             {R"({"confirmDowntime": true, "secrets": ["a"]})", "/secrets"},
         }) {
        const ApiReply reply = server.post(upgrades, body);
        INFO(body << ": " << reply.body);
        CHECK(reply.code() == "malformed_request");
        CHECK(reply.json().value("pointer", "") == pointer);
    }
    CHECK(server.send("POST", upgrades, server.admin(), k_yes, {{"Content-Type", "text/plain"}})
              .code() == "unsupported_media_type");
    CHECK(server.post(upgrades, std::string(65537, ' ')).code() == "body_too_large");
    CHECK(server.post(k_cluster + "/discover", "{}").code() == "malformed_request");
    CHECK(sandbox.snapshot("state") == before);
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

TEST_CASE("downtime, a major step and missing values are refused before anything starts") {
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", "#!/bin/sh\nexit 0\n",
                            Json{{"downtime", true},
                                 {"permissions", {{"write", {"."}}}},
                                 {"parameters", Json::array({{{"name", "size"}, {"required", true}},
                                                             {{"name", "password"},
                                                              {"required", true},
                                                              {"secret", true},
                                                              {"default", "never shown"}}})}});
    ApiServer server(sandbox);
    const std::string upgrades = k_cluster + "/upgrades";
    const Json check = server.get(k_cluster + "/check").json();
    CHECK(check["upgrades"][0]["parameters"].size() == 2);
    CHECK(check.dump().find("never shown") == std::string::npos);
    const ApiReply downtime = server.post(upgrades, k_yes);
    CHECK(downtime.code() == "not_confirmed");
    CHECK(downtime.json()["unconfirmed"][0]["confirm"] == "confirmDowntime");
    const ApiReply missing = server.post(upgrades, R"({"confirmDowntime": true})");
    CHECK(missing.status == 422);
    CHECK(missing.code() == "missing_value");
    CHECK(missing.json()["missing"][0]["name"] == "size");
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"].empty());
    CHECK_FALSE(sandbox.exists("state/jobs"));
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
    server.wait_for(id, [](const Json& job) { return job["state"] == "applying"; });
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
    server.wait_for(id, [](const Json& job) { return job["state"] == "applying"; });
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
    server.wait_for(id, [](const Json& job) { return job["state"] == "applying"; });
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
    client.set_read_timeout(0, 200'000);
    const auto cut =
        client.Post(k_cluster + "/upgrades?wait=true",
                    {{"Authorization", "Bearer " + server.admin()}}, k_yes, "application/json");
    CHECK_FALSE(cut);
    const std::string id = server.post(k_cluster + "/upgrades", k_yes).json()["job"];
    server.wait_for(id, [](const Json& job) { return job["state"] == "applying"; });
    open_gate(sandbox);
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
}

TEST_CASE("releases are looked for when asked, and no oftener than every 15 seconds") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    ApiServer server(sandbox);
    CHECK(server.get(k_cluster).json()["due"] == 1);  // the first look
    const ApiReply soon = server.post(k_cluster + "/discover");
    CHECK(soon.status == 429);
    CHECK(soon.code() == "discovered_just_now");
    const int wait = std::stoi(soon.header("Retry-After"));
    CHECK(wait >= 1);
    CHECK(wait <= 15);
    CHECK(server.send("POST", k_cluster + "/discover", server.reader()).status == 429);
}

TEST_CASE("a broken cluster is named, and no failure of the others") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    std::filesystem::create_directories(sandbox.path() / "more");
    sandbox.write("more/broken.yaml", "kind: Cluster\n");
    sandbox.write("more/no-releases.yaml",
                  "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: far}\n"
                  "originalVersion: 0.1.0\n"
                  "releases: {source: directory, directory: nowhere}\n"
                  "trust: {verification: disabled}\n");
    sandbox.write("more/twin.yaml", sandbox.read("cluster.yaml"));
    ApiServer server(sandbox, {"--clusters", "more"});
    const Json check = server.get("/api/v1/check").json();
    REQUIRE(check["clusters"].size() == 2);
    CHECK(check["clusters"][0]["cluster"] == "far");
    CHECK(check["clusters"][0]["status"] == "unknown");
    CHECK(check["clusters"][0]["reason"]["code"] == "releases_unavailable");
    CHECK(check["clusters"][1]["status"] == "upgrade-available");
    REQUIRE(check["broken"].size() == 2);
    CHECK(check["broken"][0]["config"] == "broken.yaml");
    CHECK(server.get("/readyz").status == 200);
    CHECK_THAT(server.get("/metrics").body, Contains("runner_broken_configs 2\n"));
    CHECK_THAT(server.get("/metrics").body,
               Contains("runner_upgrades_due{cluster=\"test\",severity=\"routine\"} 1\n"));
    CHECK_THAT(server.get("/metrics").body, Contains("runner_cluster_known{cluster=\"far\"} 0\n"));
    CHECK_THAT(server.log(), Contains("'metadata' is missing"));
}

TEST_CASE("logs are for admins: empty before, live meanwhile, whole afterwards") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    release_gated(sandbox, "0.1.10002");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    const std::string logs = "/api/v1/jobs/" + id + "/logs/";
    server.wait_for(id, [](const Json& job) { return job["state"] == "applying"; });
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
    CHECK(followed.find("at the gate of 0.1.10001\nthrough\n") != std::string::npos);
    open_gate(sandbox);
    server.wait_for_end(id);
    CHECK(server.get_as_admin(logs + "0.1.10001").body == followed);
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
    const ApiReply undone =
        server.post(k_cluster + "/rollback?wait=true", R"({"reason": "it does not start"})");
    INFO(undone.body);
    CHECK(undone.status == 200);
    CHECK(undone.json()["state"] == "rolled_back");
    CHECK(undone.json()["progress"] == 100);
    CHECK(server.get(k_cluster).json()["clusterVersion"] == "0.1.0");
    const Json run = server.get(k_cluster + "/history").json()["runs"][0];
    CHECK(run["message"] == "it does not start");
    CHECK(run["actor"] == "alice");
}

TEST_CASE("it refuses to begin where it could not serve, or not safely") {
    Sandbox sandbox;
    const auto serve = [&](std::vector<std::string> more) {
        more.insert(more.begin(), "serve");
        return sandbox.run(more);
    };
    const auto open = serve({"--listen", "0.0.0.0:0"});
    CHECK(open.status == 2);
    CHECK_THAT(open.err, Contains("tokens would travel in the clear"));
    CHECK_THAT(serve({"--listen", "127.example.org:0"}).err,
               Contains("tokens would travel in the clear"));
    CHECK(serve({"--clusters", "nowhere"}).status == 2);
    CHECK(serve({"--listen", "127.0.0.1"}).status == 2);
    CHECK(serve({"--listen", "127.0.0.1:99999"}).status == 2);
    CHECK(serve({"--tls-cert", "x"}).status == 2);
    const auto no_certificate = serve({"--tls-cert", "x.pem", "--tls-key", "y.pem"});
    CHECK(no_certificate.status == 2);
    CHECK_THAT(no_certificate.err, Contains("--tls-cert x.pem"));
    ApiServer server(sandbox);
    const auto taken = serve({"--listen", "127.0.0.1:" + std::to_string(server.port())});
    CHECK(taken.status == 3);
    CHECK_THAT(taken.err, Contains("cannot listen on 127.0.0.1"));
}
