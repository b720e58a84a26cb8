// SPDX-License-Identifier: Apache-2.0
#include "support/url.hpp"

#include <arpa/inet.h>

#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::string_view k_after_scheme = "://";

/// The host of what origin_of returned, without port and brackets.
std::string host_of(const std::string& origin) {
    const std::size_t begin = origin.find(k_after_scheme) + k_after_scheme.size();
    if (origin.compare(begin, 1, "[") == 0)
        return origin.substr(begin + 1, origin.find(']', begin) - begin - 1);
    return origin.substr(begin, origin.find(':', begin) - begin);
}

}  // namespace

std::string origin_of(std::string_view url) {
    const std::size_t scheme_end = url.find(k_after_scheme);
    if (scheme_end == std::string_view::npos) return {};
    std::string_view host = url.substr(scheme_end + k_after_scheme.size());
    host = host.substr(0, host.find_first_of("/?#"));
    if (const std::size_t at = host.rfind('@'); at != std::string_view::npos)
        host.remove_prefix(at + 1);
    return lower(url.substr(0, scheme_end)) + std::string(k_after_scheme) + lower(host);
}

std::string without_credentials(std::string_view url) {
    const std::string origin = origin_of(url);
    if (origin.empty()) return std::string(url);
    const std::string_view rest = url.substr(url.find(k_after_scheme) + k_after_scheme.size());
    const std::size_t path = rest.find_first_of("/?#");
    return origin +
           (path == std::string_view::npos ? std::string() : std::string(rest.substr(path)));
}

bool is_loopback(const std::string& host) {
    in_addr v4{};
    in6_addr v6{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == 127;
    if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
    return host == "localhost";
}

bool is_open_http(std::string_view url) {
    const std::string origin = origin_of(url);
    return origin.starts_with("http://") && !is_loopback(host_of(origin));
}

}  // namespace runner
