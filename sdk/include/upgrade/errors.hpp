// SPDX-License-Identifier: Apache-2.0
// How an upgrade says that it does not complete: it throws.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace upgrade {

/// preflight: it cannot run here until a person acts. `remedy` says what to do. Since 1.0.
class Blocked : public std::runtime_error {
 public:
    /// `reason`: what stands against it. `remedy`: what a person does about it.
    explicit Blocked(const std::string& reason, std::string remedy = {})
        : std::runtime_error(reason), m_remedy(std::move(remedy)) {}
    /// What a person does about it; may be empty.
    const std::string& remedy() const { return m_remedy; }

 private:
    std::string m_remedy;
};

/// preflight: everything is already as this upgrade would make it; it is recorded as done.
/// Since 1.0.
class NothingToDo : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

/// It did not complete for a reason that may be gone soon, such as a server that restarts: the
/// phase is tried again, a few times with growing pauses; in apply, what the unfinished step has
/// changed is put back first. All other failures are final at once. Since 1.0.
class Transient : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

/// The user answered no. Since 1.0.
class Aborted : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

/// The run is being cancelled; thrown by Context::step and by Context::check_cancelled. Since 1.0.
class Cancelled : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

/// A service refused or failed; the message says which and why. Since 1.0.
class ServiceError : public std::runtime_error {
 public:
    /// `status`: one of the UPGRADE_* codes of abi.h.
    ServiceError(std::int32_t status, const std::string& message)
        : std::runtime_error(message), m_status(status) {}
    /// One of the UPGRADE_* codes of abi.h.
    std::int32_t status() const { return m_status; }

 private:
    std::int32_t m_status;
};

}  // namespace upgrade
