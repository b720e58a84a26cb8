// SPDX-License-Identifier: Apache-2.0
#include "upgrade.hpp"

#include <testing/catch.hpp>
#include <testing/harness.hpp>

namespace {

void prepare(upgrade::testing::Harness& harness) {
    harness.copy_from(EXAMPLE_REPOSITORY);
    harness.cluster_name("demo");
    harness.can_command("kubectl", "built");
}

}  // namespace

TEST_CASE("the Grafana hotfix turns one value off, quoted as it was") {
    upgrade::testing::Harness harness;
    prepare(harness);
    auto expected = harness.snapshot();
    std::string& deployment = expected.at("infrastructure/demo/grafana/deployment.yaml");
    deployment.replace(deployment.find("\"true\""), 6, "\"false\"");
    REQUIRE(harness.preflight<CloseGrafana>().ok());
    REQUIRE(harness.apply<CloseGrafana>().ok());
    CHECK(harness.snapshot() == expected);
    CHECK(harness.verify<CloseGrafana>().ok());
    CHECK(harness.preflight<CloseGrafana>().nothing_to_do());
}
