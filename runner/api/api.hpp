// SPDX-License-Identifier: Apache-2.0
// The HTTP API: who may do what, and one function for each address. Thin over engine and ledger.
#pragma once

#include <httplib.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/clusters.hpp"
#include "api/http_server.hpp"
#include "api/jobs.hpp"
#include "api/problem.hpp"
#include "api/token_book.hpp"
#include "model/json.hpp"

namespace runner {

class Api;

/// One request that was let in.
struct Call {
    const httplib::Request& request;
    httplib::Response& response;
    std::map<std::string, std::string> path;  ///< its `{names}`
    std::string actor;                        ///< the token's name; empty where none is needed
    std::string id;

    /// Answers with a document.
    void reply(int status, const Json& document);
    /// A parameter after the question mark; throws Problem{malformed_request} when it stands there
    /// twice.
    [[nodiscard]] std::string query(const char* name) const;
    /// The body, an object with no other keys than these; empty: no keys. Throws
    /// Problem{malformed_request}.
    [[nodiscard]] Json body(const std::vector<const char*>& keys) const;
};

struct QueryParameter {
    const char* name;
    const char* schema;  ///< JSON
    const char* description;
};

/// An address with a method. The description at /openapi.json is made from these.
struct Route {
    const char* method;
    const char* path;
    std::optional<Role> role;  ///< that is needed; none: open to everybody
    void (*handle)(Api& api, Call& call);
    const char* operation;  ///< its id in the description
    const char* summary;
    std::vector<QueryParameter> query;
    const char* body;   ///< the schema's name; null: takes none
    int good_status;    ///< of a reply that is none of the troubles
    const char* reply;  ///< a schema's name, or a media type (with a slash)
    std::vector<Trouble> troubles;
};
const std::vector<Route>& all_routes();

/// OpenAPI 3.1.
Json openapi_document();

class Api {
 public:
    Api(HttpServer& server, Clusters& clusters, Jobs& jobs, TokenBook& tokens, const Clock& clock);

    /// Sets the server's handlers. Call once.
    void install();

    HttpServer& server() { return m_server; }
    Clusters& clusters() { return m_clusters; }
    Jobs& jobs() { return m_jobs; }
    TokenBook& tokens() { return m_tokens; }
    [[nodiscard]] const Clock& clock() const { return m_clock; }
    /// Throws Problem{no_such_cluster}.
    std::shared_ptr<Cluster> cluster(const Call& call);
    /// Throws Problem{no_such_job}.
    JobView job(const Call& call);
    /// How many requests were answered with which status, by operation.
    std::map<std::pair<std::string, int>, std::uint64_t> request_counts();

 private:
    struct Match {
        const Route* route = nullptr;
        std::map<std::string, std::string> path;
        std::string allowed;  ///< methods, when the address is there and the method is not
    };
    static Match match(const std::string& method, const std::string& path);
    /// Who asks, let in for this route. Throws Problem.
    std::string admit(const Route& route, const httplib::Request& request);
    void check_body(const Route& route, const httplib::Request& request);
    bool before_body(const httplib::Request& request, httplib::Response& response);
    void dispatch(const httplib::Request& request, httplib::Response& response, const Match& match,
                  const std::string& actor);
    void guarded(const httplib::Request& request, httplib::Response& response,
                 const std::function<void()>& work);
    static void render(const Problem& problem, const httplib::Request& request,
                       httplib::Response& response);
    void log_request(const httplib::Request& request, const httplib::Response& response);

    HttpServer& m_server;
    Clusters& m_clusters;
    Jobs& m_jobs;
    TokenBook& m_tokens;
    const Clock& m_clock;
    std::mutex m_mutex;
    std::map<std::pair<std::string, int>, std::uint64_t> m_counts;  // guarded by m_mutex
};

}  // namespace runner
