// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/common.hpp"

namespace runner {

int serve_command(int argc, char** argv) {
    std::vector<std::string> clusters;
    std::string listen = "127.0.0.1:8765";
    std::string certificate;
    std::string key;
    std::string tokens;
    bool insecure = false;
    bool debug = false;
    bool openapi = false;
    CLI::App app(
        "The HTTP API: check, start, watch and undo upgrades of several clusters. Upgrades run as "
        "jobs of their own, which go on when the server stops.",
        "serve");
    app.add_option(
        "--clusters", clusters,
        "cluster configs, and folders of them (*.yaml, *.yml; default: $RUNNER_CLUSTER, else "
        "cluster.yaml)");
    app.add_option("--listen", listen,
                   "address and port; port 0: any free one (default 127.0.0.1:8765)");
    app.add_option("--tls-cert", certificate, "the certificate with its chain, PEM");
    app.add_option("--tls-key", key, "its key, PEM");
    app.add_option("--tokens", tokens,
                   "who may use it (default: $RUNNER_TOKENS, else tokens.json); 'runner token' "
                   "writes it");
    app.add_flag("--insecure", insecure, "plain HTTP on other addresses than loopback is meant");
    app.add_flag("--openapi", openapi, "only print the description of the API");
    app.add_flag("--debug", debug, "more output");
    app.footer(
        "Examples:\n"
        "  runner token create --name me --role admin\n"
        "  runner serve --clusters clusters/\n"
        "  runner serve --clusters clusters/ --listen 0.0.0.0:8765 --tls-cert cert.pem --tls-key "
        "key.pem");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (openapi) become_http_program({"openapi"});
    std::vector<std::string> arguments{"api", "--listen", listen, "--tokens", token_file(tokens)};
    if (clusters.empty()) clusters.push_back(cluster_file(""));
    for (const std::string& place : clusters) arguments.push_back("--clusters=" + place);
    if (!certificate.empty()) arguments.push_back("--tls-cert=" + certificate);
    if (!key.empty()) arguments.push_back("--tls-key=" + key);
    if (insecure) arguments.emplace_back("--insecure");
    if (debug) arguments.emplace_back("--debug");
    become_http_program(arguments);
}

}  // namespace runner
