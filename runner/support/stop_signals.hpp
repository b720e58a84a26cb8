// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP as a count and a descriptor to wait on.
#pragma once

#include <signal.h>

#include <array>
#include <chrono>

#include "support/unique_fd.hpp"

namespace runner {

/// What asks a run to stop.
constexpr std::array<int, 3> k_stop_signals{SIGINT, SIGTERM, SIGHUP};

bool is_stop_signal(int number);

/// How insistently the user wants the run to stop.
class StopSignals {
 public:
    virtual ~StopSignals() = default;
    /// How many stop signals have come. 1: finish the current upgrade; 2: cancel it; 3: kill it.
    [[nodiscard]] virtual int count() const = 0;
    /// The first signal's number; 0 when none has come.
    [[nodiscard]] virtual int first_signal() const = 0;
    /// Becomes readable with each signal; -1 when there is nothing to wait on. Stays readable until
    /// drained.
    [[nodiscard]] virtual int descriptor() const = 0;
    virtual void drain() const = 0;
    /// Waits until a signal is there to be told of, or for `length`; one that was not drained ends
    /// it at once.
    virtual void wait(std::chrono::milliseconds length) const;
};

/// The process's own signals. Those that were ignored when it was made stay so. A reader of its
/// output that goes away (SIGPIPE) stops nothing. One object at a time; restores the earlier
/// handlers when it ends.
class ProcessStopSignals final : public StopSignals {
 public:
    ProcessStopSignals();
    ~ProcessStopSignals() override;
    ProcessStopSignals(const ProcessStopSignals&) = delete;
    ProcessStopSignals& operator=(const ProcessStopSignals&) = delete;

    [[nodiscard]] int count() const override;
    [[nodiscard]] int first_signal() const override;
    [[nodiscard]] int descriptor() const override { return m_read_end.get(); }
    void drain() const override;

 private:
    UniqueFd m_read_end;
    UniqueFd m_write_end;
};

}  // namespace runner
