// SPDX-License-Identifier: Apache-2.0
// A plugin that crashes while it is loaded.
#include <cstdlib>
#include <upgrade/sdk.hpp>

namespace {
const int g_crash = [] {
    std::abort();
    return 0;
}();
}  // namespace

struct Crash final : upgrade::Upgrade {
    void apply(upgrade::Context& context) override { context.log(std::to_string(g_crash)); }
};

UPGRADE_PLUGIN(Crash)
