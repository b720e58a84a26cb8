// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "config/token_file.hpp"
#include "support/clock.hpp"
#include "support/output.hpp"

namespace runner {
namespace {

Json token_document(const std::vector<Token>& tokens) {
    Json json = {{"schemaVersion", 1}, {"tokens", Json::array()}};
    for (const Token& token : tokens)
        json["tokens"].push_back({{"name", token.name},
                                  {"role", to_string(token.role)},
                                  {"createdAt", format_time(token.created_at)},
                                  {"expiresAt", optional_time(token.expires_at)}});
    return json;
}

void list(const std::vector<Token>& tokens, std::chrono::milliseconds now) {
    std::vector<std::vector<std::string>> table{{"NAME", "ROLE", "CREATED", "EXPIRES"}};
    for (const Token& token : tokens) {
        const bool over = token.expires_at && *token.expires_at <= now;
        table.push_back({token.name, to_string(token.role), format_time(token.created_at),
                         !token.expires_at
                             ? "never"
                             : format_time(*token.expires_at) + (over ? " (expired)" : "")});
    }
    print_table(table);
}

}  // namespace

std::string token_file(const std::string& named) {
    if (!named.empty()) return named;
    const char* variable = std::getenv("RUNNER_TOKENS");
    return variable != nullptr && *variable != '\0' ? variable : "tokens.json";
}

int token_command(int argc, char** argv) {
    std::string file;
    std::string output = "text";
    std::string name;
    std::string role = "reader";
    std::string lifetime;
    CLI::App app("The tokens of the HTTP API. A server takes changes up at once.", "token");
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--tokens", file, "the file (default: $RUNNER_TOKENS, else tokens.json)");
    app.add_option("-o,--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));
    CLI::App* create_app =
        app.add_subcommand("create", "a new token: printed once, and kept nowhere but as a hash");
    create_app->add_option("--name", name, "of the person or program that gets it")->required();
    create_app->add_option("--role", role, "reader looks, admin acts, too; default: reader")
        ->check(CLI::IsMember({"reader", "admin"}));
    create_app->add_option("--expires", lifetime, "after so long, such as 720h; default: never");
    CLI::App* list_app = app.add_subcommand("list", "names, roles and times; never tokens");
    CLI::App* revoke_app = app.add_subcommand("revoke", "from now on nobody's");
    revoke_app->add_option("name", name, "the token's")->required();
    app.footer(
        "Examples:\n"
        "  runner token create --name ci --role admin --expires 2160h\n"
        "  runner token list\n"
        "  runner token revoke ci");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    const SystemClock clock;
    file = token_file(file);
    if (revoke_app->parsed()) {
        revoke_token(file, name);
        return 0;
    }
    if (list_app->parsed()) {
        const std::vector<Token> tokens = read_tokens(file);
        if (output == "json") {
            print_json(token_document(tokens));
        } else {
            list(tokens, clock.wall());
        }
        return 0;
    }
    std::optional<std::chrono::milliseconds> until;
    if (!lifetime.empty()) until = parse_duration_option(lifetime, "--expires");
    const std::string token =
        create_token(file, name, role_from(role).value_or(Role::reader), clock.wall(), until);
    if (output == "json") {
        print_json({{"schemaVersion", 1}, {"name", name}, {"role", role}, {"token", token}});
    } else {
        print_value(token);
    }
    return 0;
}

}  // namespace runner
