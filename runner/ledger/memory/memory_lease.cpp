// SPDX-License-Identifier: Apache-2.0
// The lease, and the lock by hand.
#include "ledger/memory/memory_writer.hpp"
#include "ledger/refusals.hpp"

namespace runner {

void MemoryLedger::lock() {
    if (m_store.m_lock_holder != nullptr) throw lease_held(m_store.m_tables->lease);
    m_store.m_lock_holder = this;
}

void MemoryLedger::unlock() {
    if (m_store.m_lock_holder == this) m_store.m_lock_holder = nullptr;
}

void MemoryLedger::require_lease() const {
    if (m_lease_owner.empty()) return;
    const auto& held = m_store.m_tables->lease;
    if (!held || held->owner != m_lease_owner) throw lease_lost(held);
}

void MemoryLedger::store_lease(LeaseInfo lease) {
    lease.acquired_at = now();
    lease.heartbeat_at = lease.acquired_at;
    m_store.m_tables->lease = std::move(lease);
}

std::string MemoryLedger::acquire_lease(const LeaseInfo& owner) {
    lock();
    std::string note;
    try {
        write("acquire_lease", [&](MemoryTables& tables) {
            if (tables.lease) {
                note = take_over(*tables.lease, owner, now());
                event("lease_taken_over", owner.owner, "");
            }
            store_lease(owner);
        });
    } catch (...) {
        unlock();
        throw;
    }
    m_lease_owner = owner.owner;
    return note;
}

void MemoryLedger::heartbeat() {
    write("heartbeat", [&](MemoryTables& tables) {
        require_lease();
        if (tables.lease && tables.lease->owner == m_lease_owner)
            tables.lease->heartbeat_at = now();
    });
}

void MemoryLedger::release_lease() {
    if (m_lease_owner.empty()) return;
    write("release_lease", [&](MemoryTables& tables) {
        if (tables.lease && tables.lease->owner == m_lease_owner) tables.lease.reset();
        m_lease_owner.clear();
        unlock();
    });
}

void MemoryLedger::lock_by_hand(const LeaseInfo& owner) {
    lock();
    try {
        write("lock_by_hand", [&](MemoryTables& tables) {
            if (tables.lease && tables.lease->manual()) throw lease_held(tables.lease);
            LeaseInfo manual = owner;
            manual.owner = "manual";
            store_lease(manual);
            event("locked", "", "");
            by_hand("locked", "", manual.actor, manual.reason);
        });
    } catch (...) {
        unlock();
        throw;
    }
    unlock();
}

bool MemoryLedger::unlock_by_hand(const std::string& actor) {
    bool was_locked = false;
    write("unlock_by_hand", [&](MemoryTables& tables) {
        was_locked = tables.lease && tables.lease->manual();
        if (!was_locked) return;
        tables.lease.reset();
        event("unlocked", "", "");
        by_hand("unlocked", "", actor);
    });
    return was_locked;
}

}  // namespace runner
