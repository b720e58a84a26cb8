#include "upgrade.hpp"

#include <testing/catch.hpp>
#include <testing/harness.hpp>

TEST_CASE("@VERSION@ writes its file, and its simulation only shows it") {
    upgrade::testing::Harness harness;
    const auto before = harness.snapshot();
    const auto simulated = harness.simulate<@CLASS@>();
    REQUIRE(simulated.ok());
    CHECK(simulated.changes.size() == 1);
    CHECK(harness.snapshot() == before);

    REQUIRE(harness.apply<@CLASS@>().ok());
    CHECK(harness.read(@CLASS@::k_file) == "@VERSION@\n");
    CHECK(harness.verify<@CLASS@>().ok());
}

TEST_CASE("@VERSION@ has nothing to do the second time") {
    upgrade::testing::Harness harness;
    REQUIRE(harness.apply<@CLASS@>().ok());
    CHECK(harness.preflight<@CLASS@>().nothing_to_do());
}

TEST_CASE("@VERSION@, rolled back, leaves every byte as it was") {
    upgrade::testing::Harness harness;
    const auto before = harness.snapshot();
    REQUIRE(harness.apply<@CLASS@>().ok());
    REQUIRE(harness.rollback<@CLASS@>().ok());
    CHECK(harness.snapshot() == before);
}
