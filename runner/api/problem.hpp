// SPDX-License-Identifier: Apache-2.0
// What a refused request is told (RFC 9457): fixed texts, which give nothing away. The cause goes
// to the log, under the request's id.
#pragma once

#include <string>

#include "model/json.hpp"

namespace runner {

enum class Trouble {
    malformed_request,
    unauthenticated,
    forbidden,
    no_such_route,
    no_such_cluster,
    no_such_job,
    no_such_log,
    not_started_here,
    nothing_failed,
    method_not_allowed,
    job_active,
    job_over,
    rollback_not_possible,
    key_reused,
    body_too_large,
    address_too_long,
    unsupported_media_type,
    not_confirmed,
    missing_value,
    preparation_failed,
    refused,
    discovered_just_now,
    apply_failed,
    internal,
    busy,
    unavailable,
};

inline constexpr int k_troubles = static_cast<int>(Trouble::unavailable) + 1;

/// HTTP status, stable code, title and text of a trouble.
struct TroubleFacts {
    int status;
    const char* code;
    const char* title;
    const char* detail;
};
const TroubleFacts& facts_of(Trouble trouble);

/// Thrown by whoever handles a request.
struct Problem {
    Trouble trouble = Trouble::internal;
    std::string cause{};         ///< for the log alone
    Json more = Json::object();  ///< further members of the document
    int retry_after_s = 0;       ///< 0: no such header
    std::string pointer{};       ///< which part of the body is meant, as a JSON pointer
};

/// The document.
Json problem_document(const Problem& problem, const std::string& request_id);

}  // namespace runner
