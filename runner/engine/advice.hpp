// SPDX-License-Identifier: Apache-2.0
// Commands that messages advise for what people settle by hand: each can be pasted as it stands.
#pragma once

#include <string>

namespace runner {

/// `runner state record VERSION --reason 'WHY'`: what somebody has finished, or found to be done.
/// `config`: the cluster config's file; empty: the command finds it by itself.
std::string record_by_hand(const std::string& version, const std::string& why = "finished by hand",
                           const std::string& config = {});

/// `runner state forget VERSION --reason 'WHY'`: what somebody has undone.
std::string forget_by_hand(const std::string& version, const std::string& why = "undone by hand",
                           const std::string& config = {});

/// Either of the two, for somebody who has put it right: `why_done` where it was finished.
std::string settle_by_hand(const std::string& version, const std::string& why_done);

/// What to do about an upgrade that is recorded as done and undone in part.
std::string ways_out_of_half_undone(const std::string& version);

}  // namespace runner
