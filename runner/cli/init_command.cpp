// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "support/file.hpp"

namespace runner {
namespace {

std::string config_text(const std::string& name, const std::string& original,
                        const std::string& directory, const std::string& repository) {
    std::string text =
        "# The cluster, and where its upgrades come from. 'runner init --schema' prints the JSON "
        "Schema of this file.\n"
        "apiVersion: runner/v1\n"
        "kind: Cluster\n"
        "metadata:\n"
        "  name: " +
        name +
        "\n"
        "  # region: eu-west-1\n"
        "  # accountID: \"123456789012\"\n\n"
        "# The version that the cluster was made with. Nothing at or below it ever runs.\n";
    text +=
        original.empty() ? "# originalVersion: 0.0.50\n" : "originalVersion: " + original + "\n";
    text +=
        "# latest, stable, or a version\n"
        "targetVersion: latest\n\n"
        "# The infrastructure repository that upgrades work in, and the ledger; relative to this "
        "file.\n"
        "repositoryDirectory: .\n"
        "state: .runner/state.db\n\n"
        "releases:\n";
    if (!directory.empty()) {
        text += "  source: directory\n  directory: " + directory + "\n";
    } else {
        text += "  source: github\n  repository: " +
                (repository.empty() ? std::string("OWNER/NAME") : repository) +
                "\n"
                "  # api: https://api.github.com   # also GitHub Enterprise (/api/v3) and Gitea or "
                "Forgejo (/api/v1)\n"
                "  # tokenEnv: GITHUB_TOKEN        # the variable's name, never the token\n";
    }
    text +=
        "  # prefix: upgrade                # what asset names begin with\n"
        "  # channel: stable                # preview takes pre-releases too\n\n"
        "trust:\n"
        "  # enabled: releases must be signed with one of these minisign keys; digests are always "
        "checked.\n"
        "  # publicKeys: [RWQ...]\n"
        "  verification: disabled\n\n"
        "# Environment variables of the upgrades, beside PATH, HOME and the like.\n"
        "# environment: {KUBECONFIG: ./kubeconfig}\n\n"
        "# Values for the parameters that upgrades declare.\n"
        "# parameters: {slackChannel: \"#ops\"}\n\n"
        "# What 'runner serve' does by itself.\n"
        "# schedule: {discover: 30m, window: {from: \"22:00\", to: \"04:00\"}}   # UTC\n"
        "# autoApprove: routine\n"
        "# webhooks: [{url: https://chat.example.org/hook, secretEnv: HOOK_SECRET}]\n";
    return text;
}

}  // namespace

int init_command(int argc, char** argv) {
    CommonOptions common;
    std::string name = "cluster";
    std::string original;
    std::string directory;
    std::string repository;
    bool schema = false;
    CLI::App app("Write a commented cluster config, and start the ledger.", "init");
    add_cluster_option(app, common);
    app.add_option("--name", name, "the cluster's name");
    app.add_option("--original-version", original, "the version that the cluster was made with");
    app.add_option("--directory", directory, "take releases from this folder");
    app.add_option("--repository", repository, "take releases from this repository, OWNER/NAME");
    app.add_flag("--schema", schema, "only print the JSON Schema of the config");
    app.footer(
        "Examples:\n"
        "  runner init --name demo --original-version 0.0.50 --repository "
        "oslokommune/okctl-upgrade\n"
        "  runner init -c clusters/demo.yaml --directory ../mirror");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (schema) {
        std::fputs(config_json_schema().c_str(), stdout);
        return 0;
    }
    if (!original.empty()) SemanticVersion::parse(original);
    const std::string file = cluster_file(common.cluster);
    const std::string text = config_text(name, original, directory, repository);
    ClusterConfig config;
    try {
        config = ClusterConfig::parse(text, file);
    } catch (const Error& error) {
        if (repository.empty() && directory.empty()) throw;
        throw Error(Failure::usage,
                    std::string("this would not be a valid config: ") + error.what());
    }
    create_file(file, text);
    const SystemClock clock;
    const auto ledger = open_ledger(config.state, clock);
    if (!ledger->facts().identity) {
        ledger->set_identity({config.name, config.region, config.account_id});
        if (config.original_version) ledger->set_original_version(*config.original_version);
    }
    std::printf("Wrote %s and started the ledger %s.\n", file.c_str(), config.state.c_str());
    if (original.empty()) std::puts("Next: write originalVersion into it.");
    if (repository.empty() && directory.empty())
        std::puts("Next: name the releases' repository in it.");
    return 0;
}

}  // namespace runner
