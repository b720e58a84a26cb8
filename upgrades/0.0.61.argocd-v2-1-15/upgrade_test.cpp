// SPDX-License-Identifier: Apache-2.0
#include "upgrade.hpp"

#include <testing/catch.hpp>
#include <testing/harness.hpp>

namespace {

constexpr auto k_server = "infrastructure/demo/argocd/server.yaml";

void prepare(upgrade::testing::Harness& harness) {
    harness.copy_from(EXAMPLE_REPOSITORY);
    harness.cluster_name("demo");
    harness.can_command("kubectl", "built");
}

}  // namespace

TEST_CASE("the Argo CD bump changes the two images and no other byte") {
    upgrade::testing::Harness harness;
    prepare(harness);
    auto expected = harness.snapshot();
    for (auto& [path, content] : expected) {
        const std::size_t at = content.find("argocd:v2.1.7 ");
        if (path.find("/demo/argocd/") != std::string::npos && at != std::string::npos)
            content.replace(at + 7, 6, "v2.1.15");
    }
    REQUIRE(harness.apply<BumpArgoCd>().ok());
    CHECK(harness.snapshot() == expected);
    CHECK(harness.verify<BumpArgoCd>().ok());
}

TEST_CASE("the Argo CD bump's simulation shows the change and makes none") {
    upgrade::testing::Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    const auto result = harness.simulate<BumpArgoCd>();
    REQUIRE(result.ok());
    CHECK(result.changes.size() == 2);
    CHECK(result.changes.at(k_server).content->find("v2.1.15   # see docs/argocd.md") !=
          std::string::npos);
    CHECK(harness.snapshot() == before);
}

TEST_CASE("the Argo CD bump has nothing to do the second time") {
    upgrade::testing::Harness harness;
    prepare(harness);
    REQUIRE(harness.apply<BumpArgoCd>().ok());
    CHECK(harness.preflight<BumpArgoCd>().nothing_to_do());
}

TEST_CASE("the Argo CD bump is blocked by an unexpected version, and says what to do") {
    upgrade::testing::Harness harness;
    prepare(harness);
    std::string text = harness.read(k_server);
    text.replace(text.find("v2.1.7"), 6, "v1.8.0");
    harness.write(k_server, text);
    const auto result = harness.preflight<BumpArgoCd>();
    CHECK(result.blocked());
    CHECK(result.message.find("v1.8.0") != std::string::npos);
    CHECK_FALSE(result.remedy.empty());
}

TEST_CASE("rolling the Argo CD bump back restores every byte") {
    upgrade::testing::Harness harness;
    prepare(harness);
    const auto before = harness.snapshot();
    REQUIRE(harness.apply<BumpArgoCd>().ok());
    REQUIRE(harness.rollback<BumpArgoCd>().ok());
    CHECK(harness.snapshot() == before);
}
