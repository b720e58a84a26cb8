// SPDX-License-Identifier: Apache-2.0
// Who is let in: the tokens of the HTTP API, from their making to their end.
#include <sys/stat.h>

#include <filesystem>

#include "config/token_file.hpp"
#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/clock.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::ApiServer;
using test::Sandbox;

TEST_CASE("a token is shown once, and only its hash is kept, in a file of one's own") {
    Sandbox sandbox;
    const auto made = sandbox.run({"token", "create", "--name", "ci", "--role", "admin"});
    REQUIRE(made.status == 0);
    const std::string token = made.out.substr(0, made.out.size() - 1);
    CHECK(token.size() == 68);
    CHECK(token.rfind("rnr_", 0) == 0);
    CHECK(sandbox.read("tokens.json").find(token) == std::string::npos);
    struct stat facts {};
    REQUIRE(::stat((sandbox.path() / "tokens.json").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777U) == 0600U);
    const auto list = sandbox.run({"token", "list", "-o", "json"}).json();
    CHECK(list["tokens"].size() == 1);
    CHECK(list["tokens"][0]["role"] == "admin");
    CHECK_FALSE(list["tokens"][0].contains("hash"));
    CHECK_THAT(sandbox.run({"token", "list"}).out, Contains("never"));
}

TEST_CASE("a name that is taken, a wrong role, an odd name and an unknown one are refused") {
    Sandbox sandbox;
    REQUIRE(sandbox.run({"token", "create", "--name", "ci"}).status == 0);
    const std::string before = sandbox.read("tokens.json");
    CHECK_THAT(sandbox.run({"token", "create", "--name", "ci"}).err,
               Contains("there is a token 'ci'"));
    for (const std::vector<std::string>& wrong :
         {std::vector<std::string>{"create", "--name", "ci"},
          {"create", "--name", "x", "--role", "root"},
          {"create", "--name", "a b"},
          {"create", "--name", "x", "--expires", "soon"},
          {"revoke", "nobody"},
          {}}) {
        std::vector<std::string> arguments{"token"};
        arguments.insert(arguments.end(), wrong.begin(), wrong.end());
        CHECK(sandbox.run(arguments).status == 2);
    }
    CHECK(sandbox.read("tokens.json") == before);
}

TEST_CASE("a token file that others may write, or that is broken, lets nobody in") {
    Sandbox sandbox;
    REQUIRE(sandbox.run({"token", "create", "--name", "ci"}).status == 0);
    ::chmod((sandbox.path() / "tokens.json").c_str(), 0666);
    const auto open = sandbox.run({"serve", "--listen", "127.0.0.1:0"});
    CHECK(open.status == 2);
    CHECK_THAT(open.err, Contains("may be written by others"));
    ::chmod((sandbox.path() / "tokens.json").c_str(), 0600);
    sandbox.write("tokens.json", R"({"tokens": [{"name": "x", "role": "boss", "hash": "00"}]})");
    const auto broken = sandbox.run({"serve", "--listen", "127.0.0.1:0"});
    CHECK(broken.status == 2);
    CHECK_THAT(broken.err, Contains("'role' must be reader or admin"));
}

TEST_CASE("expired and revoked tokens are nobody's, from the next request on") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    const std::string path = "/api/v1/clusters";
    CHECK(server.get(path).status == 200);
    CHECK(server.send("GET", path, "rnr_" + std::string(64, '0')).status == 401);
    CHECK(server.send("GET", path, "").status == 401);
    REQUIRE(sandbox.run({"token", "revoke", "bob"}).status == 0);
    CHECK(server.get(path).status == 401);
    // One whose time is over.
    const runner::SystemClock clock;
    const auto file = sandbox.path() / "tokens.json";
    const std::string old =
        runner::create_token(file, "old", runner::Role::admin, clock.wall() - std::chrono::hours(2),
                             std::chrono::hours(1));
    const std::string fresh = runner::create_token(file, "fresh", runner::Role::reader,
                                                   clock.wall(), std::chrono::hours(1));
    CHECK(server.send("GET", path, old).status == 401);
    CHECK(server.send("GET", path, fresh).status == 200);
    // A file that cannot be read any more: no role is no entry.
    sandbox.write("tokens.json", "{");
    CHECK(server.send("GET", path, fresh).code() == "unavailable");
    CHECK(server.send("GET", "/healthz", "").status == 200);
}

TEST_CASE("other ways to say who one is are none") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    const std::string path = "/api/v1/clusters";
    for (const std::string& header :
         {"bearer " + server.admin(), "Basic " + server.admin(), server.admin(),
          "Bearer  " + server.admin(), "Bearer " + server.admin() + "x", std::string("Bearer ")}) {
        const auto reply = server.send("GET", path, "", {}, {{"Authorization", header}});
        CHECK(reply.status == 401);
        CHECK(reply.header("WWW-Authenticate") == "Bearer");
    }
    CHECK(server.send("GET", path + "?token=" + server.admin(), "").status == 401);
}
