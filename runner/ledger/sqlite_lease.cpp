// SPDX-License-Identifier: Apache-2.0
// The lease, and the lock by hand.
#include "ledger/beside.hpp"
#include "ledger/refusals.hpp"
#include "ledger/sqlite_store.hpp"

namespace runner {

void SqliteLedger::store_lease(const LeaseInfo& lease) {
    const StatementUse insert = m_database->statement(
        "INSERT OR REPLACE INTO lease (id, owner, actor, host, pid, reason, acquired_at, "
        "heartbeat_at) "
        "VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?6)");
    insert.bind(1, lease.owner);
    insert.bind(2, lease.actor);
    insert.bind(3, lease.host);
    insert.bind(4, lease.pid);
    insert.bind(5, lease.reason);
    insert.bind(6, m_clock.wall().count());
    insert.exec();
}

std::string SqliteLedger::acquire_lease(const LeaseInfo& owner) {
    if (!m_lease_file.try_lock(lock_beside(m_file))) throw lease_held(lease());
    std::string note;
    try {
        write([&] {
            const auto held = m_queries.lease();
            if (held) note = take_over(*held, owner, m_clock.wall());
            store_lease(owner);
            if (held)
                event("lease_taken_over", owner.owner, "",
                      {{"from", held->owner}, {"host", held->host}});
        });
    } catch (...) {
        m_lease_file.unlock();
        throw;
    }
    m_lease_owner = owner.owner;
    return note;
}

void SqliteLedger::heartbeat() {
    write([this] {
        require_lease();
        const StatementUse update =
            m_database->statement("UPDATE lease SET heartbeat_at = ? WHERE owner = ?");
        update.bind(1, m_clock.wall().count());
        update.bind(2, m_lease_owner);
        update.exec();
    });
}

void SqliteLedger::require_lease() {
    if (m_lease_owner.empty()) return;
    const auto held = m_queries.lease();
    if (held && held->owner == m_lease_owner) return;
    throw lease_lost(held);
}

void SqliteLedger::release_lease() {
    if (m_lease_owner.empty()) return;
    write([this] {
        const StatementUse remove = m_database->statement("DELETE FROM lease WHERE owner = ?");
        remove.bind(1, m_lease_owner);
        remove.exec();
    });
    m_lease_owner.clear();
    m_lease_file.unlock();
}

void SqliteLedger::lock_by_hand(const LeaseInfo& owner) {
    if (!m_lease_file.try_lock(lock_beside(m_file))) throw lease_held(lease());
    try {
        write([&] {
            const auto held = m_queries.lease();
            if (held && held->manual()) throw lease_held(held);
            LeaseInfo manual = owner;
            manual.owner = "manual";
            store_lease(manual);
            event("locked", "", "", {{"actor", owner.actor}, {"reason", owner.reason}});
        });
    } catch (...) {
        m_lease_file.unlock();
        throw;
    }
    m_lease_file.unlock();
}

bool SqliteLedger::unlock_by_hand(const std::string& actor) {
    bool was_locked = false;
    write([&] {
        was_locked = m_database->connection().exec("DELETE FROM lease WHERE owner = 'manual'") > 0;
        if (was_locked) event("unlocked", "", "", {{"actor", actor}});
    });
    return was_locked;
}

}  // namespace runner
