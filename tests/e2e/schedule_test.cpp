// SPDX-License-Identifier: Apache-2.0
// What the server does unasked: releases looked for, upgrades run by themselves, webhooks.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "api/keeper.hpp"
#include "api/webhooks.hpp"
#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"
#include "support/scripted_server.hpp"

using Catch::Contains;
using runner::Json;
using test::ApiServer;
using test::k_cluster;
using test::Sandbox;
using test::ScriptedServer;
using test::wait_until;

namespace {

/// Somebody who is told: refuses the first `refusals` messages.
class Hearer {
 public:
    explicit Hearer(int refusals = 0)
        : m_server([refusals](const std::string&, int number) {
              return ScriptedServer::reply(number <= refusals ? "500 Broken" : "204 Heard", "", "");
          }) {}
    [[nodiscard]] std::string url() const { return m_server.base() + "/hook"; }
    /// Those that came whole: a server that is killed may break off.
    std::vector<std::string> messages() {
        std::vector<std::string> messages = m_server.requests();
        std::erase_if(messages, [](const std::string& message) {
            const std::size_t head = message.find("\r\n\r\n");
            return head == std::string::npos ||
                   message.size() < head + 4 + std::stoul(header(message, "Content-Length"));
        });
        return messages;
    }
    /// Waits until one of this type was heard; its data.
    Json wait_for(const std::string& type) {
        Json data;
        test::wait_until([&] {
            for (const std::string& message : messages()) {
                const Json body = body_of(message);
                if (body["type"] == "upgrade." + type) data = body["data"];
            }
            return !data.is_null();
        });
        return data;
    }
    static Json body_of(const std::string& message) {
        return Json::parse(message.substr(message.find("\r\n\r\n") + 4));
    }
    static std::string header(const std::string& message, const std::string& name) {
        const std::size_t at = message.find(name + ": ");
        if (at == std::string::npos) return {};
        const std::size_t begin = at + name.size() + 2;
        return message.substr(begin, message.find("\r\n", begin) - begin);
    }

 private:
    ScriptedServer m_server;
};

std::string hook(const std::string& url) {
    return "webhooks: [{url: \"" + url + "\", secretEnv: HOOK_SECRET}]\n";
}

/// The messages that nobody has taken yet. A server that is killed may leave more in the folder.
std::ptrdiff_t waiting(const Sandbox& sandbox) {
    const std::filesystem::directory_iterator files(sandbox.path() / "state/webhooks");
    return std::count_if(begin(files), end(files),
                         [](const auto& entry) { return entry.path().extension() == ".json"; });
}

}  // namespace

