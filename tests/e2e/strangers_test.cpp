// SPDX-License-Identifier: Apache-2.0
// The server among strangers: slow, silent, greedy, malformed, and many. Whatever they do, somebody
// with a token is answered at once.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"
#include "support/unique_fd.hpp"

using Catch::Contains;
using test::ApiServer;
using test::Sandbox;

namespace {

class Stranger {
 public:
    explicit Stranger(int port, int receive_buffer = 0)
        : m_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_buffer > 0)
            ::setsockopt(m_socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                         sizeof(receive_buffer));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(m_socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
                0);
    }
    void say(const std::string& text) {
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t count =
                ::send(m_socket.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
            if (count <= 0) return;  // cut off in the middle: what it says is looked at below
            done += static_cast<std::size_t>(count);
        }
    }
    /// Everything up to the end of the connection.
    std::string hear_all() {
        std::string heard;
        char bytes[4096];
        pollfd waiting{m_socket.get(), POLLIN, 0};
        while (::poll(&waiting, 1, 30'000) > 0) {
            const ssize_t count = ::read(m_socket.get(), bytes, sizeof(bytes));
            if (count <= 0) return heard;
            heard.append(bytes, static_cast<std::size_t>(count));
        }
        return heard + "\n(the connection is still open)";
    }
    void close() { m_socket.reset(); }

 private:
    runner::UniqueFd m_socket;
};

std::string head(const std::string& path, const std::string& more = {}) {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

/// Resident memory of a process, in KiB.
long resident(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmRSS:", 0) == 0) return std::atol(line.c_str() + 6);
    }
    return 0;
}

}  // namespace

TEST_CASE("a thousand idle connections cost no answer, and little memory") {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    Sandbox sandbox;
    ApiServer server(sandbox);
    CHECK(server.get("/api/v1/clusters").status == 200);
    const long before = resident(server.pid());
    std::vector<std::unique_ptr<Stranger>> strangers;
    for (int i = 0; i < 1000; ++i) strangers.push_back(std::make_unique<Stranger>(server.port()));
    CHECK_THAT(server.get("/metrics").body, Contains("runner_http_connections 1001\n"));
    // Half of them begin a request and never end it.
    for (std::size_t i = 0; i < strangers.size(); i += 2) strangers[i]->say("GET /api/v1/cl");
    for (int i = 0; i < 20; ++i) CHECK(server.get("/api/v1/clusters").status == 200);
    CHECK(resident(server.pid()) - before < 32 * 1024);
}

TEST_CASE("past the bound, connections are told so and sent away, and others are still served") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    httplib::Client kept("127.0.0.1", server.port());
    kept.set_keep_alive(true);
    const httplib::Headers token{{"Authorization", "Bearer " + server.reader()}};
    REQUIRE(kept.Get("/healthz"));
    std::vector<std::unique_ptr<Stranger>> strangers;
    for (int i = 0; i < 2047; ++i) strangers.push_back(std::make_unique<Stranger>(server.port()));
    const auto still = kept.Get("/api/v1/clusters", token);
    REQUIRE(still);
    CHECK(still->status == 200);
    Stranger late(server.port());
    const std::string heard = late.hear_all();
    CHECK_THAT(heard, Contains("HTTP/1.1 503 "));
    CHECK_THAT(heard, Contains("Retry-After: 1\r\n"));
    strangers.clear();
    test::wait_until([&] { return server.send_quietly("/healthz") == 200; });
}

