// SPDX-License-Identifier: Apache-2.0
// The one error type of the program: a closed code, a message that names both sides, and what to do
// next.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace runner {

/// Why an operation failed. The value decides the exit code.
enum class Failure {
    usage,        ///< wrong options or config; exit 2
    preparation,  ///< listing, download, verification, preflight, simulation, missing value; exit 3
    declined,     ///< the user answered no; exit 4
    lease_held,   ///< another run holds the lease; exit 5
    refused,      ///< downgrade, another cluster's ledger, newer ledger format; exit 6
    apply_failed,  ///< an upgrade failed after changes had begun; exit 1
    rolled_back,   ///< an upgrade failed and was rolled back; exit 8
};

/// The exit code that `failure` stands for.
int exit_code(Failure failure);

/// The exit code of what ended because of a stop signal, as shells have it.
int exit_code_of_signal(int signal);

/// The stable word for `failure` in JSON documents: `usage`, `preparation`, `declined`, …
const char* to_string(Failure failure);

/// An operation failed. `what()` says what, where and why; `next()` what to do about it (may be
/// empty). Both are harmless (model/harmless.hpp), whatever names and answers from outside they
/// hold.
class Error : public std::runtime_error {
 public:
    /// One line.
    Error(Failure failure, const std::string& message, const std::string& next = {});
    /// Several problems that were found together: one line each in `what()`.
    static Error of_lines(Failure failure, const std::vector<std::string>& problems,
                          const std::string& next = {});

    [[nodiscard]] Failure failure() const { return m_failure; }
    [[nodiscard]] const std::string& next() const { return m_next; }

    /// The same error as seen by a caller that knows better which side of the line it happened on.
    [[nodiscard]] Error as(Failure failure) const;

    /// The same error with "`context`: " before its message.
    [[nodiscard]] Error within(const std::string& context) const;

    /// The same error with "; `more`" after its message, and another next step.
    [[nodiscard]] Error followed_by(const std::string& more, const std::string& next) const;

 private:
    struct AsItIs {};
    Error(AsItIs, Failure failure, const std::string& message, std::string next);

    Failure m_failure;
    std::string m_next;
};

/// A preparation error for a failed system call: "`operation`: strerror(`error_number`)".
Error system_error(const std::string& operation, int error_number);

}  // namespace runner
