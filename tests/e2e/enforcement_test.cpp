// SPDX-License-Identifier: Apache-2.0
// A policy that requires the kernel's enforcement holds for every kind of run.
#include "support/catch.hpp"

#include "host/sandbox.hpp"
#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

TEST_CASE("where the kernel cannot enforce what the policy requires, nothing of a plugin runs") {
    WorldlySandbox world;
    world.wish("0.1.10001 v1 v2 blocked\n0.1.10002 v2 v3 blocked\n");
    REQUIRE(world.upgrade({"--only", "0.1.10001"}).status == 0);
    world.configure("policy: {enforcement: required}\n");
    const auto before = world.snapshot("repository");
    world.environment["RUNNER_NO_LANDLOCK"] = "1";
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"upgrade", "--yes"},
          {"upgrade", "--dry-run"},
          {"plan"},
          {"check"},
          {"rollback", "--yes"},
          {"rollback", "--dry-run"},
          {"verify"},
          {"run", "0.1.10002"},
          {"run", "0.1.10002", "--dry-run=false", "--confirm", "--record"}}) {
        INFO(command.front());
        const auto result = world.run_with_fault(command, "");
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("this kernel cannot enforce what upgrades declare, and the "
                                        "config's policy requires it"));
        CHECK(world.snapshot("repository") == before);
    }
    world.environment.erase("RUNNER_NO_LANDLOCK");
    const bool enforced = runner::sandbox_support() == runner::SandboxSupport::files_and_network;
    CHECK(world.run({"verify"}).status == (enforced ? 0 : 3));
    CHECK(world.run({"rollback", "--yes"}).status == (enforced ? 0 : 3));
}
