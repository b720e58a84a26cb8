// SPDX-License-Identifier: Apache-2.0
// Upgrades that were built on earlier SDKs run under this runner.
#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

TEST_CASE("an upgrade on the headers of SDK 1.0.0 that uses all of them still runs") {
    // Its `render` does not look at the file before.
    const bool is_rendered_over = GENERATE(false, true);
    Sandbox sandbox;
    if (is_rendered_over) sandbox.write("repository/rendered.txt", "before\n");
    sandbox.release_plugin("sdk-1.0.0", "0.1.10001");
    const auto prepare = [&] {
        sandbox.write("repository/config/old.txt", "old\n");
        sandbox.write("repository/config/sub/gone.txt", "gone\n");
        sandbox.write("repository/config/values.yaml",
                      "image:\n  name: web\n  tag: v1  # pinned\nobsolete: yes\nmore: 1\n");
    };
    const auto blocked = sandbox.run({"upgrade", "--yes", "-e", "tag=v2"});
    CHECK(blocked.status == 3);
    CHECK_THAT(blocked.err, Contains("there is no folder config") && Contains("make it"));
    prepare();
    const auto missing = sandbox.run({"upgrade", "--yes"});
    CHECK(missing.status == 3);
    CHECK_THAT(missing.err, Contains("tag"));

    const auto result = sandbox.run({"upgrade", "--yes", "-e", "tag=v2"});
    INFO(result.err);
    REQUIRE(result.status == 0);
    CHECK_THAT(result.out, Contains("touch touched") && Contains("a line"));
    CHECK(sandbox.read("repository/config/new.txt") == "old\nedited\n");
    CHECK(sandbox.read("repository/rendered.txt") == "old\nedited\n");
    CHECK(sandbox.read("repository/config/values.yaml") ==
          "image:\n  name: web\n  tag: v2  # pinned\nmore: 1\n");
    CHECK(sandbox.read("repository/done.txt") == "test 2 0.1.10001 absent\n");
    CHECK(sandbox.run({"upgrade", "--yes", "-e", "tag=v2"}).status == 0);
}
