// SPDX-License-Identifier: Apache-2.0
// The lease of every store, and how tests come between the writes of the one in memory.
#include "support/ledger_places.hpp"

using namespace runner;
using namespace test;

TEST_CASE("one holds the lease at a time, and others are told who") {
    EACH_PLACE(place);
    const auto first = place.start();
    const auto second = place.open();
    CHECK(first->acquire_lease(owner("r1")).empty());
    const LeaseInfo lease = place.look()->lease().value();
    CHECK(lease.owner + ' ' + lease.actor + ' ' + lease.host == "r1 tester here");
    CHECK(lease.pid == 7);
    CHECK(lease.acquired_at == place.clock.now);
    CHECK(lease.heartbeat_at == place.clock.now);
    CHECK_THROWS_WITH(second->acquire_lease(owner("r2")),
                      Catch::Contains("run r1 of tester on here, pid 7"));
    for (Ledger* ledger : {first.get(), second.get()})
        CHECK(failure_of([&] { ledger->acquire_lease(owner("r2")); }) == Failure::lease_held);
    second->release_lease();  // which it does not have
    CHECK(place.look()->lease()->owner == "r1");
    first->release_lease();
    CHECK_FALSE(place.look()->lease());
    CHECK(second->acquire_lease(owner("r2")).empty());
}

TEST_CASE("a lease whose holder died is taken over, and it is told from whom") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    place.open()->acquire_lease(owner("r1"));  // its process ends without releasing it
    CHECK(place.look()->lease()->owner == "r1");
    CHECK_THAT(ledger->acquire_lease(owner("r2")),
               Catch::Contains("took over the lease of run r1 of tester"));
    CHECK(place.history().back() == "lease_taken_over r2 ");
    CHECK(ledger->lease()->owner == "r2");
}

TEST_CASE("a lease of another host lives until its heartbeat is old") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    {
        const auto other = place.open();
        other->acquire_lease(owner("r1", "elsewhere"));
        place.clock.now += Time(1000);
        other->heartbeat();
    }
    CHECK(place.look()->lease()->heartbeat_at == place.clock.now);
    CHECK(place.look()->lease()->acquired_at == place.clock.now - Time(1000));
    place.clock.now += k_lease_expiry - Time(1);
    CHECK(failure_of([&] { ledger->acquire_lease(owner("r2")); }) == Failure::lease_held);
    place.clock.now += Time(1);
    CHECK_FALSE(ledger->acquire_lease(owner("r2")).empty());
}

TEST_CASE("a run whose lease was lost records nothing more") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    ledger->acquire_lease(owner("r1"));
    begin(*ledger, "r1");
    ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    ledger->record_files("r1", "0.0.2", "one", {change("f")});
    ledger->record_step("r1", "0.0.2", "one", {});
    place.lose_the_lock();
    const auto other = place.open();
    CHECK_FALSE(other->acquire_lease(owner("r2")).empty());
    const std::size_t events = place.history().size();
    for (const std::function<void()>& work : std::vector<std::function<void()>>{
             [&] { ledger->heartbeat(); },
             [&] { ledger->advance("r1", ended("0.0.2", Outcome::succeeded), attempt("0.0.3")); },
             [&] {
                 ledger->record_step("r1", "0.0.2", "two", {{{1, "k"}, "v"}});
             },
             [&] { ledger->record_files("r1", "0.0.2", "two", {change("g")}); },
             [&] { ledger->record_files_undone("r1", "0.0.2"); },
             [&] {
                 ledger->record_step_undone("r1", "0.0.2", "one", {{{1, "k"}, "v"}});
             },
             [&] { ledger->move_run("r1", RunState::applying, RunState::verifying); },
             [&] { finish(*ledger, "r1"); }}) {
        CHECK(failure_of(work) == Failure::apply_failed);
        CHECK_THROWS_WITH(work(), Catch::Contains("the lease was lost to run r2"));
    }
    CHECK(place.history().size() == events);
    CHECK(other->done().empty());
    CHECK(other->run("r1")->state == RunState::applying);
    CHECK(other->run("r1")->attempts.size() == 1);
    CHECK(other->finished_steps("0.0.2") == std::vector<std::string>{"one"});
    CHECK(other->changed_files("0.0.2").size() == 1);
    CHECK_FALSE(other->state_value(1, "", "k"));
    ledger->release_lease();
    CHECK(other->lease()->owner == "r2");
    other->heartbeat();
    other->release_lease();
    CHECK_FALSE(other->lease());
}

TEST_CASE("without a lease of its own a ledger records what it is told") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    place.open()->acquire_lease(owner("r2"));
    ledger->heartbeat();
    begin(*ledger, "r1");
    CHECK(ledger->run("r1")->state == RunState::applying);
}

