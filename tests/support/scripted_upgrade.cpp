// SPDX-License-Identifier: Apache-2.0
#include "support/scripted_upgrade.hpp"

#include <algorithm>
#include <memory>

namespace test {

using runner::Manifest;
using runner::PhaseEnd;
using runner::UpgradeVersion;

Judge good() {
    return [](const SeenWorld&) -> Judgement { return {}; };
}

Judge bad(PhaseEnd end, const std::string& message) {
    return [end, message](const SeenWorld&) -> Judgement { return {end, message}; };
}

Judge good_for(int times, PhaseEnd end, const std::string& message) {
    return [left = std::make_shared<int>(times), end, message](const SeenWorld&) -> Judgement {
        if ((*left)-- > 0) return {};
        return {end, message};
    };
}

std::string ScriptedUpgrade::tag() const {
    const UpgradeVersion parsed = UpgradeVersion::parse(version);
    return parsed.identifier.empty() ? version
                                     : parsed.semver.to_string() + '+' + parsed.identifier;
}

ScriptedUpgrade ScriptedUpgrade::of(const std::string& version) {
    ScriptedUpgrade upgrade;
    upgrade.version = version;
    upgrade.manifest = Manifest::undeclared(UpgradeVersion::parse(version));
    upgrade.manifest.declared = true;
    upgrade.manifest.description = "a scripted upgrade";
    upgrade.manifest.permissions = {};
    return upgrade;
}

ScriptedUpgrade& ScriptedUpgrade::step(ScriptedStep one) {
    if (!one.edits.empty()) manifest.permissions.write = {"."};
    if (!one.commands.empty() || !one.undo.empty()) manifest.permissions.commands = {"set"};
    steps.push_back(std::move(one));
    return *this;
}

ScriptedUpgrade& ScriptedUpgrade::edits(const std::string& path) {
    return step({.id = "edit " + path, .edits = {{.path = path, .line = version}}});
}

ScriptedUpgrade& ScriptedUpgrade::sets(const std::string& key, const std::string& value,
                                       const std::string& before) {
    return step({.id = "set " + key, .commands = {{key, value}}, .undo = {{key, before}}});
}

ScriptedUpgrade& ScriptedUpgrade::reversible() {
    manifest.reversible = true;
    return *this;
}

ScriptedUpgrade& ScriptedUpgrade::executable() {
    form = runner::UpgradeForm::executable;
    with_manifest = false;
    manifest = Manifest::undeclared(UpgradeVersion::parse(version));
    return *this;
}

ScriptedUpgrade& ScriptedUpgrade::fails(runner::HostPhase phase, std::size_t at, PhaseEnd end,
                                        int times) {
    faults.push_back({phase, at, end, times});
    return *this;
}

ScriptedUpgrade& ScriptedUpgrade::needs(const std::string& key, const std::string& value) {
    preflight = [key, value](const SeenWorld& world) -> Judgement {
        const std::string now = world.outside(key);
        if (now == value) return {};
        return {PhaseEnd::blocked, key + " is '" + now + "', not '" + value + "'"};
    };
    return *this;
}

}  // namespace test
