// SPDX-License-Identifier: Apache-2.0
// The supervisor's end of one child of the host parent.
#pragma once

#include <cstdint>
#include <functional>

#include "host/frame.hpp"
#include "support/unique_fd.hpp"

namespace runner {

/// One process at the other end of a socket.
struct Child {
    std::uint32_t id = 0;
    FrameChannel channel;
    UniqueFd output;
};

/// Starts one. Throws Error.
using MakeChild = std::function<Child()>;

}  // namespace runner