TEST_CASE("a lock by hand keeps every run out until it is released by hand") {
    EACH_PLACE(place);
    const auto ledger = place.start();
    LeaseInfo freeze = owner("x");
    freeze.reason = "freeze";
    ledger->acquire_lease(owner("r1"));
    CHECK(failure_of([&] { place.open()->lock_by_hand(freeze); }) == Failure::lease_held);
    CHECK_FALSE(ledger->unlock_by_hand("who"));
    CHECK(place.look()->lease()->owner == "r1");
    ledger->release_lease();
    ledger->lock_by_hand(freeze);
    CHECK(place.look()->lease()->manual());
    CHECK(place.look()->lease()->reason == "freeze");
    place.clock.now += k_lease_expiry + Time(1);
    CHECK_THROWS_WITH(ledger->acquire_lease(owner("r1")), Catch::Contains("freeze"));
    CHECK_THROWS_WITH(place.open()->lock_by_hand(freeze), Catch::Contains("freeze"));
    CHECK(failure_of([&] { ledger->lock_by_hand(freeze); }) == Failure::lease_held);
    CHECK(place.open()->unlock_by_hand("who"));
    CHECK(ledger->acquire_lease(owner("r1")).empty());  // what was refused holds nothing back
    CHECK_FALSE(ledger->unlock_by_hand("who"));
}

namespace {

/// A ledger in memory, begun up to an attempt that was done.
struct Memory {
    StandingClock clock;
    MemoryLedgerStore store{clock, std::string(32, 'k')};
    std::unique_ptr<Ledger> ledger = store.open();
    Memory() {
        ledger->set_identity({"demo", "", ""});
        ledger->acquire_lease(owner("r1"));
        begin(*ledger, "r1");
        ledger->advance("r1", std::nullopt, attempt("0.0.2"));
    }
};

}  // namespace

TEST_CASE("a write that a test stops before did not happen, and one that it stops after did") {
    Memory memory;
    std::vector<std::string> calls;
    memory.store.before_write = [&](const char* call) {
        calls.emplace_back(call);
        throw std::string("died");
    };
    CHECK_THROWS_AS(memory.ledger->record_step("r1", "0.0.2", "one", {}), std::string);
    CHECK(memory.ledger->finished_steps("0.0.2").empty());
    memory.store.before_write = nullptr;
    memory.store.after_write = [&](const char* call) {
        calls.emplace_back(call);
        throw std::string("died");
    };
    CHECK_THROWS_AS(memory.ledger->record_step("r1", "0.0.2", "one", {}), std::string);
    CHECK(memory.store.look()->finished_steps("0.0.2") == std::vector<std::string>{"one"});
    CHECK(failure_of([&] {
              memory.ledger->move_run("r1", RunState::queued, RunState::fetching);
          }) == Failure::apply_failed);  // refused: there was no write to be after
    CHECK(calls == std::vector<std::string>{"record_step", "record_step"});
}

TEST_CASE("a test may take the lease away between two writes") {
    Memory memory;
    const auto other = memory.store.open();
    memory.store.before_write = [&](const char*) {
        memory.store.before_write = nullptr;
        memory.store.holder_died();
        other->acquire_lease(owner("r2"));
    };
    CHECK(failure_of([&] { memory.ledger->record_step("r1", "0.0.2", "one", {}); }) ==
          Failure::apply_failed);
    CHECK(memory.ledger->finished_steps("0.0.2").empty());
    CHECK(memory.ledger->lease()->owner == "r2");
}

TEST_CASE("a write that is stopped leaves the lease as the death of its process would") {
    StandingClock clock;
    MemoryLedgerStore store(clock);
    const auto ledger = store.open();
    store.before_write = [](const char*) { throw std::string("died"); };
    CHECK_THROWS_AS(ledger->acquire_lease(owner("r1")), std::string);
    CHECK_THROWS_AS(ledger->lock_by_hand(owner("r1")), std::string);
    CHECK_FALSE(store.look()->lease());
    store.before_write = nullptr;
    store.after_write = [](const char*) { throw std::string("died"); };
    CHECK_THROWS_AS(ledger->acquire_lease(owner("r1")), std::string);
    store.after_write = nullptr;
    CHECK_THAT(store.open()->acquire_lease(owner("r2")), Catch::Contains("r1"));
}

TEST_CASE("what was copied in memory is named, and a given key is the ledger's") {
    Memory memory;
    memory.ledger->copy_to("copies/r1.db");
    memory.ledger->copy_to("copies/r2.db");
    CHECK(memory.store.copies() ==
          std::vector<std::filesystem::path>{"copies/r1.db", "copies/r2.db"});
    CHECK(memory.store.look_at_copy("copies/r3.db") == nullptr);
    CHECK(memory.ledger->plan_key() == std::string(32, 'k'));
}
