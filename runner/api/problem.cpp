// SPDX-License-Identifier: Apache-2.0
#include "api/problem.hpp"

#include <array>

namespace runner {
namespace {

constexpr std::array<TroubleFacts, k_troubles> k_facts{{
    {400, "malformed_request", "Bad Request",
     "The request is not what the description at /openapi.json says."},
    {401, "unauthenticated", "Unauthorized",
     "A valid token is needed: 'Authorization: Bearer TOKEN'."},
    {403, "forbidden", "Forbidden", "This needs a token with the role admin."},
    {404, "no_such_route", "Not Found", "There is nothing at this address; see /openapi.json."},
    {404, "no_such_cluster", "Not Found", "There is no cluster of this name."},
    {404, "no_such_job", "Not Found", "There is no job with this id."},
    {404, "no_such_log", "Not Found", "The job has nothing to do with this upgrade."},
    {404, "not_started_here", "Not Found",
     "The run was not started by this server: only its history is known."},
    {404, "nothing_failed", "Not Found",
     "The newest run of this cluster has left nothing to finish or to undo by hand."},
    {405, "method_not_allowed", "Method Not Allowed", "This address takes other methods."},
    {409, "job_active", "Conflict", "A run of this cluster is under way; nothing was started."},
    {409, "job_over", "Conflict", "The job is over."},
    {409, "rollback_not_possible", "Conflict",
     "Nothing can be rolled back; GET rollback-preflight says why."},
    {409, "idempotency_key_reused", "Conflict",
     "The idempotency key belongs to a job that was asked for something else."},
    {413, "body_too_large", "Content Too Large", "A body has at most 64 KiB."},
    {414, "address_too_long", "URI Too Long", "The address is too long."},
    {415, "unsupported_media_type", "Unsupported Media Type",
     "A body is one JSON document, not compressed: 'Content-Type: application/json'."},
    {422, "not_confirmed", "Unprocessable Content",
     "What is due causes downtime or is a step to another major version, which was not confirmed; "
     "nothing was changed."},
    {422, "missing_value", "Unprocessable Content",
     "Upgrades need values that they do not have; nothing was changed."},
    {422, "preparation_failed", "Unprocessable Content",
     "The preparation failed; nothing was changed."},
    {422, "refused", "Unprocessable Content", "That was refused; nothing was changed."},
    {429, "discovered_just_now", "Too Many Requests",
     "The releases were looked at less than 15 seconds ago."},
    {500, "apply_failed", "Internal Server Error",
     "The job failed after changes had begun; the job and its logs say how far it came."},
    {500, "internal", "Internal Server Error",
     "Something went wrong; the server's log says what, under the request's id."},
    {503, "busy", "Service Unavailable", "Too much is going on at once; try again."},
    {503, "unavailable", "Service Unavailable",
     "What is needed to answer cannot be read at present; the server's log says why."},
}};

}  // namespace

const TroubleFacts& facts_of(Trouble trouble) {
    return k_facts[static_cast<std::size_t>(trouble)];
}

Json problem_document(const Problem& problem, const std::string& request_id) {
    const TroubleFacts& facts = facts_of(problem.trouble);
    Json json = {{"type", "about:blank"},  {"title", facts.title}, {"status", facts.status},
                 {"detail", facts.detail}, {"code", facts.code},   {"requestId", request_id}};
    if (!problem.pointer.empty()) json["pointer"] = problem.pointer;
    json.update(problem.more);
    return json;
}

}  // namespace runner