TEST_CASE("signatures are those of Standard Webhooks") {
    // The secret and the message of the specification's own example.
    CHECK(runner::webhook_signature(runner::Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                                    "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
                                    R"({"test": 2432232314})") ==
          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    CHECK(runner::webhook_signature(runner::Secret("plain secret"), "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                    "1614265330", R"({"test": 2432232314})") ==
          "v1,gke7k785FD6W2FuaDcrvG3sQcmFE9YVaaAmarK4oi68=");
}

TEST_CASE("pauses between tries grow from a second to an hour") {
    using std::chrono::seconds;
    CHECK(runner::webhook_pause(1) == seconds(1));
    CHECK(runner::webhook_pause(2) == seconds(2));
    CHECK(runner::webhook_pause(5) == seconds(16));
    CHECK(runner::webhook_pause(13) == seconds(3600));
    CHECK(runner::webhook_pause(1000) == seconds(3600));
}

TEST_CASE("what runs by itself ends before the first upgrade that needs a person") {
    runner::ClusterConfig config;
    config.auto_approve = {runner::Severity::routine};
    runner::RunReport plan;
    plan.cluster_version = "0.1.0";
    for (const char* version : {"0.1.1", "0.1.2", "0.1.3"}) {
        runner::PlannedUpgrade upgrade;
        upgrade.version = version;
        plan.due.push_back(upgrade);
    }
    const auto waits = [&](const std::function<void(runner::PlannedUpgrade&)>& change) {
        runner::RunReport changed = plan;
        change(changed.due[1]);
        const auto approved = runner::approved_upgrades(changed, config);
        CHECK(approved.versions == std::vector<std::string>{"0.1.1"});
        return approved.waiting_for;
    };
    CHECK(runner::approved_upgrades(plan, config).versions.size() == 3);
    CHECK(runner::approved_upgrades(plan, config).waiting_for.empty());
    CHECK(waits([](auto& upgrade) { upgrade.manifest.declared = false; }) ==
          "0.1.2 declares nothing of what it does");
    CHECK(waits([](auto& upgrade) { upgrade.manifest.severity = runner::Severity::important; }) ==
          "0.1.2 is important");
    plan.risks.downtime = {"0.1.2"};
    CHECK(waits([](auto&) {}) == "0.1.2 causes downtime");
    plan.risks.downtime = {};
    CHECK_THAT(waits([](auto& upgrade) { upgrade.version = "1.0.0"; }),
               Contains("1.0.0 is a step to another major version"));
    CHECK_THAT(waits([](auto& upgrade) {
                   upgrade.news.push_back({"network", ""});
               }),
               Contains("wants what no upgrade of the cluster had before"));
    config.schedule.downtime = true;
    plan.risks.downtime = {"0.1.2"};
    CHECK(runner::approved_upgrades(plan, config).versions.size() == 3);
}

TEST_CASE("what is broken is said once, and not every second") {
    Sandbox sandbox;
    sandbox.config("0.1.0", "releases: {source: directory, directory: nowhere}\n",
                   "schedule: {discover: 1s}\n");
    ApiServer server(sandbox);
    const auto tries = [&] {
        const std::string metrics = server.get("/metrics").body;
        const std::string name = "runner_discovery_failures_total{cluster=\"test\"} ";
        return std::stoi(metrics.substr(metrics.find(name) + name.size()));
    };
    wait_until([&] { return tries() >= 3; });
    const std::string log = server.log();
    const std::size_t first = log.find("cannot list the releases");
    REQUIRE(first != std::string::npos);
    CHECK(log.find("cannot list the releases", first + 1) == std::string::npos);
}

TEST_CASE("what is due, begins and ends is told once each, signed, in order and without secrets") {
    Sandbox sandbox;
    Hearer hearer;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 fail\n");
    sandbox.config("0.1.0", {}, hook(hearer.url()));
    sandbox.environment["HOOK_SECRET"] = "hearers-secret";
    ApiServer server(sandbox);
    CHECK(hearer.wait_for("due")["upgrades"][0]["version"] == "0.1.10001");
    server.wait_for_end(server.start_upgrade());
    const Json failed = hearer.wait_for("failed");
    CHECK(failed["actor"] == "alice");
    CHECK_THAT(failed["message"].get<std::string>(), Contains("told to fail"));
    sandbox.behaviour("");
    CHECK(sandbox.upgrade().status == 0);  // of the command line: told as well
    const Json succeeded = hearer.wait_for("succeeded");
    CHECK(succeeded["actor"] == "tester");
    CHECK(succeeded["upgrades"][0]["outcome"] == "succeeded");
    std::string types;
    std::set<std::string> ids;
    for (const std::string& message : hearer.messages()) {
        INFO(message);
        types += Hearer::body_of(message)["type"].get<std::string>().substr(8) + ' ';
        const std::string id = Hearer::header(message, "webhook-id");
        ids.insert(id);
        const std::string body = message.substr(message.find("\r\n\r\n") + 4);
        CHECK(Hearer::header(message, "webhook-signature") ==
              runner::webhook_signature(runner::Secret("hearers-secret"), id,
                                        Hearer::header(message, "webhook-timestamp"), body));
        CHECK(message.find("hearers-secret") == std::string::npos);
        CHECK(message.find(sandbox.path().string()) == std::string::npos);
    }
    CHECK(types == "due started failed started succeeded ");
    CHECK(ids.size() == 5);
    for (const auto& [file, bytes] : sandbox.snapshot("state/webhooks"))
        CHECK(bytes.find("hearers-secret") == std::string::npos);
}

TEST_CASE("a message that is refused is sent again under the same id, over a restart, too") {
    Sandbox sandbox;
    Hearer hearer(2);
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.config("0.1.0", {}, hook(hearer.url()));
    sandbox.write("state/webhooks/0000.json", "{\"no\": \"message\"}\n");  // holds up nobody
    sandbox.write("state/webhooks/0001.json",
                  R"({"id": "msg_1", "url": "u", "body": "b", "createdAt": "once upon a time"})");
    // Without the secret nothing goes out, and nothing is lost.
    ApiServer server(sandbox);
    wait_until([&] { return server.log().find("nothing goes out unsigned") != std::string::npos; });
    CHECK(hearer.messages().empty());
    server.kill();
    sandbox.environment["HOOK_SECRET"] = "hearers-secret";
    server.start();
    wait_until([&] { return hearer.messages().size() >= 3; });
    std::set<std::string> ids;
    for (const std::string& message : hearer.messages())
        ids.insert(Hearer::header(message, "webhook-id"));
    CHECK(ids.size() == 1);
    CHECK_THAT(server.log(), Contains("the server answered 500"));
    wait_until([&] { return waiting(sandbox) == 0; });
    CHECK(sandbox.exists("state/webhooks/told.state"));
    CHECK(server.stop() == 0);
    server.start();  // what is due was told already
    CHECK(server.get(k_cluster).json()["due"] == 1);
    CHECK(hearer.messages().size() == 3);
}

TEST_CASE("what was told, and not yet noted as told, is told again as the same message") {
    Sandbox sandbox;
    Hearer hearer(1'000'000);
    sandbox.config("0.1.0", {}, hook(hearer.url()));
    sandbox.environment["HOOK_SECRET"] = "hearers-secret";
    ApiServer server(sandbox);
    const std::string told = "state/webhooks/told.state";
    wait_until([&] { return sandbox.exists(told); });
    server.kill();
    const std::string before = sandbox.read(told);
    sandbox.release_plugin("puppet", "0.1.10001");
    for (int i = 0; i < 2; ++i) {
        server.start();
        hearer.wait_for("due");
        wait_until([&] { return sandbox.read(told) != before; });
        server.kill();
        CHECK(waiting(sandbox) == 1);
        sandbox.write(told, before);  // as if it had died in between
    }
    std::set<std::string> heard;
    for (const std::string& message : hearer.messages())
        heard.insert(Hearer::header(message, "webhook-id"));
    CHECK(heard.size() == 1);
    server.start();
    server.wait_for_end(server.start_upgrade());
    wait_until([&] { return waiting(sandbox) == 3; });  // due, started, succeeded
}

TEST_CASE("releases are looked for now and then") {
    Sandbox sandbox;
    sandbox.config("0.1.0", {}, "schedule: {discover: 1s}\n");
    ApiServer server(sandbox);
    CHECK(server.get(k_cluster).json()["due"] == 0);
    sandbox.release_plugin("puppet", "0.1.10001");
    wait_until([&] { return server.get(k_cluster).json()["due"] == 1; });
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"].empty());
}

TEST_CASE("in the window, what the config approves runs by itself, up to what needs a person") {
    Sandbox sandbox;
    const Json writes = {{"write", {"."}}, {"commands", {"*"}}};
    const auto release = [&](const std::string& version, Json manifest) {
        manifest["permissions"] = writes;
        sandbox.release_program(
            version, "#!/bin/sh\n[ \"$1\" = --dry-run=true ] || echo " + version + " >> order\n",
            manifest);
    };
    release("0.1.1", {});
    release("0.1.2", {{"severity", "important"}});
    release("0.1.3", {{"severity", "critical"}});
    release("0.1.4", {});
    const std::string approve =
        "autoApprove: [routine, important]\nschedule: {discover: 1s, window: ";
    sandbox.config("0.1.0", {}, approve + "{}}\n");
    ApiServer server(sandbox);
    wait_until([&] { return server.get(k_cluster).json()["clusterVersion"] == "0.1.2"; });
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.2\n");
    const Json run = server.get(k_cluster + "/history").json()["runs"][0];
    CHECK(run["actor"] == "schedule");
    wait_until([&] { return server.log().find("0.1.3 is critical") != std::string::npos; });
    // A person does that one; one with downtime waits again.
    server.wait_for_end(server.start_upgrade());
    release("0.1.5", {{"downtime", true}});
    wait_until([&] { return server.log().find("0.1.5 causes downtime") != std::string::npos; });
    sandbox.config("0.1.0", {},
                   "autoApprove: routine\n"
                   "schedule: {discover: 1s, downtime: allowed, window: {}}\n");
    wait_until([&] { return server.get(k_cluster).json()["clusterVersion"] == "0.1.5"; });
    CHECK(sandbox.read("repository/order") == "0.1.1\n0.1.2\n0.1.3\n0.1.4\n0.1.5\n");
}

TEST_CASE("outside the window nothing begins, and what failed by itself is left to a person") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 fail\n");
    // A window that is never: from midnight to the first minute, on another day than today.
    const auto days = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    const char* names[] = {"thu", "fri", "sat", "sun", "mon", "tue", "wed"};
    const std::string other =
        names[static_cast<std::size_t>((days.time_since_epoch().count() + 3) % 7)];
    sandbox.config("0.1.0", {},
                   "autoApprove: routine\nschedule: {discover: 1s, window: {days: " + other +
                       ", to: '00:01'}}\n");
    ApiServer server(sandbox);
    const auto looked = [&] {
        const std::string metrics = server.get("/metrics").body;
        const std::string name = "runner_discoveries_total{cluster=\"test\"} ";
        return std::stoi(metrics.substr(metrics.find(name) + name.size()));
    };
    wait_until([&] { return looked() >= 3; });
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"].empty());
    sandbox.config("0.1.0", {}, "autoApprove: routine\nschedule: {discover: 1s, window: {}}\n");
    wait_until([&] { return server.log().find("has failed") != std::string::npos; });
    const int now = looked();
    wait_until([&] { return looked() >= now + 2; });
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"].size() == 1);
}