TEST_CASE(
    "what is no HTTP, too long or twice as long as it says is refused, connection by connection") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    const std::string token = "Authorization: Bearer " + server.admin() + "\r\n";
    const std::string start = "POST /api/v1/clusters/test/upgrades HTTP/1.1\r\nHost: x\r\n" +
                              token + "Content-Type: application/json\r\n";
    struct Case {
        const char* what;
        std::string said;
        const char* heard;
    };
    for (const Case& one : std::vector<Case>{
             {"no HTTP", "\x16\x03\x01 hello\r\n\r\n", " 400 "},
             {"no version", "GET /healthz\r\n\r\n", " 400 "},
             {"another version", "GET /healthz HTTP/9.9\r\n\r\n", " 400 "},
             {"a long head", head("/healthz", "X: " + std::string(40'000, 'x') + "\r\n"), " 431 "},
             {"an endless head", std::string(20'000, 'y'), " 431 "},
             {"a long address", head("/" + std::string(9'000, 'a')), " 414 "},
             {"a long body", start + "Content-Length: 99999999999\r\n\r\n{}", " 413 "},
             {"a negative body", start + "Content-Length: -1\r\n\r\n{}", " 4"},
             {"two lengths", start + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
              " 400 "},
             {"compressed", start + "Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
              " 415 "},
             {"a form",
              "POST /api/v1/clusters/test/upgrades HTTP/1.1\r\nHost: x\r\n" + token +
                  "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 2\r\n\r\n--",
              " 415 "},
             {"a body without a token",
              "POST /api/v1/clusters/test/upgrades HTTP/1.1\r\nHost: x\r\nContent-Length: "
              "50\r\n\r\n",
              " 401 "},
         }) {
        Stranger stranger(server.port());
        stranger.say(one.said);
        const std::string heard = stranger.hear_all();
        INFO(one.what << ": " << heard.substr(0, 300));
        CHECK(heard.substr(0, heard.find('\r')).find(one.heard) != std::string::npos);
        CHECK(heard.find("still open") == std::string::npos);
        CHECK(server.get("/healthz").status == 200);
    }
    // A second request in the body of a refused one is not taken for one.
    Stranger smuggler(server.port());
    const std::string inner = head("/api/v1/clusters", token);
    smuggler.say("POST /api/v1/clusters/test/upgrades HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                 std::to_string(inner.size()) + "\r\n\r\n" + inner);
    const std::string heard = smuggler.hear_all();
    CHECK_THAT(heard, Contains(" 401 "));
    CHECK(heard.find(" 200 ") == std::string::npos);
}

TEST_CASE("what could not be read is nobody's in the log") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    for (int i = 0; i < 100; ++i) CHECK(server.get_as_admin("/nothing").status == 404);
    for (int i = 0; i < 100; ++i) {
        Stranger stranger(server.port());
        stranger.say("nonsense\r\n\r\n");
        CHECK_THAT(stranger.hear_all(), Contains(" 400 "));
    }
    test::wait_until([&] { return server.log().find(": 400") != std::string::npos; });
    CHECK(server.log().find(": 400 for") == std::string::npos);
}

TEST_CASE("requests that follow each other on one connection are answered in their order") {
    Sandbox sandbox;
    ApiServer server(sandbox);
    Stranger client(server.port());
    std::string said;
    for (int i = 0; i < 50; ++i) said += head(i % 2 == 0 ? "/healthz" : "/nothing");
    client.say(said + head("/healthz", "Connection: close\r\n"));
    const std::string heard = client.hear_all();
    std::size_t good = 0;
    std::size_t bad = 0;
    for (std::size_t at = 0; (at = heard.find("HTTP/1.1 ", at)) != std::string::npos; ++at)
        ++(heard.compare(at + 9, 3, "200") == 0 ? good : bad);
    CHECK(good == 26);
    CHECK(bad == 25);
}

TEST_CASE("a reader of events that stops reading is cut off, and the job does not notice") {
    Sandbox sandbox;
    // More than the buffers of both ends hold.
    sandbox.release_program("0.1.10001",
                            "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\n"
                            "line=$(printf '%01000d' 0)\ni=0\n"
                            "while [ $i -lt 9000 ]; do echo $line; i=$((i+1)); done\n");
    ApiServer server(sandbox, {});
    const std::string id = server.start_upgrade();
    Stranger deaf(server.port(), 4096);
    deaf.say(head("/api/v1/jobs/" + id + "/events",
                  "Authorization: Bearer " + server.reader() + "\r\n"));
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
    test::wait_until([&] {
        return server.get("/metrics").body.find("runner_http_long_replies 0\n") !=
               std::string::npos;
    });
}

TEST_CASE("past the bound, streams are refused with Retry-After while short answers still come") {
    Sandbox sandbox;
    release_gated(sandbox, "0.1.10001");
    ApiServer server(sandbox);
    const std::string id = server.start_upgrade();
    server.wait_for_state(id, "applying");
    const std::string events = "/api/v1/jobs/" + id + "/events";
    std::vector<std::unique_ptr<Stranger>> streams;
    for (int i = 0; i < 64; ++i) {
        streams.push_back(std::make_unique<Stranger>(server.port()));
        streams.back()->say(head(events, "Authorization: Bearer " + server.reader() + "\r\n"));
    }
    test::wait_until([&] {
        return server.get("/metrics").body.find("runner_http_long_replies 64\n") !=
               std::string::npos;
    });
    const auto refused = server.get(events);
    CHECK(refused.code() == "busy");
    CHECK(refused.header("Retry-After") == "1");
    CHECK(server.get("/api/v1/clusters").status == 200);
    streams.clear();
    open_gate(sandbox);
    CHECK(server.wait_for_end(id)["state"] == "succeeded");
    CHECK_THAT(server.events(id), Contains("event: over\n"));
}

TEST_CASE(
    "TLS: served with a certificate that can be renewed while it runs, and never in the clear") {
    Sandbox sandbox;
    const auto certificate = [&](const std::string& name) {
        const std::string command =
            "cd " + sandbox.path().string() +
            " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            "-subj /CN=" +
            name +
            " -addext subjectAltName=IP:127.0.0.1 -keyout new.key -out new.pem "
            "2> /dev/null && mv new.key key.pem && mv new.pem cert.pem";
        REQUIRE(std::system(command.c_str()) == 0);
    };
    certificate("first");
    ApiServer server(sandbox, {"--tls-cert", "cert.pem", "--tls-key", "key.pem"});
    const auto curl = [&](const std::string& more) {
        const std::string command = "cd " + sandbox.path().string() + " && curl -sS -m 20 " + more +
                                    " -H 'Authorization: Bearer " + server.reader() +
                                    "' > said 2>&1; echo $? >> said";
        (void)!std::system(command.c_str());
        return sandbox.read("said");
    };
    const std::string address = "127.0.0.1:" + std::to_string(server.port());
    CHECK_THAT(curl("--cacert cert.pem https://" + address + "/api/v1/clusters"),
               Contains("\"cluster\":\"test\""));
    CHECK_THAT(curl("https://" + address + "/api/v1/clusters"), Contains("certificate"));
    CHECK(curl("http://" + address + "/api/v1/clusters").find("cluster\"") == std::string::npos);
    CHECK_THAT(curl("--tls-max 1.1 -k https://" + address + "/healthz"), !Contains("\"ok\""));
    // Silent in the handshake: costs the others nothing.
    std::vector<std::unique_ptr<Stranger>> silent;
    for (int i = 0; i < 200; ++i) {
        silent.push_back(std::make_unique<Stranger>(server.port()));
        silent.back()->say("\x16\x03\x01");
    }
    std::filesystem::copy_file(sandbox.path() / "cert.pem", sandbox.path() / "old.pem");
    certificate("second");
    CHECK_THAT(curl("--cacert cert.pem https://" + address + "/api/v1/clusters"),
               Contains("\"cluster\":\"test\""));
    CHECK_THAT(curl("--cacert old.pem https://" + address + "/healthz"), Contains("certificate"));
}
