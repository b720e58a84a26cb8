// SPDX-License-Identifier: Apache-2.0
// The program behind `runner serve` and `runner releases serve`: what speaks HTTP.
#include <CLI/CLI.hpp>

#include <pthread.h>

#include <cstdio>
#include <filesystem>

#include "api/api.hpp"
#include "api/serve.hpp"
#include "cli/release_server.hpp"
#include "model/error.hpp"
#include "support/log.hpp"
#include "support/output.hpp"
#include "support/secret_memory.hpp"

namespace runner {
namespace {

/// The HTTP library's regular expressions call themselves for each byte of what they are matched
/// with: addresses and header lines, of at most 8 KiB, in threads whose stack would be `ulimit -s`.
constexpr std::size_t k_thread_stack = 8U << 20U;

void set_stack_of_threads() {
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) return;
    if (::pthread_attr_setstacksize(&attributes, k_thread_stack) != 0 ||
        ::pthread_setattr_default_np(&attributes) != 0)
        log_warning("threads have the stack of 'ulimit -s': the system refuses another");
    ::pthread_attr_destroy(&attributes);
}

struct Address {
    std::string host;
    int port = 0;
};

Address parse_address(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (port.empty() || port.size() > 5 ||
        port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535)
        throw Error(Failure::usage, "--listen '" + text + "': expected ADDRESS:PORT");
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    return {host, std::stoi(port)};
}

int serve(int argc, char** argv) {
    CLI::App app(
        "What speaks HTTP for runner; use it as 'runner serve' or 'runner releases serve'.",
        "runner-http");
    app.require_subcommand(1);
    std::string listen;
    ReleaseServerOptions releases;
    CLI::App* releases_app = app.add_subcommand("releases", "a folder of releases");
    releases_app->add_option("directory", releases.directory)->required();
    releases_app->add_option("--listen", listen)->required();
    releases_app->add_option("--repository", releases.repository)->required();
    ServeOptions api;
    bool debug = false;
    CLI::App* api_app = app.add_subcommand("api", "the HTTP API");
    api_app->add_option("--clusters", api.clusters)->required();
    api_app->add_option("--listen", listen)->required();
    api_app->add_option("--tls-cert", api.certificate);
    api_app->add_option("--tls-key", api.key);
    api_app->add_option("--tokens", api.tokens)->required();
    api_app->add_flag("--insecure", api.insecure);
    api_app->add_flag("--debug", debug);
    app.add_subcommand("openapi", "the description of the HTTP API");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        print_document(app.help());
        return 0;
    } catch (const CLI::ParseError& error) {
        throw Error(Failure::usage, error.what(), "'runner-http --help' shows the options");
    }
    if (app.got_subcommand("openapi")) {
        print_document(dump_json(openapi_document(), 2) + '\n');
        return 0;
    }
    const Address address = parse_address(listen);
    set_stack_of_threads();
    if (releases_app->parsed()) {
        releases.host = address.host;
        releases.port = address.port;
        return serve_releases(releases);
    }
    keep_memory_to_itself();  // tokens and secrets of jobs
    log_with_times();
    start_log(debug);
    api.address = address.host;
    api.port = address.port;
    api.program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "runner";
    return serve_api(api);
}

}  // namespace
}  // namespace runner

int main(int argc, char** argv) {
    try {
        return runner::serve(argc, argv);
    } catch (const runner::Error& error) {
        runner::log_failure(error.what(), error.next());
        return runner::exit_code(error.failure());
    } catch (const std::exception& error) {
        runner::log_error(std::string("unexpected: ") + error.what() + "; this is a bug in runner");
        return runner::exit_code(runner::Failure::preparation);
    }
}
