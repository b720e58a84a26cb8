// SPDX-License-Identifier: Apache-2.0
#include "api/api.hpp"

#include <algorithm>

#include "model/error.hpp"
#include "model/harmless.hpp"
#include "support/log.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_path = 512;
constexpr const char* k_problem_type = "application/problem+json";

/// What the library itself has found wrong.
Trouble trouble_of(int status) {
    switch (status) {
        case 404:
            return Trouble::no_such_route;
        case 413:
            return Trouble::body_too_large;
        case 414:
            return Trouble::address_too_long;
        case 503:
            return Trouble::busy;
        default:
            return status < 500 ? Trouble::malformed_request : Trouble::internal;
    }
}

std::string request_id(const httplib::Request& request) {
    const std::string id = request.get_header_value("X-Request-Id");
    return id.empty() ? random_hex(8) : id;
}

/// The last request's, for the log that is written when its reply is.
struct Exchange {
    std::string id;
    std::string operation;
    std::string actor;
    std::chrono::milliseconds begun{};
};
thread_local Exchange t_exchange;

}  // namespace

void Call::reply(int status, const Json& document) {
    response.status = status;
    response.set_content(dump_json(document) + '\n', "application/json");
}

std::string Call::query(const char* name) const {
    if (request.get_param_value_count(name) > 1)
        throw Problem{Trouble::malformed_request, std::string(name) + " is there twice"};
    return request.get_param_value(name);
}

Json Call::body(const std::vector<const char*>& keys) const {
    if (request.body.empty()) return Json::object();
    Json document;
    try {
        document = parse_json(request.body, "the body");
    } catch (const Error& error) {
        throw Problem{Trouble::malformed_request, error.what()};
    }
    if (!document.is_object()) throw Problem{Trouble::malformed_request, "the body is no object"};
    for (const auto& member : document.items()) {
        const std::string& key = member.key();
        const bool known =
            std::any_of(keys.begin(), keys.end(), [&](const char* name) { return key == name; });
        if (!known)
            throw Problem{Trouble::malformed_request, "unknown member in the body", Json::object(),
                          0, "/" + shortened(harmless(key), 64)};
    }
    return document;
}

Api::Api(HttpServer& server, Clusters& clusters, Jobs& jobs, TokenBook& tokens, const Clock& clock)
    : m_server(server), m_clusters(clusters), m_jobs(jobs), m_tokens(tokens), m_clock(clock) {}

std::shared_ptr<Cluster> Api::cluster(const Call& call) {
    auto cluster = m_clusters.find(call.path.at("cluster"));
    if (!cluster) throw Problem{Trouble::no_such_cluster};
    return cluster;
}

JobView Api::job(const Call& call) {
    auto job = m_jobs.find(call.path.at("job"));
    if (!job) throw Problem{Trouble::no_such_job};
    return std::move(*job);
}

Api::Match Api::match(const std::string& method, const std::string& path) {
    Match match;
    if (path.size() > k_max_path) return match;
    const std::vector<std::string> parts = split(path, '/');
    for (const Route& route : all_routes()) {
        const std::vector<std::string> wanted = split(route.path, '/');
        if (wanted.size() != parts.size()) continue;
        std::map<std::string, std::string> names;
        bool same = true;
        for (std::size_t i = 0; same && i < parts.size(); ++i) {
            if (wanted[i].starts_with('{')) {
                same = !parts[i].empty();
                names[wanted[i].substr(1, wanted[i].size() - 2)] = parts[i];
            } else {
                same = wanted[i] == parts[i];
            }
        }
        if (!same) continue;
        if (route.method == method || (method == "HEAD" && route.method == std::string("GET"))) {
            match.route = &route;
            match.path = std::move(names);
            return match;
        }
        match.allowed += (match.allowed.empty() ? "" : ", ") + std::string(route.method);
    }
    return match;
}

std::string Api::admit(const Route& route, const httplib::Request& request) {
    if (!route.role) return {};
    constexpr std::string_view k_scheme = "Bearer ";
    const std::string header = request.get_header_value("Authorization");
    std::optional<Token> token;
    if (header.compare(0, k_scheme.size(), k_scheme) == 0) {
        try {
            token = m_tokens.find(std::string_view(header).substr(k_scheme.size()));
        } catch (const Error& error) {
            throw Problem{Trouble::unavailable, error.what()};
        }
    }
    if (!token) throw Problem{Trouble::unauthenticated};
    if (*route.role == Role::admin && token->role != Role::admin)
        throw Problem{Trouble::forbidden, token->name + " is a reader"};
    return token->name;
}

void Api::check_body(const Route& route, const httplib::Request& request) {
    const std::string length = request.get_header_value("Content-Length");
    const bool has_body =
        request.has_header("Transfer-Encoding") || (!length.empty() && length != "0");
    if (!has_body) return;
    if (request.has_header("Transfer-Encoding") && !length.empty())
        throw Problem{Trouble::malformed_request, "two lengths of one body"};
    const std::string type = request.get_header_value("Content-Type");
    if (route.body == nullptr)
        throw Problem{Trouble::malformed_request, "a body where none is taken"};
    if (type.substr(0, type.find(';')) != "application/json" ||
        request.has_header("Content-Encoding"))
        throw Problem{Trouble::unsupported_media_type};
    if (length.size() > 9 ||
        (!length.empty() && std::strtoul(length.c_str(), nullptr, 10) > m_server.body_limit()))
        throw Problem{Trouble::body_too_large};
}

