// SPDX-License-Identifier: Apache-2.0
// Loki keeps its logs on a volume of its own.
#pragma once

#include <upgrade/sdk.hpp>

struct PersistLoki final : upgrade::Upgrade {
    static std::string folder(const upgrade::Context& context) {
        return "infrastructure/" + context.cluster_name() + "/loki";
    }

    void preflight(upgrade::Context& context) override {
        const auto enabled =
            context.yaml(folder(context) + "/values.yaml").find("persistence.enabled");
        if (!enabled) {
            throw upgrade::Blocked(
                "Loki's values.yaml says nothing about persistence",
                "add 'persistence: {enabled: false}' to it, on lines of its own");
        }
        if (*enabled == "true") throw upgrade::NothingToDo("Loki's storage is persistent already");
    }

    void apply(upgrade::Context& context) override {
        const std::string loki = folder(context);
        const std::string size = context.parameter("lokiStorageSize");
        context.step("manifests", "claim a volume of " + size + " and let Loki use it", [&] {
            const auto values = context.yaml(loki + "/values.yaml");
            values.set("persistence.enabled", "true");
            values.set("persistence.size", size);
            values.set("config.table_manager.retention_deletes_enabled", "true");
            values.set("config.table_manager.retention_period", "336h");
            context.files().write(loki + "/volume.yaml", claim(size));
            const auto kustomization = context.yaml(loki + "/kustomization.yaml");
            if (!kustomization.find("resources[=volume.yaml]"))
                kustomization.set("resources[+]", "volume.yaml");
            context.yaml(loki + "/statefulset.yaml")
                .set("spec.template.spec.volumes[name=storage].persistentVolumeClaim.claimName",
                     "loki");
        });
        context.step("render", "render Loki's manifests into rendered.yaml for Argo CD", [&] {
            context.exec().render(loki + "/rendered.yaml", {"kubectl", "kustomize", loki});
        });
    }

    void verify(upgrade::Context& context) override {
        const std::string built = context.kubectl().kustomize(folder(context));
        if (built != context.files().read(folder(context) + "/rendered.yaml")) {
            throw std::runtime_error("what was rendered is not what the manifests say");
        }
        if (built.find("kind: PersistentVolumeClaim") == std::string::npos) {
            throw std::runtime_error("the built manifests claim no volume");
        }
    }

    static std::string claim(const std::string& size) {
        return "apiVersion: v1\n"
               "kind: PersistentVolumeClaim\n"
               "metadata:\n"
               "  name: loki\n"
               "spec:\n"
               "  accessModes: [ReadWriteOnce]\n"
               "  resources:\n"
               "    requests: {storage: " +
               size + "}\n";
    }
};
