// SPDX-License-Identifier: Apache-2.0
// A ledger in memory, for tests of what uses a ledger: it behaves as the one in SQLite does, call
// by call (tests/integration/ledger_store_test.cpp runs one suite on both), it is fast, and tests
// can come between. One thread at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/ledger_store.hpp"
#include "ledger/memory/memory_tables.hpp"
#include "support/clock.hpp"

namespace runner {

/// Must outlive the ledgers that it opens; what was looked at outlives it. Each ledger that is
/// opened stands for a process of its own: when it is destroyed with the lease not released, its
/// lease is a dead holder's.
class MemoryLedgerStore final : public LedgerStore {
 public:
    /// `clock` must outlive the store. `plan_key`: the key of the ledger, for tests that must come
    /// out the same each time; empty: 32 random characters.
    explicit MemoryLedgerStore(const Clock& clock, std::string plan_key = {});

    /// Sees what is committed, also what is committed later.
    std::unique_ptr<LedgerView> look() override;
    std::unique_ptr<Ledger> open() override;

    /// Called before each write with the name of the call (`advance`, `record_step`, …; copy_to is
    /// one, too), also before one that is then refused. When it throws, nothing was written. It may
    /// write through another ledger, declare the holder dead, or take itself out; the hooks are not
    /// called for what it does.
    std::function<void(const char* call)> before_write;
    /// Called after each write that was committed. When it throws, it is written all the same.
    std::function<void(const char* call)> after_write;

    /// The process that holds the lease is gone; what it wrote stays. Its ledger may be destroyed
    /// later, and must not be written through, but to see that a lost lease is noticed.
    void holder_died();

    /// Every event so far, the oldest first.
    [[nodiscard]] const std::vector<MemoryEvent>& history() const { return m_tables->history; }

    /// The files that copy_to was called with. A copy is not in the file system.
    [[nodiscard]] std::vector<std::filesystem::path> copies() const;
    /// The ledger as it was when it was copied to `file`; null when it was not.
    [[nodiscard]] std::unique_ptr<LedgerView> look_at_copy(const std::filesystem::path& file) const;

 private:
    friend class MemoryLedger;

    void call_hook(const std::function<void(const char* call)>& hook, const char* call);

    const Clock& m_clock;
    std::string m_plan_key;
    std::shared_ptr<MemoryTables> m_tables = std::make_shared<MemoryTables>();
    std::map<std::filesystem::path, std::shared_ptr<const MemoryTables>> m_copies;
    const void* m_lock_holder =
        nullptr;  ///< the kernel's half of the lease: the ledger that has it
    bool m_in_hook = false;
};

}  // namespace runner
