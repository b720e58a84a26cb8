// SPDX-License-Identifier: Apache-2.0
// Where a ledger is kept, as the engine sees it: it can be looked at, and opened.
#pragma once

#include <memory>

#include "ledger/ledger.hpp"

namespace runner {

/// The ledger of one cluster, wherever it is.
class LedgerStore {
 public:
    virtual ~LedgerStore() = default;
    /// For looking: changes nothing. A ledger that is not there looks empty. Throws
    /// Error{preparation} when it cannot be read, Error{refused} when it is of a newer format.
    virtual std::unique_ptr<LedgerView> look() = 0;
    /// For writing; it is made or migrated when needed. Throws as look does.
    virtual std::unique_ptr<Ledger> open() = 0;
};

}  // namespace runner
