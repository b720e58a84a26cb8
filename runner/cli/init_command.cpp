// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "support/file.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

/// What goes into a new config.
struct InitRequest {
    std::string name = "cluster";
    std::string original;
    std::string directory;
    std::string repository;
    std::vector<std::string> keys;  ///< of those who release
};

/// Only signed releases are believed unless somebody decides otherwise. Whose signatures is for the
/// user to say: until then looking works, and `plan` says what is missing.
std::string trust_text(const InitRequest& request) {
    std::string text =
        "# Releases must be signed with one of these keys: minisign's, of those who release the\n"
        "# upgrades ('runner package --generate-key' makes one). warn goes on without, disabled "
        "checks digests alone.\n"
        "trust:\n"
        "  verification: enabled\n";
    if (request.keys.empty())
        return text + "  # publicKeys: [RWQ...]            # fill this in\n\n";
    return text + "  publicKeys: [" + join(request.keys, ", ") + "]\n\n";
}

std::string releases_text(const InitRequest& request) {
    std::string text = "releases:\n";
    if (request.directory.empty()) {
        const std::string& repository = request.repository;
        text += "  source: github\n  repository: " +
                (repository.empty() ? std::string("OWNER/NAME") : repository) +
                "\n"
                "  # api: https://api.github.com   # also GitHub Enterprise (/api/v3) and Gitea or "
                "Forgejo (/api/v1)\n"
                "  # tokenEnv: GITHUB_TOKEN        # the variable's name, never the token\n";
    } else {
        text += "  source: directory\n  directory: " + request.directory + '\n';
        text += request.repository.empty()
                    ? "  # repository: OWNER/NAME        # what signatures are made for: fill this "
                      "in\n"
                    : "  repository: " + request.repository + '\n';
    }
    return text +
           "  # prefix: upgrade                # what asset names begin with\n"
           "  # channel: stable                # preview takes pre-releases too\n\n";
}

std::string config_text(const InitRequest& request) {
    std::string text =
        "# The cluster, and where its upgrades come from. 'runner init --schema' prints the JSON "
        "Schema of this file.\n"
        "apiVersion: runner/v1\n"
        "kind: Cluster\n"
        "metadata:\n"
        "  name: " +
        request.name +
        "\n"
        "  # region: eu-west-1\n"
        "  # accountID: \"123456789012\"\n\n"
        "# The version that the cluster was made with. Nothing at or below it ever runs.\n";
    text += request.original.empty() ? "# originalVersion: 0.0.50\n"
                                     : "originalVersion: " + request.original + "\n";
    text +=
        "# latest, stable, or a version\n"
        "targetVersion: latest\n\n"
        "# The infrastructure repository that upgrades work in, and the ledger; relative to this "
        "file.\n"
        "repositoryDirectory: .\n"
        "state: .runner/state.db\n\n";
    text += releases_text(request) + trust_text(request);
    text +=
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
    InitRequest request;
    bool schema = false;
    CLI::App app("Write a commented cluster config, and start the ledger.", "init");
    add_cluster_option(app, common);
    app.add_option("--name", request.name, "the cluster's name");
    app.add_option("--original-version", request.original,
                   "the version that the cluster was made with");
    app.add_option("--directory", request.directory, "take releases from this folder");
    app.add_option("--repository", request.repository,
                   "take releases from this repository, OWNER/NAME; with --directory: what their "
                   "signatures are made for");
    app.add_option("--public-key", request.keys,
                   "believe releases that are signed with this minisign key; may be repeated");
    app.add_flag("--schema", schema, "only print the JSON Schema of the config");
    app.footer(
        "Examples:\n"
        "  runner init --name demo --original-version 0.0.50 --repository "
        "oslokommune/okctl-upgrade\n"
        "  runner init -c clusters/demo.yaml --directory ../mirror --repository OWNER/NAME "
        "--public-key RWQ…");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (schema) {
        print_document(config_json_schema());
        return 0;
    }
    if (!request.original.empty()) SemanticVersion::parse(request.original);
    const std::string file = cluster_file(common.cluster);
    const std::string text = config_text(request);
    ClusterConfig config;
    try {
        config = ClusterConfig::parse(text, file);
    } catch (const Error& error) {
        if (request.repository.empty() && request.directory.empty()) throw;
        throw error.within("this would not be a valid config");
    }
    create_file(file, text);
    const SystemClock clock;
    const auto ledger = open_ledger(config.state, clock);
    if (!ledger->facts().identity) start_if_new(*ledger, config);
    print_line("Wrote " + file + " and started the ledger " + config.state.string() + '.');
    if (request.original.empty()) print_line("Next: write originalVersion into it.");
    if (request.repository.empty())
        print_line("Next: name in it, as releases.repository, whose releases it takes.");
    if (request.keys.empty())
        print_line(
            "Next: name in it, as trust.publicKeys, the keys of those who release: until then "
            "'plan' only warns, and 'upgrade' refuses.");
    return 0;
}

}  // namespace runner
