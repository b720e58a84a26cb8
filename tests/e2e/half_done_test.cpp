// SPDX-License-Identifier: Apache-2.0
// What is half undone, or half applied, is never passed over: it is named everywhere until it is
// finished, undone or settled by hand.
#include "support/catch.hpp"

#include "support/worldly_sandbox.hpp"

using Catch::Contains;
using test::WorldlySandbox;

namespace {

/// One upgrade is done, and its rollback has failed half-way.
struct HalfUndone : WorldlySandbox {
    HalfUndone() {
        wish("0.1.10001 v1 v2 blocked\n");
        REQUIRE(upgrade().status == 0);
        break_it();
        const auto failed = run({"rollback", "--yes", "-o", "json"});
        REQUIRE(failed.status == 1);
        CHECK(failed.json()["outcome"] == "rollback_failed");
        CHECK_THAT(failed.err, Contains("0.1.10001 could not be rolled back") &&
                                   Contains("world set image v1"));
    }
    /// Whether every command that would say that all is well says what is wrong.
    void is_named() {
        const std::string words = "the rollback of 0.1.10001 failed half-way";
        for (const std::vector<std::string>& command : {std::vector<std::string>{"check"},
                                                        {"plan"},
                                                        {"verify"},
                                                        {"upgrade", "--yes"},
                                                        {"upgrade", "--dry-run"},
                                                        {"run", "0.1.10001"}}) {
            const auto result = run(command);
            INFO(command.front());
            CHECK(result.status != 0);
            CHECK_THAT(result.err, Contains(words) && Contains("runner rollback"));
        }
        const auto repair = run({"state", "repair", "--dry-run"});
        CHECK_THAT(repair.out, Contains(words) && Contains("runner rollback"));
    }
    void is_well() {
        CHECK(run({"check"}).status == 0);
        CHECK(run({"plan"}).status == 0);
        CHECK(run({"verify"}).status == 0);
        CHECK_THAT(run({"state", "repair", "--dry-run"}).out, !Contains("half-way"));
    }
};

/// One upgrade is done, the next has failed after its first step and stays so.
struct HalfApplied : WorldlySandbox {
    explicit HalfApplied(const std::string& plugin = "worldly") {
        wish("0.1.10001 v1 v2 blocked\n");
        REQUIRE(upgrade().status == 0);
        wish("0.1.10002 v2 v3 blocked\n", plugin);
        break_it();
        const auto failed = run({"upgrade", "--yes", "--no-auto-rollback"});
        REQUIRE(failed.status == 1);
        CHECK_THAT(failed.err, Contains("its finished steps stay: note"));
        REQUIRE(read("repository/notes") == "0.1.10001\n0.1.10002\n");
        mend_it();
    }
};

}  // namespace

TEST_CASE("a rollback that failed is named by every command, until it is finished") {
    HalfUndone world;
    world.is_named();
    // It is finished by doing it again, when the cause is mended.
    CHECK(world.run({"rollback", "--yes"}).status == 1);
    world.is_named();
    world.mend_it();
    world.is_named();
    CHECK(world.run({"rollback", "--yes"}).status == 0);
    CHECK(world.get("image") == "v1");
    CHECK_FALSE(world.exists("repository/notes"));
    CHECK(world.state()["upgrades"].empty());
    world.is_well();
    CHECK(world.upgrade().status == 0);
    CHECK(world.get("image") == "v2");
}

TEST_CASE("a rollback that failed is settled by hand, as done or as undone") {
    {
        HalfUndone world;
        world.mend_it();
        CHECK(world.run({"state", "record", "0.1.10001", "--reason", "it is as it was"}).status ==
              0);
        world.is_well();
        CHECK(world.state()["upgrades"].size() == 1);
        CHECK(world.upgrade().status == 0);
    }
    {
        HalfUndone world;
        world.mend_it();
        world.set("image", "v1");
        CHECK(world.run({"state", "forget", "0.1.10001", "--reason", "undone by hand"}).status ==
              0);
        world.is_well();
        CHECK(world.state()["upgrades"].empty());
        CHECK(world.upgrade().status == 0);
        CHECK(world.get("image") == "v2");
    }
}

TEST_CASE("an upgrade that failed half-way is what a rollback undoes first") {
    HalfApplied world;
    const auto looked = world.run({"rollback", "--dry-run"});
    CHECK(looked.status == 0);
    CHECK_THAT(looked.out, Contains("1 upgrade to roll back") && Contains("0.1.10002"));
    const auto result = world.run({"rollback", "--yes"});
    CHECK(result.status == 0);
    CHECK(world.read("repository/notes") == "0.1.10001\n");
    CHECK(world.get("image") == "v2");
    auto state = world.state();
    CHECK(state["upgrades"].size() == 1);
    CHECK(state["clusterVersion"] == "0.1.10001");
    // Then the one before it.
    CHECK(world.run({"rollback", "--yes"}).status == 0);
    CHECK(world.get("image") == "v1");
    CHECK(world.upgrade().status == 0);
    CHECK(world.read("repository/notes") == "0.1.10001\n0.1.10002\n");
    CHECK(world.get("image") == "v3");
}

TEST_CASE("a rollback to a version undoes first what failed half-way above it") {
    HalfApplied world;
    const auto result = world.run({"rollback", "--to", "0.1.0", "--yes"});
    CHECK(result.status == 0);
    CHECK_FALSE(world.exists("repository/notes"));
    CHECK(world.get("image") == "v1");
    CHECK(world.state()["upgrades"].empty());
    CHECK(world.upgrade().status == 0);
    CHECK(world.read("repository/notes") == "0.1.10001\n0.1.10002\n");
}

TEST_CASE("what failed half-way and cannot be undone blocks the rollback by its name") {
    HalfApplied world("worldly_for_good");
    const auto before = world.snapshot("repository");
    for (const std::vector<std::string>& command : {std::vector<std::string>{"rollback", "--yes"},
                                                    {"rollback", "--to", "0.1.0", "--yes"},
                                                    {"rollback", "--to", "0.1.0", "--dry-run"}}) {
        const auto refused = world.run(command);
        CHECK(refused.status == 6);
        CHECK_THAT(refused.err, Contains("0.1.10002 cannot be rolled back") &&
                                    Contains("does not say that it is reversible") &&
                                    Contains("nothing was changed"));
        CHECK(world.snapshot("repository") == before);
    }
    CHECK(world.upgrade().status == 0);  // it goes on after its finished step
    CHECK(world.get("image") == "v3");
    CHECK(world.read("repository/notes") == "0.1.10001\n0.1.10002\n");
}

TEST_CASE("what failed half-way goes on after its finished steps when it is run again") {
    HalfApplied world;
    const auto result = world.upgrade();
    CHECK(result.status == 0);
    CHECK(world.read("repository/notes") == "0.1.10001\n0.1.10002\n");
    CHECK(world.get("image") == "v3");
    CHECK_THAT(world.run({"rollback", "--dry-run"}).out, Contains("would run: world set image v2"));
}
