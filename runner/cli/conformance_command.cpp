// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "engine/conformance.hpp"
#include "support/output.hpp"

namespace runner {

int conformance_command(int argc, char** argv) {
    ConformanceRequest request;
    ParameterOptions parameters;
    std::string output = "text";
    CLI::App app(
        "Prove on a built plugin that it keeps the rules of an upgrade, in copies of a fixture. "
        "Its "
        "changing commands are really run.",
        "conformance");
    app.add_option("plugin", request.plugin, "the built plugin")->required();
    app.add_option("--fixture", request.fixture,
                   "a folder that the repository is a copy of (default: an empty one)")
        ->check(CLI::ExistingDirectory);
    app.add_option("--cluster-name", request.cluster_name,
                   "the name of the cluster that it runs on (default: demo)");
    add_parameter_options(app, parameters);
    app.add_option("-o,--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));
    app.footer(
        "Examples:\n"
        "  runner conformance build/plugins/upgrade_0.0.61.argocd.so --fixture examples/demo\n"
        "  runner conformance upgrade.so --fixture fixture -e size=10Gi -o json\n"
        "Exit code 0 when no rule is broken, 3 when one is.");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    request.parameters = parameters.read();
    const ProcessStopSignals signals;
    const SystemClock clock;
    const std::vector<RuleResult> results = prove_conformance(request, signals, clock);
    const bool good = std::none_of(results.begin(), results.end(), [](const RuleResult& result) {
        return result.verdict == RuleVerdict::broken;
    });
    if (output == "json") {
        Json document = {{"schemaVersion", 1}, {"conforms", good}, {"rules", Json::array()}};
        for (const RuleResult& result : results) {
            document["rules"].push_back({{"rule", result.rule},
                                         {"meaning", result.meaning},
                                         {"verdict", to_string(result.verdict)},
                                         {"detail", result.detail}});
        }
        print_json(document);
    } else {
        for (const RuleResult& result : results) {
            const char* word = result.verdict == RuleVerdict::kept     ? "ok"
                               : result.verdict == RuleVerdict::broken ? "BROKEN"
                                                                       : "-";
            print_line(padded(word, 6) + "  " + padded(result.rule, 26) + "  " + result.meaning +
                       (result.detail.empty() ? "" : ": " + result.detail));
        }
    }
    return good ? 0 : exit_code(Failure::preparation);
}

}  // namespace runner
