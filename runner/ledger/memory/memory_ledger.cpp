// SPDX-License-Identifier: Apache-2.0
#include "ledger/memory/memory_ledger.hpp"

#include <utility>

#include "ledger/memory/memory_writer.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_key_length = 32;

}  // namespace

MemoryLedgerStore::MemoryLedgerStore(const Clock& clock, std::string plan_key)
    : m_clock(clock), m_plan_key(std::move(plan_key)) {}

std::unique_ptr<LedgerView> MemoryLedgerStore::look() {
    return std::make_unique<MemoryReader<LedgerView>>(m_tables);
}

std::unique_ptr<Ledger> MemoryLedgerStore::open() {
    if (!m_tables->plan_key)
        m_tables->plan_key = m_plan_key.empty() ? random_hex(k_key_length / 2) : m_plan_key;
    return std::make_unique<MemoryLedger>(*this);
}

void MemoryLedgerStore::holder_died() {
    m_lock_holder = nullptr;
}

std::vector<std::filesystem::path> MemoryLedgerStore::copies() const {
    std::vector<std::filesystem::path> files;
    for (const auto& [file, tables] : m_copies) files.push_back(file);
    return files;
}

std::unique_ptr<LedgerView> MemoryLedgerStore::look_at_copy(
    const std::filesystem::path& file) const {
    const auto found = m_copies.find(file);
    if (found == m_copies.end()) return nullptr;
    return std::make_unique<MemoryReader<LedgerView>>(found->second);
}

void MemoryLedgerStore::call_hook(const std::function<void(const char* call)>& hook,
                                  const char* call) {
    if (!hook || m_in_hook) return;
    struct Within {
        explicit Within(bool& flag) : m_flag(flag) { m_flag = true; }
        ~Within() { m_flag = false; }
        Within(const Within&) = delete;
        Within& operator=(const Within&) = delete;
        bool& m_flag;
    };
    const Within within(m_in_hook);
    const auto called = hook;  // it may take itself out meanwhile
    called(call);
}

}  // namespace runner
