// SPDX-License-Identifier: Apache-2.0
// An upgrade that does nothing: for measuring what the runner itself costs.
#include <upgrade/sdk.hpp>

struct Nothing final : upgrade::Upgrade {
    void apply(upgrade::Context&) override {}
};

UPGRADE_PLUGIN(Nothing)
