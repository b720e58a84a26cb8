// SPDX-License-Identifier: Apache-2.0
#include "upgrade.hpp"

#include <testing/catch.hpp>
#include <testing/harness.hpp>

namespace {

constexpr auto k_loki = "infrastructure/demo/loki";

void prepare(upgrade::testing::Harness& harness) {
    harness.copy_from(EXAMPLE_REPOSITORY);
    harness.cluster_name("demo");
    harness.parameter("lokiStorageSize", "20Gi");
    harness.can_command("kubectl", "kind: PersistentVolumeClaim\n");
}

}  // namespace

TEST_CASE("Loki persistence changes values, kustomization and workload, comments kept") {
    upgrade::testing::Harness harness;
    prepare(harness);
    REQUIRE(harness.preflight<PersistLoki>().ok());
    REQUIRE(harness.apply<PersistLoki>().ok());
    const std::string folder = k_loki;
    CHECK(harness.read(folder + "/values.yaml") ==
          "# Loki. Logs are kept in the pod until persistence is on.\n"
          "persistence:\n"
          "  enabled: true\n"
          "  size: 20Gi\n"
          "config:\n"
          "  table_manager:\n"
          "    retention_deletes_enabled: true   # nothing to delete while nothing is kept\n"
          "    retention_period: 336h\n");
    CHECK(
        harness.read(folder + "/kustomization.yaml").find("  - service.yaml\n  - volume.yaml\n") !=
        std::string::npos);
    CHECK(harness.read(folder + "/statefulset.yaml").find("claimName: loki   # lost") !=
          std::string::npos);
    CHECK(harness.read(folder + "/volume.yaml").find("storage: 20Gi") != std::string::npos);
    CHECK(harness.calls("kubectl") ==
          std::vector<std::string>{"kustomize infrastructure/demo/loki"});
    CHECK(harness.read(folder + "/rendered.yaml") == "kind: PersistentVolumeClaim\n");
    CHECK(harness.preflight<PersistLoki>().nothing_to_do());
}

TEST_CASE("Loki persistence, simulated, runs no changing command") {
    upgrade::testing::Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    const auto result = harness.simulate<PersistLoki>();
    REQUIRE(result.ok());
    CHECK(result.changes.size() == 4);
    CHECK(result.shown_commands.size() == 1);
    CHECK(harness.calls("kubectl").empty());
    CHECK(harness.snapshot() == before);
}

TEST_CASE("Loki persistence that died after its manifests goes on with rendering") {
    upgrade::testing::Harness harness;
    prepare(harness);
    harness.die_after_step("manifests");
    REQUIRE_FALSE(harness.apply<PersistLoki>().ok());
    CHECK(harness.calls("kubectl").empty());
    auto expected = harness.snapshot();
    expected[std::string(k_loki) + "/rendered.yaml"] = "kind: PersistentVolumeClaim\n";
    REQUIRE(harness.apply<PersistLoki>().ok());
    CHECK(harness.finished_steps() == std::vector<std::string>{"manifests", "render"});
    CHECK(harness.snapshot() == expected);
}

TEST_CASE("Loki persistence fails its verification when the rendered manifests differ") {
    upgrade::testing::Harness harness;
    prepare(harness);
    REQUIRE(harness.apply<PersistLoki>().ok());
    harness.write(std::string(k_loki) + "/rendered.yaml", "kind: Something\n");
    CHECK(harness.verify<PersistLoki>().status == UPGRADE_FAILED);
}
