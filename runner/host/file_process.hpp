// SPDX-License-Identifier: Apache-2.0
// What changes a repository's files for an upgrade: a process of its own, in which no code of the
// upgrade runs. A plugin process cannot reach the originals; it hands over the new
// content, and the supervisor records what is about to be done before anything gets its name.
#pragma once

#include "host/frame.hpp"

namespace runner {

/// The `form` of a start message that asks for such a process.
constexpr const char* k_file_process_form = "files";

/// Makes the commits that arrive on `channel` until its other end is closed, within `start`'s
/// repository, write paths and folder of originals. The process has lost its privileges. Returns
/// the exit status. Throws Error when the sandbox is refused.
int file_process(FrameChannel& channel, Frame& start);

}  // namespace runner
