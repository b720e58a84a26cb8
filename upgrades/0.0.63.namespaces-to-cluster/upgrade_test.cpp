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

TEST_CASE("namespaces move to the cluster folder, and the other environment stays as it was") {
    upgrade::testing::Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    REQUIRE(harness.preflight<MoveNamespaces>().ok());
    REQUIRE(harness.apply<MoveNamespaces>().ok());
    const auto after = harness.snapshot();
    for (const auto& [path, content] : before) {
        if (path.rfind("infrastructure/staging/", 0) == 0) CHECK(after.at(path) == content);
    }
    for (const std::string application : {"webshop", "payments"}) {
        const std::string folder = "infrastructure/demo/applications/" + application;
        CHECK_FALSE(harness.exists(folder + "/namespace.yaml"));
        CHECK(after.at("infrastructure/demo/cluster/namespaces/" + application + ".yaml") ==
              before.at(folder + "/namespace.yaml"));
        CHECK(after.at(folder + "/kustomization.yaml").find("namespace.yaml") == std::string::npos);
    }
    CHECK(after.at("infrastructure/demo/cluster/kustomization.yaml") ==
          before.at("infrastructure/demo/cluster/kustomization.yaml") +
              "  - namespaces/payments.yaml\n  - namespaces/webshop.yaml\n");
    CHECK(harness.verify<MoveNamespaces>().ok());
    CHECK(harness.preflight<MoveNamespaces>().nothing_to_do());
}

TEST_CASE("moving namespaces goes on after the application at which it died") {
    upgrade::testing::Harness harness;
    prepare(harness);
    upgrade::testing::Harness untouched;
    prepare(untouched);
    REQUIRE(untouched.apply<MoveNamespaces>().ok());
    harness.die_after_step("move-payments");
    REQUIRE_FALSE(harness.apply<MoveNamespaces>().ok());
    REQUIRE(harness.apply<MoveNamespaces>().ok());
    CHECK(harness.snapshot() == untouched.snapshot());
}

TEST_CASE("rolling the namespaces back restores every byte") {
    upgrade::testing::Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    REQUIRE(harness.apply<MoveNamespaces>().ok());
    REQUIRE(harness.rollback<MoveNamespaces>().ok());
    CHECK(harness.snapshot() == before);
}
