// SPDX-License-Identifier: Apache-2.0
// What an upgrade does not declare is refused by the kernel, and is an ordinary failure of that
// upgrade.
#include "support/catch.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sandbox.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using runner::SandboxSupport;
using test::Sandbox;

namespace {

/// A listening socket on loopback, and its port.
struct Listener {
    Listener() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
        REQUIRE(::listen(fd, 5) == 0);
        socklen_t size = sizeof(address);
        REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = ntohs(address.sin_port);
    }
    ~Listener() { ::close(fd); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = 0;
};

/// One upgrade, told to do this around the services; what the run came to.
test::ProgramResult told(Sandbox& sandbox, const std::string& behaviour) {
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 " + behaviour + "\n");
    return sandbox.upgrade();
}

}  // namespace

TEST_CASE("a simulation cannot write, not even where the upgrade may") {
    if (runner::sandbox_support() == SandboxSupport::none) return;
    Sandbox sandbox;
    const auto result = told(sandbox, "simulated-raw-write inside");
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("0.1.10001") && Contains("Permission denied") &&
                               Contains("what its manifest declares") &&
                               Contains("nothing was changed"));
    CHECK(!sandbox.exists("repository/inside"));
}

TEST_CASE("an upgrade writes below its declared paths, and nowhere else") {
    if (runner::sandbox_support() == SandboxSupport::none) return;
    Sandbox inside;
    CHECK(told(inside, "raw-write inside").status == 0);
    CHECK(inside.exists("repository/inside"));
    Sandbox outside;
    const auto result = told(outside, "raw-write ../outside");
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("write ../outside: Permission denied") &&
                               Contains("what its manifest declares: writing below ., the "
                                        "commands touch, no network"));
    CHECK(!outside.exists("outside"));
}

TEST_CASE("an upgrade runs its declared commands, and no other") {
    if (runner::sandbox_support() == SandboxSupport::none) return;
    Sandbox declared;
    CHECK(told(declared, "raw-run /usr/bin/touch").status == 0);
    Sandbox undeclared;
    const auto result = told(undeclared, "raw-run /usr/bin/id");
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("run /usr/bin/id: Permission denied"));
}

TEST_CASE("an upgrade that declares no network reaches none") {
    if (runner::sandbox_support() != SandboxSupport::files_and_network) return;
    const Listener listener;
    Sandbox sandbox;
    const auto result = told(sandbox, "raw-connect " + std::to_string(listener.port));
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("connect: Permission denied"));
}

TEST_CASE("an executable upgrade is held to the same: its dry run cannot write") {
    if (runner::sandbox_support() == SandboxSupport::none) return;
    Sandbox sandbox;
    sandbox.release_program("0.1.10001", "#!/bin/sh\necho x > written || exit 9\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.out + result.err, Contains("Permission denied"));
    CHECK(!sandbox.exists("repository/written"));
    sandbox.release_program(
        "0.1.10001",
        "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\necho x > written\nexit 0\n");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(sandbox.exists("repository/written"));
}
