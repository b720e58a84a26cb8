// SPDX-License-Identifier: Apache-2.0
// The lease from the engine's side: who takes it, waiting for it, giving it back.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "ledger/ledger.hpp"
#include "model/error.hpp"
#include "support/clock.hpp"
#include "support/stop_signals.hpp"

namespace runner {

/// A stop signal came while nothing had been changed.
struct Interrupted {
    int signal;
};

/// Throws Interrupted when a stop signal has come.
void check_interrupted(const StopSignals& signals);

/// The lease for as long as this lives.
class LeaseHolder {
 public:
    explicit LeaseHolder(Ledger& ledger) : m_ledger(ledger) {}
    ~LeaseHolder() {
        try {
            m_ledger.release_lease();
        } catch (const Error&) {  // the kernel releases the file lock; the row is taken over by the
                                  // next run
        }
    }
    LeaseHolder(const LeaseHolder&) = delete;
    LeaseHolder& operator=(const LeaseHolder&) = delete;

 private:
    Ledger& m_ledger;
};

/// How often a run that waits or works says that it lives.
constexpr std::chrono::milliseconds k_heartbeat_interval{5000};

/// Heartbeats of the lease, at most one in each interval.
class Heart {
 public:
    explicit Heart(const Clock& clock) : m_clock(clock), m_last(clock.steady()) {}
    void beat(Ledger& ledger) {
        if (m_clock.steady() - m_last < k_heartbeat_interval) return;
        m_last = m_clock.steady();
        ledger.heartbeat();
    }

 private:
    const Clock& m_clock;
    std::chrono::milliseconds m_last;
};

/// Who, where and as what: for the ledger.
LeaseInfo make_lease_owner(const std::string& run);
/// Whether whoever holds the lease lives, by what this host can see.
bool is_live(const LeaseInfo& lease, const Clock& clock);
/// A run's id: sortable by time, unique.
std::string make_run_id(const Clock& clock);
/// Up to 64 letters, digits and '-', fit for a file name.
bool is_run_id(const std::string& id);
/// Whether a run can have this id, empty for any: it is one, and not in the ledger
/// yet. Throws Error{usage}.
void check_run_id(LedgerView& ledger, const std::string& id);
/// Takes the lease, waiting up to `wait`; `told` hears once for whom. Returns what the ledger says
/// of it. Throws Error{lease_held}, Interrupted.
std::string acquire_lease(Ledger& ledger, const LeaseInfo& owner, std::chrono::milliseconds wait,
                          const StopSignals& signals, const Clock& clock,
                          const std::function<void(const std::string&)>& told);

}  // namespace runner
