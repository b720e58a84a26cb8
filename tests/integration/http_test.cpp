// SPDX-License-Identifier: Apache-2.0
// The forge source against real sockets: the project's own release server, and a server that does
// as a test tells it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include "support/catch.hpp"

#include "model/error.hpp"
#include "releases/curl_client.hpp"
#include "releases/forge_source.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sandbox.hpp"
#include "support/scripted_server.hpp"
#include "support/sha256.hpp"

using namespace runner;
using test::ScriptedServer;

namespace {

std::unique_ptr<ReleaseSource> source_at(const std::string& base,
                                         const std::filesystem::path& cache,
                                         const std::string& token = {}) {
    return make_forge_source({base, "o/r", "upgrade", Secret(token)}, Platform::current(),
                             Cache(cache), [] { return make_http_client([] { return false; }); });
}

HttpReply get(const std::string& url, std::size_t limit = 1000) {
    HttpRequest request;
    request.url = url;
    request.size_limit = limit;
    return make_http_client({})->send({request}, {}).front();
}

std::string release_json(const std::string& tag) {
    return R"({"tag_name":")" + tag + R"(","assets":[]})";
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "releases are listed over pages, and a warm index asks with ETags and parses nothing anew") {
    const TemporaryFolder cache("http-test");
    std::string base;
    ScriptedServer server([&](const std::string& request, int) {
        if (has(request, "If-None-Match: \"e"))
            return ScriptedServer::reply("304 Not Modified", "", "");
        if (has(request, "page=2"))
            return ScriptedServer::reply("200 OK", "ETag: \"e2\"\r\n",
                                         "[" + release_json("0.0.2") + "]");
        return ScriptedServer::reply(
            "200 OK",
            "ETag: \"e1\"\r\nLink: <" + base + "/repos/o/r/releases?page=2>; rel=\"next\"\r\n",
            "[" + release_json("0.0.3") + "]");
    });
    base = server.base();
    const auto first = source_at(base, cache.path())->list();
    REQUIRE(first.size() == 2);
    CHECK(first[0].version->to_string() == "0.0.2");
    CHECK(source_at(base, cache.path())->list().size() == 2);
    CHECK(server.requests().size() == 4);
    CHECK(has(server.requests()[3], "If-None-Match: \"e2\""));
}

TEST_CASE("the next page may not lead to another host") {
    const TemporaryFolder cache("http-test");
    ScriptedServer server([](const std::string&, int) {
        return ScriptedServer::reply("200 OK", "Link: <http://127.0.0.1:1/x>; rel=\"next\"\r\n",
                                     "[]");
    });
    CHECK_THROWS_WITH(source_at(server.base(), cache.path())->list(),
                      Catch::Contains("another host"));
}

TEST_CASE("a token goes to the host it was meant for, and nowhere else") {
    const TemporaryFolder cache("http-test");
    ScriptedServer elsewhere(
        [](const std::string&, int) { return ScriptedServer::reply("200 OK", "", "[]"); });
    ScriptedServer server([&](const std::string&, int) {
        return ScriptedServer::reply("302 Found", "Location: " + elsewhere.base() + "/list\r\n",
                                     "");
    });
    CHECK(source_at(server.base(), cache.path(), "secret-token")->list().empty());
    CHECK(has(server.requests().at(0), "Authorization: Bearer secret-token"));
    CHECK_FALSE(has(elsewhere.requests().at(0), "secret-token"));
}

TEST_CASE("a server that fails at first is asked again - one that refuses is not") {
    ScriptedServer flaky([](const std::string&, int number) {
        return number < 3 ? ScriptedServer::reply("503 Service Unavailable", "", "")
                          : ScriptedServer::reply("200 OK", "", "good");
    });
    CHECK(get(flaky.base()).body == "good");
    CHECK(flaky.requests().size() == 3);
    ScriptedServer missing(
        [](const std::string&, int) { return ScriptedServer::reply("404 Not Found", "", ""); });
    CHECK_THAT(get(missing.base()).problem, Catch::Contains("404"));
    CHECK(missing.requests().size() == 1);
}

TEST_CASE("a redirect to plain http elsewhere, one without end, and one to a file are refused") {
    ScriptedServer plain([](const std::string&, int) {
        return ScriptedServer::reply("302 Found", "Location: http://example.com/x\r\n", "");
    });
    CHECK_THAT(get(plain.base()).problem, Catch::Contains("plain http"));
    ScriptedServer file([](const std::string&, int) {
        return ScriptedServer::reply("302 Found", "Location: file:///etc/passwd\r\n", "");
    });
    CHECK_FALSE(get(file.base()).problem.empty());
    ScriptedServer loop([](const std::string&, int) {
        return ScriptedServer::reply("302 Found", "Location: /again\r\n", "");
    });
    CHECK_THAT(get(loop.base()).problem, Catch::Contains("5 redirects"));
}

TEST_CASE("an endless body is cut off at the limit") {
    ScriptedServer server([](const std::string&, int) {
        return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(100'000, 'x');
    });
    CHECK_THAT(get(server.base(), 1000).problem, Catch::Contains("larger than 1000 bytes"));
}

TEST_CASE("a download that breaks off is resumed, and its digest is that of the whole") {
    const std::string content(200'000, 'y');
    ScriptedServer server([&](const std::string& request, int number) {
        if (number == 1) {
            return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n" +
                   content.substr(0, 120'000);
        }
        CHECK(has(request, "Range: bytes=120000-"));
        return ScriptedServer::reply("206 Partial Content",
                                     "Content-Range: bytes 120000-199999/200000\r\n",
                                     content.substr(120'000));
    });
    const TemporaryFolder folder("http-test");
    HttpRequest request;
    request.url = server.base();
    request.size_limit = 1U << 20U;
    request.file = (folder.path() / "a/file").string();
    request.digest = sha256(content);
    const HttpReply reply = make_http_client({})->send({request}, {}).front();
    CHECK(reply.problem.empty());
    CHECK(read_file(request.file) == content);
    CHECK(server.requests().size() == 2);
}

TEST_CASE("a download with another digest is not kept") {
    ScriptedServer server(
        [](const std::string&, int) { return ScriptedServer::reply("200 OK", "", "tampered"); });
    const TemporaryFolder folder("http-test");
    HttpRequest request;
    request.url = server.base();
    request.file = (folder.path() / "file").string();
    request.digest = sha256("original");
    CHECK_THAT(make_http_client({})->send({request}, {}).front().problem,
               Catch::Contains("does not match its checksum"));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("an error page instead of a list is an error that names the address") {
    const TemporaryFolder cache("http-test");
    ScriptedServer server([](const std::string&, int) {
        return ScriptedServer::reply("200 OK", "", "<html>login</html>");
    });
    CHECK_THROWS_WITH(source_at(server.base(), cache.path())->list(),
                      Catch::Contains("/repos/o/r/releases") && Catch::Contains("JSON"));
    CHECK_THROWS_WITH(source_at("http://127.0.0.1:1", cache.path())->list(),
                      Catch::Contains("cannot list"));
}

TEST_CASE(
    "plugins and an executable upgrade of the older form run from the release server over HTTP") {
    test::Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_program(
        "0.1.10002.older",
        "#!/bin/sh\necho \"flags: $*\"\n[ \"$1\" = --dry-run=true ] || echo done >> made\n");
    sandbox.release_plugin("puppet", "0.1.10003");
    sandbox.behaviour("0.1.10001 note\n0.1.10003 note\n");
    const auto server = sandbox.start(
        {"releases", "serve", "releases", "--listen", "127.0.0.1:0", "--repository", "o/r"});
    REQUIRE(server->wait_for_output("at http://127.0.0.1:"));
    const std::string& line = server->output();
    const std::string address =
        line.substr(line.find("http://"), line.find('\n') - line.find("http://"));
    sandbox.config("0.1.0",
                   "releases: {source: github, repository: o/r, api: \"" + address + "\"}\n");
    const auto result = sandbox.upgrade({"-o", "json"});
    REQUIRE(result.status == 0);
    CHECK(result.json()["clusterVersion"] == "0.1.10003");
    CHECK(result.json()["due"][1]["declared"] == false);
    CHECK(sandbox.read("repository/made") == "done\n");
    CHECK(sandbox.read("repository/order") == "0.1.10001\n0.1.10003\n");
    CHECK_THAT(sandbox.run({"logs", "0.1.10002.older"}).out,
               Catch::Contains("flags: --dry-run=false --confirm"));
    CHECK(sandbox.upgrade().out == "Nothing to do. The cluster version is 0.1.10003.\n");
    CHECK(sandbox.run({"releases", "verify"}).status == 0);
    server->signal(SIGTERM);
    CHECK(server->wait().status == 0);
}