void Api::guarded(const httplib::Request& request, httplib::Response& response,
                  const std::function<void()>& work) {
    Problem problem;
    try {
        work();
        return;
    } catch (const Problem& thrown) {
        problem = thrown;
    } catch (const Error& error) {
        problem = {Trouble::unavailable, error.what()};
    } catch (const std::exception& error) {
        problem = {Trouble::internal, error.what()};
    }
    render(problem, request, response);
    if (!problem.cause.empty() || facts_of(problem.trouble).status >= 500)
        log_warning("request " + request_id(request) + ": " + facts_of(problem.trouble).code +
                    ": " + problem.cause);
}

void Api::render(const Problem& problem, const httplib::Request& request,
                 httplib::Response& response) {
    response.status = facts_of(problem.trouble).status;
    if (response.status == 401) response.set_header("WWW-Authenticate", "Bearer");
    const int retry_after = problem.retry_after_s > 0 ? problem.retry_after_s
                            : response.status == 503  ? 1
                                                      : 0;
    if (retry_after > 0) response.set_header("Retry-After", std::to_string(retry_after));
    response.set_content(dump_json(problem_document(problem, request_id(request))) + '\n',
                         k_problem_type);
    // A body that was not read would be taken for the next request.
    if (request.body.empty() &&
        (request.has_header("Transfer-Encoding") || request.has_header("Content-Length")))
        HttpServer::close_after_reply();
}

bool Api::before_body(const httplib::Request& request, httplib::Response& response) {
    t_exchange = {request_id(request), "", "", m_clock.steady()};
    response.set_header("X-Request-Id", request_id(request));
    response.set_header("Cache-Control", "no-store");
    response.set_header("X-Content-Type-Options", "nosniff");
    bool handled = true;
    guarded(request, response, [&] {
        const Match found = match(request.method, request.path);
        if (found.route == nullptr) {
            if (found.allowed.empty()) throw Problem{Trouble::no_such_route};
            response.set_header("Allow", found.allowed);
            throw Problem{Trouble::method_not_allowed};
        }
        t_exchange.operation = found.route->operation;
        t_exchange.actor = admit(*found.route, request);
        check_body(*found.route, request);
        if (request.method == "POST") {
            handled = false;
        } else {
            dispatch(request, response, found, t_exchange.actor);
        }
    });
    return handled;
}

void Api::dispatch(const httplib::Request& request, httplib::Response& response, const Match& match,
                   const std::string& actor) {
    for (const auto& parameter : request.params) {
        const std::string& name = parameter.first;
        const bool known =
            std::any_of(match.route->query.begin(), match.route->query.end(),
                        [&](const QueryParameter& query) { return name == query.name; });
        if (!known) throw Problem{Trouble::malformed_request, "unknown parameter " + name};
    }
    Call call{request, response, match.path, actor, request_id(request)};
    match.route->handle(*this, call);
}

void Api::install() {
    using Handled = httplib::Server::HandlerResponse;
    m_server.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
            return before_body(request, response) ? Handled::Handled : Handled::Unhandled;
        });
    m_server.Post(".*", [this](const httplib::Request& request, httplib::Response& response) {
        guarded(request, response, [&] {
            const Match found = match(request.method, request.path);
            if (found.route == nullptr) throw Problem{Trouble::no_such_route};
            dispatch(request, response, found, t_exchange.actor);
        });
    });
    m_server.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
        if (!response.body.empty()) return;
        const int status = response.status;
        render({trouble_of(status)}, request, response);
        HttpServer::close_after_reply();
    });
    m_server.set_exception_handler(
        [](const httplib::Request& request, httplib::Response& response,
           const std::exception_ptr&) { render({Trouble::internal}, request, response); });
    m_server.set_expect_100_continue_handler(
        [](const httplib::Request&, httplib::Response&) { return 100; });
    m_server.set_logger([this](const httplib::Request& request, const httplib::Response& response) {
        log_request(request, response);
    });
}

void Api::log_request(const httplib::Request& request, const httplib::Response& response) {
    // One that could not be read came to nobody: the last one's facts are not its own.
    if (request.get_header_value("X-Request-Id") != t_exchange.id)
        t_exchange = {"", "", "", m_clock.steady()};
    {
        const std::lock_guard lock(m_mutex);
        ++m_counts[{t_exchange.operation, response.status}];
    }
    if (response.status < 400 && request.method != "POST") return;  // looking is no news
    log_info("request " + request_id(request) + ": " + request.method + ' ' +
             shortened(harmless(request.path), k_max_path) + ": " +
             std::to_string(response.status) +
             (t_exchange.actor.empty() ? "" : " for " + t_exchange.actor) + ", " +
             std::to_string((m_clock.steady() - t_exchange.begun).count()) + " ms");
}

std::map<std::pair<std::string, int>, std::uint64_t> Api::request_counts() {
    const std::lock_guard lock(m_mutex);
    return m_counts;
}

}  // namespace runner
