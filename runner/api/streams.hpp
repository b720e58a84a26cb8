// SPDX-License-Identifier: Apache-2.0
// Replies that go on while a job does: its events, and the logs of its upgrades.
#pragma once

#include <cstdint>

#include "api/api.hpp"

namespace runner {

/// Server-sent events from the one after `last_id` on (0: from the first). Ends after the job.
/// Throws Problem{busy}.
void stream_events(Api& api, Call& call, const JobView& job, std::uint64_t last_id);

/// The bytes of a log, as they come, until its upgrade's attempt or the job is over. Throws
/// Problem{busy}.
void stream_log(Api& api, Call& call, const JobView& job, const std::string& version,
                const std::filesystem::path& log);

}  // namespace runner
