// SPDX-License-Identifier: Apache-2.0
// A hotfix: anonymous access to Grafana is turned off.
#pragma once

#include <upgrade/sdk.hpp>

struct CloseGrafana final : upgrade::Upgrade {
    static constexpr auto k_switch =
        "spec.template.spec.containers[name=grafana].env[name=GF_AUTH_ANONYMOUS_ENABLED].value";

    static std::string folder(const upgrade::Context& context) {
        return "infrastructure/" + context.cluster_name() + "/grafana";
    }

    void preflight(upgrade::Context& context) override {
        if (context.yaml(folder(context) + "/deployment.yaml").find(k_switch).value_or("false") ==
            "false") {
            throw upgrade::NothingToDo("anonymous access is off already");
        }
    }

    void apply(upgrade::Context& context) override {
        context.step("close", "turn anonymous access to Grafana off", [&] {
            context.yaml(folder(context) + "/deployment.yaml").set(k_switch, "false");
        });
    }

    void verify(upgrade::Context& context) override {
        context.kubectl().kustomize(folder(context));
    }
};
