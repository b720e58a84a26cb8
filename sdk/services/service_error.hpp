// SPDX-License-Identifier: Apache-2.0
// A refusal inside a service, on its way to a status code.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "upgrade/abi.h"

namespace upgrade::services {

/// Carries the UPGRADE_* code that the plugin receives, and the text that the operator reads.
class Refusal : public std::runtime_error {
 public:
    Refusal(std::int32_t status, const std::string& message)
        : std::runtime_error(message), m_status(status) {}
    [[nodiscard]] std::int32_t status() const { return m_status; }

 private:
    std::int32_t m_status;
};

}  // namespace upgrade::services
