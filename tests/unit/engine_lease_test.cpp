// SPDX-License-Identifier: Apache-2.0
// Who holds the lease, under which id, and how long somebody waits for it.
#include "engine/lease_holder.hpp"

#include <cstdlib>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/engine_world.hpp"

using namespace test;
using namespace runner;
using Catch::Contains;

namespace {

/// RUNNER_ACTOR is this, or not set, as long as it lives.
class Actor {
 public:
    explicit Actor(const char* name) {
        if (const char* before = std::getenv(k_variable)) m_before = before;
        set(name);
    }
    ~Actor() { set(m_before ? m_before->c_str() : nullptr); }
    Actor(const Actor&) = delete;
    Actor& operator=(const Actor&) = delete;

 private:
    static constexpr const char* k_variable = "RUNNER_ACTOR";
    static void set(const char* name) {
        name == nullptr ? ::unsetenv(k_variable) : ::setenv(k_variable, name, 1);
    }
    std::optional<std::string> m_before;
};

std::string actor() {
    return make_lease_owner("run").actor;
}

Failure failure_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.failure();
    }
    FAIL("nothing was thrown");
    return Failure::usage;
}

}  // namespace

TEST_CASE("an actor is who is named, else the user") {
    std::string user;
    {
        const Actor nobody_named(nullptr);
        user = actor();
    }
    CHECK_FALSE(user.empty());
    {
        const Actor named("erna");
        CHECK(actor() == "erna");
    }
    const Actor empty("");
    CHECK(actor() == user);
}

TEST_CASE("an id of a run is up to 64 letters, digits and dashes, the first no dash") {
    for (const std::string& good : {std::string("a"), std::string("20260101T000000Z-0aF"),
                                    std::string("a-"), std::string(64, 'x')})
        CHECK(is_run_id(good));
    for (const std::string& bad :
         {std::string(), std::string("-a"), std::string("a_b"), std::string("a/b"),
          std::string("a b"), std::string("a.b"), std::string(65, 'x')})
        CHECK_FALSE(is_run_id(bad));
    CHECK(is_run_id(make_run_id(FakeClock())));
    CHECK(make_run_id(FakeClock()) != make_run_id(FakeClock()));
}

TEST_CASE("a run is given an id that is one, and that no run has") {
    World world;
    world.publish(ScriptedUpgrade::of("0.0.51").edits("a"));
    UpgradeRequest request = World::yes();
    request.run_id = "mine";
    REQUIRE(world.upgrade(request)->exit_code == 0);
    const auto view = world.ledgers.look();
    CHECK_NOTHROW(check_run_id(*view, ""));
    CHECK_NOTHROW(check_run_id(*view, "yours"));
    CHECK(failure_of([&] { check_run_id(*view, "mine"); }) == Failure::usage);
    CHECK(failure_of([&] { check_run_id(*view, "no id"); }) == Failure::usage);
}

TEST_CASE("who waits for the lease says so once, and gives up when the time is over") {
    World world;
    world.lock_by_hand();
    UpgradeRequest request = World::yes();
    std::size_t waits = 0;
    world.signals.while_waiting = [&] { ++waits; };
    CHECK(world.upgrade(request)->exit_code == 5);
    CHECK(waits == 0);
    CHECK_FALSE(world.reporter.told("waiting up to"));
    request.wait = std::chrono::seconds(3);
    const auto report = world.upgrade(request);
    CHECK(report->exit_code == 5);
    CHECK(report->error->changed == "no");
    CHECK(waits > 20);
    CHECK(waits <= 30);
    CHECK(world.reporter.count("notice: waiting up to 3s: ") == 1);
    CHECK_FALSE(world.reporter.told("nothing was changed"));
}

TEST_CASE("a signal that came before a lease was asked for at once leaves the lease's own words") {
    World world;
    world.lock_by_hand();
    const auto ledger = world.ledgers.open();
    world.signals.signals = 1;
    const auto acquire = [&](std::chrono::milliseconds wait) {
        acquire_lease(*ledger, make_lease_owner("run"), wait, world.signals, world.clock,
                      [](const std::string&) {});
    };
    CHECK(failure_of([&] { acquire(std::chrono::milliseconds(0)); }) == Failure::lease_held);
    CHECK_THROWS_AS(acquire(std::chrono::seconds(1)), Interrupted);
}

TEST_CASE("nobody waits for a lease that cannot be taken for another reason than its holder") {
    World world;
    world.at("before acquire_lease", 1, fail_disk);
    UpgradeRequest request = World::yes();
    request.wait = std::chrono::minutes(1);
    CHECK(world.upgrade(request)->exit_code == 3);
    CHECK(world.signals.waits.empty());
}

TEST_CASE("a lease that nobody had is taken without a word") {
    World world;
    REQUIRE(world.upgrade()->exit_code == 0);
    CHECK_FALSE(world.reporter.told("notice: "));
}
