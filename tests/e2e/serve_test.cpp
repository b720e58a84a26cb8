// SPDX-License-Identifier: Apache-2.0
// The HTTP API as its users meet it: who may do what, what is said, and how.
#include <ctime>
#include <fstream>
#include <sstream>

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

}  // namespace

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

TEST_CASE("metrics tell what is due, how runs ended, and who holds the lease") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    const auto sample = [&](const std::string& name, const std::string& more = {}) -> std::string {
        const std::string text = server.get("/metrics").body;
        const std::string begin = "\n" + name + "{cluster=\"test\"" + more + "} ";
        const std::size_t at = text.find(begin);
        if (at == std::string::npos) return "none";
        const std::size_t value = at + begin.size();
        return text.substr(value, text.find('\n', value) - value);
    };
    const std::string heartbeat = "runner_lease_heartbeat_timestamp_seconds";
    CHECK(sample("runner_upgrades_due", ",severity=\"routine\"") == "1");
    CHECK(sample("runner_upgrades_due", ",severity=\"critical\"") == "0");
    CHECK(sample("runner_lease_held") == "0");
    CHECK(sample(heartbeat) == "none");
    CHECK(sample("runner_last_run_success") == "none");
    const auto begun = std::time(nullptr);
    const std::string id = server.start_upgrade();
    server.wait_for_state(id, "applying");
    CHECK(sample("runner_lease_held") == "1");
    CHECK(std::stod(sample(heartbeat)) >= static_cast<double>(begun) - 1);
    CHECK(std::stod(sample(heartbeat)) <= static_cast<double>(std::time(nullptr)) + 1);
    test::open_gate(sandbox);
    server.wait_for_end(id);
    CHECK(sample("runner_runs_total", R"(,command="upgrade",outcome="succeeded")") == "1");
    CHECK(sample("runner_run_duration_seconds_count", ",command=\"upgrade\"") == "1");
    CHECK(sample("runner_last_run_success") == "1");
    CHECK(sample("runner_upgrades_due", ",severity=\"routine\"") == "0");
    CHECK(sample("runner_lease_held") == "0");
    CHECK(sample(heartbeat) == "none");
    // Nobody expects signs of life of a lock by hand.
    REQUIRE(sandbox.run({"state", "lock", "--reason", "freeze"}).status == 0);
    CHECK(sample("runner_lease_held") == "1");
    CHECK(sample(heartbeat) == "none");
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
