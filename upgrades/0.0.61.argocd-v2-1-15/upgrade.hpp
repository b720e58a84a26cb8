// SPDX-License-Identifier: Apache-2.0
// Argo CD from v2.1.7 to v2.1.15.
#pragma once

#include <upgrade/sdk.hpp>

struct BumpArgoCd final : upgrade::Upgrade {
    static constexpr auto k_old = "quay.io/argoproj/argocd:v2.1.7";
    static constexpr auto k_new = "quay.io/argoproj/argocd:v2.1.15";

    static std::string folder(const upgrade::Context& context) {
        return "infrastructure/" + context.cluster_name() + "/argocd";
    }
    static std::string image_of(const std::string& container) {
        return "spec.template.spec.containers[name=" + container + "].image";
    }

    void preflight(upgrade::Context& context) override {
        const auto image = context.yaml(folder(context) + "/server.yaml").get(image_of("server"));
        if (image == k_new) throw upgrade::NothingToDo("Argo CD is already at v2.1.15");
        if (image != k_old)
            throw upgrade::Blocked("expected Argo CD v2.1.7, found " + image,
                                   "bring Argo CD to v2.1.7 first");
    }

    void apply(upgrade::Context& context) override {
        context.step("bump", "set the Argo CD images to v2.1.15", [&] {
            context.yaml(folder(context) + "/server.yaml").set(image_of("server"), k_new);
            context.yaml(folder(context) + "/repo-server.yaml").set(image_of("repo-server"), k_new);
        });
    }

    void verify(upgrade::Context& context) override {
        context.kubectl().kustomize(folder(context));
    }
};
