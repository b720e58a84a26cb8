// SPDX-License-Identifier: Apache-2.0
#include "engine/advice.hpp"

#include "support/text.hpp"

namespace runner {
namespace {

std::string state_command(const std::string& what, const std::string& version,
                          const std::string& why, const std::string& config) {
    return "runner state " + what + ' ' + version + " --reason " + shell_quoted(why) +
           (config.empty() ? "" : " -c " + shell_quoted(config));
}

}  // namespace

std::string record_by_hand(const std::string& version, const std::string& why,
                           const std::string& config) {
    return state_command("record", version, why, config);
}

std::string forget_by_hand(const std::string& version, const std::string& why,
                           const std::string& config) {
    return state_command("forget", version, why, config);
}

std::string settle_by_hand(const std::string& version, const std::string& why_done) {
    return record_by_hand(version, why_done) + "   or: " + forget_by_hand(version);
}

std::string ways_out_of_half_undone(const std::string& version) {
    return "mend the cause and finish it with 'runner rollback'; or put right by hand what 'runner "
           "logs " +
           version + "' shows, and then: " + settle_by_hand(version, "put right by hand");
}

}  // namespace runner
