// SPDX-License-Identifier: Apache-2.0
// The program behind `runner releases serve`.
#include <CLI/CLI.hpp>

#include "cli/release_server.hpp"
#include "model/error.hpp"
#include "support/log.hpp"

int main(int argc, char** argv) {
    runner::ReleaseServerOptions options;
    std::string listen = "127.0.0.1:8770";
    CLI::App app("The release server of runner; use it as 'runner releases serve'.", "runner-http");
    app.add_option("directory", options.directory, "the folder with a folder per tag")->required();
    app.add_option("--listen", listen, "address and port");
    app.add_option("--repository", options.repository, "OWNER/NAME")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        const std::size_t colon = listen.rfind(':');
        const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
        if (port.empty() || port.size() > 5 ||
            port.find_first_not_of("0123456789") != std::string::npos) {
            throw runner::Error(runner::Failure::usage,
                                "--listen '" + listen + "': expected ADDRESS:PORT");
        }
        options.host = listen.substr(0, colon);
        options.port = std::stoi(port);
        return runner::serve_releases(options);
    } catch (const runner::Error& error) {
        runner::log_error(error.what());
        return runner::exit_code(error.failure());
    }
}
