// SPDX-License-Identifier: Apache-2.0
// Namespaces move from the applications to the cluster folder, for this cluster's environment only.
#pragma once

#include <upgrade/sdk.hpp>

struct MoveNamespaces final : upgrade::Upgrade {
    static std::string environment(const upgrade::Context& context) {
        return "infrastructure/" + context.cluster_name();
    }

    static std::vector<std::string> namespaces(const upgrade::Context& context) {
        return context.files().glob(environment(context) + "/applications/*/namespace.yaml");
    }

    void preflight(upgrade::Context& context) override {
        if (namespaces(context).empty())
            throw upgrade::NothingToDo("no application holds a namespace");
        if (!context.files().exists(environment(context) + "/cluster/kustomization.yaml")) {
            throw upgrade::Blocked("the environment has no cluster/kustomization.yaml",
                                   "make the cluster folder first");
        }
    }

    void apply(upgrade::Context& context) override {
        for (const std::string& file : namespaces(context)) {
            const std::string folder = file.substr(0, file.rfind('/'));
            const std::string application = folder.substr(folder.rfind('/') + 1);
            context.step("move-" + application,
                         "move the namespace of " + application + " to the cluster", [&] {
                             const std::string entry = "namespaces/" + application + ".yaml";
                             context.files().move(file, environment(context) + "/cluster/" + entry);
                             context.yaml(folder + "/kustomization.yaml")
                                 .remove("resources[=namespace.yaml]");
                             context.yaml(environment(context) + "/cluster/kustomization.yaml")
                                 .set("resources[+]", entry);
                         });
        }
    }

    void verify(upgrade::Context& context) override {
        if (!namespaces(context).empty())
            throw std::runtime_error("an application still holds its namespace");
        context.kubectl().kustomize(environment(context) + "/cluster");
        for (const std::string& file :
             context.files().glob(environment(context) + "/applications/*/kustomization.yaml")) {
            context.kubectl().kustomize(file.substr(0, file.rfind('/')));
        }
    }
};
