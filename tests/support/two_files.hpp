// SPDX-License-Identifier: Apache-2.0
// Two upgrades that are done, to be undone.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/engine_world.hpp"

namespace test {

inline std::optional<runner::RunReport> undo(World& world, const std::string& target = "") {
    return world.rollback(World::rollback_request(target));
}

/// What was undone, in order.
inline std::vector<std::string> undone(const World& world) {
    std::vector<std::string> versions;
    const std::string begin = "rollback begins: ";
    for (const std::string& event : world.reporter.events) {
        if (event.rfind(begin, 0) == 0)
            versions.push_back(
                event.substr(begin.size(), event.find(' ', begin.size()) - begin.size()));
    }
    return versions;
}

/// 0.0.51 edits `app`, 0.0.52 edits `conf`; both are done.
struct TwoFiles {
    World world;
    TwoFiles() {
        world.now.files = {{"app", "old\n"}, {"conf", "old\n"}};
        world.publish(ScriptedUpgrade::of("0.0.51").edits("app"));
        world.publish(ScriptedUpgrade::of("0.0.52").edits("conf"));
        if (world.upgrade()->exit_code != 0) throw std::runtime_error("not done");
        world.stage.phases.clear();
    }
};

}  // namespace test
