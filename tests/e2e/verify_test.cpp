// SPDX-License-Identifier: Apache-2.0
// Silent breakage and drift, found later.
#include <sys/stat.h>

#include "support/catch.hpp"

#include "model/platform.hpp"
#include "model/release.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

runner::Json health(const runner::Json& report, const std::string& version) {
    for (const runner::Json& upgrade : report["upgrades"]) {
        if (upgrade["version"] == version) return upgrade["health"];
    }
    return {};
}

}  // namespace

TEST_CASE("what still holds is healthy, and looking changes nothing") {
    Sandbox sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.release_plugin("reversible", "0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    CHECK(sandbox.run({"verify"}).status == 0);  // nothing is done yet
    REQUIRE(sandbox.upgrade().status == 0);
    const auto before = std::pair(sandbox.snapshot("repository"), sandbox.snapshot("state"));
    const auto result = sandbox.run({"verify", "-o", "json"});
    CHECK(result.status == 0);
    const auto report = result.json();
    CHECK(report["healthy"] == true);
    CHECK(health(report, "0.1.10001") == "healthy");
    CHECK(health(report, "0.1.10002") == "unchecked");
    CHECK(report["files"].empty());
    CHECK(std::pair(sandbox.snapshot("repository"), sandbox.snapshot("state")) == before);
    CHECK_THAT(sandbox.run({"verify"}).out,
               Contains("Everything that is done still holds: 2 upgrades."));
}

TEST_CASE("silent breakage is found later, with its own exit code") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    sandbox.behaviour("0.1.10002 verify-fails\n");
    const auto result = sandbox.run({"verify", "-o", "json"});
    CHECK(result.status == 9);
    const auto report = result.json();
    CHECK(report["healthy"] == false);
    CHECK(health(report, "0.1.10001") == "healthy");
    CHECK(health(report, "0.1.10002") == "unhealthy");
    CHECK(sandbox.run({"verify", "0.1.10001"}).status == 0);
    const auto text = sandbox.run({"verify", "0.1.10002"});
    CHECK(text.status == 9);
    CHECK_THAT(text.out, Contains("unhealthy: told to fail its verification") &&
                             Contains("1 upgrade not healthy, 0 files not as left."));
    CHECK(sandbox.run({"verify", "0.1.10009"}).status == 2);
    CHECK(sandbox.run({"verify", "--env", "x=y"}).status == 2);
}

TEST_CASE("files that are no longer as the newest upgrade left them are named") {
    Sandbox sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.write("repository/gone", "gone\n");
    sandbox.release_plugin("files_only", "0.1.10001");
    sandbox.release_plugin("files_only", "0.1.10002");
    REQUIRE(sandbox.upgrade().status == 0);
    CHECK(sandbox.run({"verify"}).status == 0);  // of two that changed a file, the newer counts
    sandbox.write("repository/shared", "by hand\n");
    sandbox.write("repository/gone", "again\n");
    std::filesystem::remove(sandbox.repository() / "outside-of-steps");
    const auto result = sandbox.run({"verify", "-o", "json"});
    CHECK(result.status == 9);
    const auto files = result.json()["files"];
    REQUIRE(files.size() == 3);
    CHECK(files[0] ==
          runner::Json({{"path", "gone"}, {"version", "0.1.10001"}, {"found", "there again"}}));
    CHECK(files[1] ==
          runner::Json(
              {{"path", "outside-of-steps"}, {"version", "0.1.10002"}, {"found", "missing"}}));
    CHECK(files[2] ==
          runner::Json({{"path", "shared"}, {"version", "0.1.10002"}, {"found", "changed"}}));
    CHECK_THAT(sandbox.run({"verify"}).out, Contains("shared is changed since 0.1.10002"));
    CHECK(sandbox.run({"verify", "--no-files"}).status == 0);
    REQUIRE(sandbox.run({"rollback", "--yes", "--force"}).status == 0);
    CHECK(sandbox.run({"verify", "-o", "json"}).json()["files"].size() == 1);  // gone, alone
}

TEST_CASE("a changed mode is named with both modes, and no rollback overwrites it unasked") {
    Sandbox sandbox;
    sandbox.write("repository/shared", "shared\n");
    sandbox.release_plugin("files_only", "0.1.10001");
    REQUIRE(sandbox.upgrade().status == 0);
    const auto shared = sandbox.repository() / "shared";
    REQUIRE(::chmod(shared.c_str(), 0604) == 0);
    const auto result = sandbox.run({"verify", "-o", "json"});
    CHECK(result.status == 9);
    CHECK(result.json()["files"][0] == runner::Json({{"path", "shared"},
                                                     {"version", "0.1.10001"},
                                                     {"found", "changed"},
                                                     {"detail", "mode 0604, not 0644"}}));
    CHECK_THAT(sandbox.run({"verify"}).out,
               Contains("shared is changed since 0.1.10001: mode 0604, not 0644"));
    const auto refused = sandbox.run({"rollback", "--yes"});
    CHECK(refused.status == 6);
    CHECK_THAT(refused.err, Contains("shared was changed by hand"));
    REQUIRE(sandbox.run({"rollback", "--yes", "--force"}).status == 0);
    CHECK(sandbox.mode_of("shared") == 0644U);
    CHECK(sandbox.read("repository/shared") == "shared\n");
}

TEST_CASE("what cannot be checked is no better than what fails") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.release_plugin("puppet", "0.1.10002");
    sandbox.release_plugin("secretive", "0.1.10003");
    sandbox.environment["MY_TOKEN"] = "very-secret";
    REQUIRE(sandbox.run({"upgrade", "--yes", "--secret", "token=env:MY_TOKEN"}).status == 0);
    std::filesystem::remove_all(sandbox.path() / "state/releases");  // what is kept of them
    sandbox.remove_release("0.1.10001");
    sandbox.release_plugin("noop", "0.1.10002");
    const auto result = sandbox.run({"verify"});
    CHECK(result.status == 9);
    CHECK_THAT(result.out, Contains("0.1.10001: unknown: its release is gone from the source") &&
                               Contains("unknown: its release was changed after it was applied") &&
                               Contains("0.1.10003 needs 'token'"));
    const auto given = sandbox.run({"verify", "0.1.10003", "--secret", "token=env:MY_TOKEN"});
    CHECK(given.status == 0);
    CHECK_THAT(given.out, !Contains("very-secret"));
}

TEST_CASE("of several upgrades of one component the newest is checked") {
    Sandbox sandbox;
    for (const char* version : {"0.1.1", "0.1.2", "0.1.3"}) {
        const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
        const runner::Json manifest = {
            {"schema", 1}, {"version", version}, {"component", "argocd"}};
        sandbox.release_file(version, names.executable, "#!/bin/sh\n:\n", manifest);
    }
    REQUIRE(sandbox.upgrade({"--to", "0.1.2"}).status == 0);
    const auto report = sandbox.run({"verify", "-o", "json"}).json();
    CHECK(health(report, "0.1.1") == "superseded");
    CHECK(health(report, "0.1.2") == "unchecked");
    CHECK(health(sandbox.run({"verify", "0.1.1", "-o", "json"}).json(), "0.1.1") == "unchecked");
}
