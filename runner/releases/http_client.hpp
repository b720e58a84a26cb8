// SPDX-License-Identifier: Apache-2.0
// HTTP as this program needs it: several requests at a time, bounded in size and time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/digest.hpp"
#include "model/secret.hpp"

namespace runner {

struct HttpRequest {
    std::string url;                   ///< https, or http to a loopback address
    std::vector<std::string> headers;  ///< "Name: value"
    Secret token;  ///< sent as a bearer token, to the url's own host and port alone
    std::size_t size_limit = 64U << 20U;
    /// Where the body goes; empty: into the reply's body. A download is written there and renamed
    /// when it is whole and has `digest`.
    std::string file;
    std::optional<Digest> digest;
    /// Sent with POST: once, to this address and no other, within ten seconds. Absent: GET.
    std::optional<std::string> posted{};
};

struct HttpReply {
    int status = 0;
    std::map<std::string, std::string> headers;  ///< by lower-case name
    std::string body;
    std::string problem;  ///< why there is no usable reply; empty when there is one
};

class HttpClient {
 public:
    virtual ~HttpClient() = default;
    /// One reply a request, in the same order. Follows redirects, retries what may pass (of GET),
    /// never throws for a single request's failure: that is its reply's `problem`.
    virtual std::vector<HttpReply> send(
        const std::vector<HttpRequest>& requests,
        const std::function<void(std::uint64_t bytes)>& progress) = 0;
};

/// Whether `url` may be fetched: https, or plain http to a loopback address. Otherwise the reason.
std::string url_problem(std::string_view url);

/// How long to wait before another try after `reply`, the `attempt`-th (from 1); nothing when
/// trying again is useless.
std::optional<std::int64_t> retry_delay_ms(const HttpReply& reply, int attempt, std::int64_t now_s);

}  // namespace runner
