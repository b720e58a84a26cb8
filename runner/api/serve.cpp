// SPDX-License-Identifier: Apache-2.0
#include "api/serve.hpp"

#include <malloc.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <thread>

#include "api/api.hpp"
#include "api/keeper.hpp"
#include "model/error.hpp"
#include "services/program.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"
#include "support/output.hpp"
#include "support/stop_signals.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

constexpr int k_heaps = 4;

}  // namespace

int serve_api(const ServeOptions& options) {
    if (options.certificate.empty() != options.key.empty())
        throw Error(Failure::usage, "--tls-cert and --tls-key belong together");
    if (!is_loopback(options.address) && options.certificate.empty() && !options.insecure)
        throw Error(
            Failure::usage,
            "--listen " + options.address + ": tokens would travel in the clear to other hosts",
            "give --tls-cert and --tls-key; or --insecure, when something before it speaks "
            "TLS");
    const std::string problem = upgrade::services::why_no_program(options.program.string());
    if (!problem.empty())
        throw Error(Failure::preparation, problem + "; it belongs beside runner-http");
    // Eighty threads that mostly wait would each keep a heap of their own.
    ::mallopt(M_ARENA_MAX, k_heaps);
    const SystemClock clock;
    const ProcessStopSignals signals;
    std::atomic<bool> stopping{false};
    Clusters clusters(options.clusters, clock, [&] { return stopping.load(); });
    TokenBook tokens(options.tokens, clock);
    if (tokens.count() == 0)
        log_warning("there is no token in " + options.tokens.string() +
                    ": nobody is let in until 'runner token create' makes one");
    std::unique_ptr<TlsContext> tls;
    if (!options.certificate.empty())
        tls = std::make_unique<TlsContext>(options.certificate, options.key);
    const bool secure = tls != nullptr;
    HttpServerOptions http;
    http.address = options.address;
    http.port = options.port;
    HttpServer server(http, std::move(tls), clock);
    Jobs jobs(clusters, clock, options.program);
    Api api(server, clusters, jobs, tokens, clock);
    api.install();
    for (const auto& [name, cluster] : clusters.all())
        log_info("serving the cluster " + name + " of " + cluster->file().string());
    Webhooks webhooks(clusters, clock, [&] { return stopping.load(); });
    Keeper keeper(clusters, jobs, webhooks, clock);
    const bool bare = options.address.find(':') == std::string::npos;
    print_line(std::string("Serving at ") + (secure ? "https" : "http") + "://" +
               (bare ? options.address : '[' + options.address + ']') + ':' +
               std::to_string(server.port()));
    std::thread serving([&] { server.run(); });
    pollfd waiting{signals.descriptor(), POLLIN, 0};
    while (signals.count() == 0) ::poll(&waiting, 1, -1);
    log_info("stopping; jobs go on");
    stopping = true;
    server.stop_serving();
    serving.join();
    return 0;
}

}  // namespace runner
