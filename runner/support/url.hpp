// SPDX-License-Identifier: Apache-2.0
// Addresses on the web, as far as it must be known whom they reach.
#pragma once

#include <string>
#include <string_view>

namespace runner {

/// `https://host:port`, in lower case, for telling hosts apart; empty when `url` has no scheme.
std::string origin_of(std::string_view url);

/// `url` without user and password, for messages.
std::string without_credentials(std::string_view url);

/// Whether `host`, a name or an address without brackets, can be this machine alone: `localhost`,
/// ::1, or 127.0.0.0/8 (RFC 1122, 3.2.1.3) written in full. `127.0.0.1.example.org` is a name like
/// any other.
bool is_loopback(const std::string& host);

/// Whether `url` is plain http to another machine: what it carries can be read and changed on its
/// way.
bool is_open_http(std::string_view url);

}  // namespace runner
