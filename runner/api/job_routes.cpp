// SPDX-License-Identifier: Apache-2.0
// Starting, following, stopping and undoing.
#include <algorithm>

#include "api/file_follower.hpp"
#include "api/path_mask.hpp"
#include "api/routes.hpp"
#include "api/streams.hpp"
#include "engine/standing.hpp"
#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "model/error.hpp"
#include "model/harmless.hpp"
#include "services/command.hpp"
#include "services/service_error.hpp"
#include "support/read.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_reason = 280;
constexpr std::size_t k_max_key = 64;
constexpr std::size_t k_max_versions = 100;
constexpr std::size_t k_max_values = 64;
constexpr std::size_t k_max_value = 32U << 10U;
constexpr std::size_t k_max_log = 256U << 20U;
constexpr std::chrono::milliseconds k_wait_interval{100};
constexpr std::chrono::milliseconds k_preflight_time{std::chrono::seconds(60)};

[[noreturn]] void malformed(const char* key, const std::string& cause) {
    throw Problem{Trouble::malformed_request, std::string(key) + ' ' + cause, Json::object(), 0,
                  std::string("/") + key};
}

std::string text_of(const Json& body, const char* key, std::size_t limit) {
    if (!body.contains(key)) return {};
    const Json& value = body[key];
    if (!value.is_string()) malformed(key, "is no text");
    const auto& text = value.get_ref<const std::string&>();
    // Characters, not bytes.
    const auto length = std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    });
    if (static_cast<std::size_t>(length) > limit) malformed(key, "is too long");
    if (text.find('\0') != std::string::npos) malformed(key, "has a NUL in it");
    return text;
}

bool flag_of(const Json& body, const char* key, bool required) {
    if (!body.contains(key)) {
        if (required) malformed(key, "is missing: true or false");
        return false;
    }
    if (!body[key].is_boolean()) malformed(key, "is neither true nor false");
    return body[key].get<bool>();
}

std::vector<std::string> versions_of(const Json& body, const char* key) {
    std::vector<std::string> versions;
    if (!body.contains(key)) return versions;
    if (!body[key].is_array() || body[key].size() > k_max_versions)
        malformed(key, "is no list of at most 100 versions");
    for (const Json& item : body[key]) {
        if (!item.is_string()) malformed(key, "holds something that is no text");
        try {
            versions.push_back(UpgradeVersion::parse(item.get<std::string>()).to_string());
        } catch (const Error& error) {
            malformed(key, error.what());
        }
    }
    return versions;
}

std::string target_of(const Json& body, bool words) {
    std::string target = text_of(body, "target", 128);
    if (target.empty() || (words && (target == "latest" || target == "stable"))) return target;
    try {
        return SemanticVersion::parse(target).to_string();
    } catch (const Error& error) {
        malformed("target", error.what());
    }
}

std::map<std::string, std::string> values_of(const Json& body, const char* key) {
    std::map<std::string, std::string> values;
    if (!body.contains(key)) return values;
    if (!body[key].is_object() || body[key].size() > k_max_values)
        malformed(key, "is no object of at most 64 texts");
    for (const auto& [name, value] : body[key].items()) {
        const bool good = !name.empty() && name.size() <= 128 &&
                          std::all_of(name.begin(), name.end(), [](char c) {
                              return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                     (c >= 'A' && c <= 'Z');
                          });
        if (!good) malformed(key, "holds a name that no parameter can have");
        if (!value.is_string() || value.get_ref<const std::string&>().size() > k_max_value ||
            value.get_ref<const std::string&>().find('\0') != std::string::npos)
            malformed(key, "holds a value that is no text");
        values[name] = value.get<std::string>();
    }
    return values;
}

std::map<std::string, Secret> secrets_of(const Json& body) {
    std::map<std::string, Secret> secrets;
    for (auto& [name, value] : values_of(body, "secrets")) secrets[name] = Secret(value);
    return secrets;
}

std::string key_of(const Json& body) {
    std::string key = text_of(body, "idempotencyKey", k_max_key);
    const bool good =
        std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; });
    if (!good) malformed("idempotencyKey", "holds something else than printable ASCII");
    return key;
}

bool query_flag(const Call& call, const char* name) {
    const std::string value = call.query(name);
    if (!call.request.has_param(name) || value == "false") return false;
    if (value != "true")
        throw Problem{Trouble::malformed_request, std::string(name) + " is neither true nor false"};
    return true;
}

Json shown(const JobView& job) {
    Json json = job_document(job);
    const PathMask mask(*job.config);
    json["detail"] = mask.mask(json["detail"].get<std::string>());
    if (json["error"].is_object())
        json["error"]["message"] = mask.mask(json["error"]["message"].get<std::string>());
    return json;
}

/// What the plan says against the request, before anything is started.
void check_plan(const RunReport& plan, const LedgerFacts& facts, const ClusterConfig& config,
                const JobRequest& request) {
    Json causes = Json::array();
    for (const std::string& version : plan.risks.downtime) {
        if (!request.confirm_downtime)
            causes.push_back({{"upgrade", version}, {"confirm", "confirmDowntime"}});
    }
    if (plan.risks.major_step && !request.confirm_major)
        causes.push_back({{"upgrade", nullptr}, {"confirm", "confirmMajor"}});
    if (!causes.empty()) throw Problem{Trouble::not_confirmed, {}, {{"unconfirmed", causes}}};
    Json missing = Json::array();
    for (const PlannedUpgrade& upgrade : plan.due) {
        for (const Parameter& parameter : upgrade.manifest.parameters) {
            const bool given = parameter.secret
                                   ? request.secrets.count(parameter.name) != 0
                                   : request.parameters.count(parameter.name) != 0 ||
                                         config.parameters.count(parameter.name) != 0 ||
                                         facts.parameter_values.count(parameter.name) != 0;
            if (parameter.required && !given && !parameter.default_value)
                missing.push_back({{"upgrade", upgrade.version},
                                   {"name", parameter.name},
                                   {"secret", parameter.secret}});
        }
    }
    if (!missing.empty()) throw Problem{Trouble::missing_value, {}, {{"missing", missing}}};
}

/// How the end of a job is told to whoever has waited for it.
void reply_end(Call& call, const JobView& job) {
    if (job.good()) {
        call.reply(200, shown(job));
        return;
    }
    const Json more = {{"job", job.record.id}};
    const std::string& code = job.events.error_code;
    const bool changed = job.changed() != "no" || job.state == RunState::failed ||
                         job.state == RunState::rolled_back ||
                         job.state == RunState::rollback_failed;
    if (changed) throw Problem{Trouble::apply_failed, job.events.error_message, more};
    if (code == "lease_held") throw Problem{Trouble::job_active, job.events.error_message, more};
    if (code == "refused") throw Problem{Trouble::refused, job.events.error_message, more};
    throw Problem{Trouble::preparation_failed, job.events.error_message, more};
}

/// To its end, unless the client goes away or the server stops: the job goes on without them.
void wait_for_end(Api& api, Call& call, const std::string& id) {
    while (true) {
        const auto job = api.jobs().find(id);
        if (!job) throw Problem{Trouble::no_such_job};
        if (job->over) {
            reply_end(call, *job);
            return;
        }
        if (api.server().stopping() || HttpServer::client_gone()) {
            call.reply(202, shown(*job));
            return;
        }
        FileFollower(events_of(job->folder)).wait(k_wait_interval);
    }
}

void start(Api& api, Call& call, Cluster& cluster, const JobRequest& request) {
    const bool wait = query_flag(call, "wait");
    std::shared_ptr<LongPlace> place;
    if (wait) {
        place = api.server().take_long_place();
        if (!place) throw Problem{Trouble::busy};
    }
    Jobs::Started started;
    {
        const std::lock_guard lock(cluster.start_mutex);
        started = api.jobs().start(cluster, request);
    }
    call.response.set_header("Location", "/api/v1/jobs/" + started.id);
    if (wait) {
        wait_for_end(api, call, started.id);
        return;
    }
    const auto job = api.jobs().find(started.id);
    if (!job) throw Problem{Trouble::no_such_job};
    call.reply(job->over ? 200 : 202, shown(*job));
}

}  // namespace

void start_upgrade(Api& api, Call& call) {
    const auto cluster = api.cluster(call);
    const Json body = call.body({"target", "only", "skip", "confirmDowntime", "confirmMajor",
                                 "reason", "idempotencyKey", "parameters", "secrets"});
    JobRequest request;
    request.selection.target = target_of(body, true);
    request.selection.only = versions_of(body, "only");
    request.selection.skip = versions_of(body, "skip");
    request.confirm_downtime = flag_of(body, "confirmDowntime", true);
    request.confirm_major = flag_of(body, "confirmMajor", false);
    request.reason = text_of(body, "reason", k_max_reason);
    request.key = key_of(body);
    request.parameters = values_of(body, "parameters");
    request.secrets = secrets_of(body);
    request.actor = call.actor;
    // What can be told at once is; the job looks at all of it again, under the lease.
    const bool known = !request.key.empty() && api.jobs().has_key(*cluster, request.key);
    if (!known) {
        if (const std::string id = api.jobs().active(*cluster); request.key.empty() && !id.empty())
            throw Problem{Trouble::job_active, {}, {{"job", id}}};
        try {
            cluster->with_plan(
                request.selection,
                [&](const RunReport& plan, const LedgerFacts& facts, const ClusterConfig& config) {
                    check_plan(plan, facts, config, request);
                });
        } catch (const Error& error) {
            throw Problem{error.failure() == Failure::refused ? Trouble::refused
                                                              : Trouble::preparation_failed,
                          error.what()};
        }
    }
    start(api, call, *cluster, request);
}

void start_rollback(Api& api, Call& call) {
    const auto cluster = api.cluster(call);
    const Json body = call.body({"target", "reason", "idempotencyKey", "parameters", "secrets"});
    JobRequest request;
    request.command = "rollback";
    request.selection.target = target_of(body, false);
    request.reason = text_of(body, "reason", k_max_reason);
    request.key = key_of(body);
    request.parameters = values_of(body, "parameters");
    request.secrets = secrets_of(body);
    request.actor = call.actor;
    const auto ledger = look_at_ledger(cluster->config()->state);
    const LedgerFacts facts = facts_as_of_now(*ledger, api.clock());
    if (facts.cluster.done.empty() &&
        std::none_of(facts.unsettled.begin(), facts.unsettled.end(), is_half_way))
        throw Problem{Trouble::rollback_not_possible, "nothing is done"};
    start(api, call, *cluster, request);
}

void show_rollback_preflight(Api& api, Call& call) {
    const auto config = api.cluster(call)->config();
    std::string target = call.query("target");
    Json body = Json::object();
    if (!target.empty()) body["target"] = target;
    target = target_of(body, false);
    // The very program that would undo it, asked to only look.
    upgrade::services::CommandSpec spec;
    spec.arguments = {api.jobs().program().string(),
                      "rollback",
                      "--dry-run",
                      "--non-interactive",
                      "--output=json",
                      "--cluster=" + std::filesystem::absolute(config->file).string()};
    if (!target.empty()) spec.arguments.push_back("--to=" + target);
    spec.own_session = true;
    spec.timeout = k_preflight_time;
    spec.cancelled = [&] { return api.server().stopping(); };
    std::string output;
    spec.on_output = [&](std::string_view piece) { output += piece; };
    spec.on_error = [](std::string_view) {};  // the document says it, too
    int status = -1;
    try {
        status = upgrade::services::run_command(spec);
    } catch (const upgrade::services::Refusal& refusal) {
        throw Problem{Trouble::unavailable, refusal.what()};
    }
    const Json document = parse_json(output, "the preflight's result");
    const JsonObject result(document, "the preflight's result");
    Json upgrades = Json::array();
    for (const Json& due : result.at("due")) upgrades.push_back(due["version"]);
    std::string reason;
    if (const Json* error = result.find("error"); error != nullptr)
        reason = PathMask(*config).mask(JsonObject(*error, "error").string_or("message", ""));
    const bool available = status == 0 && !upgrades.empty();
    if (!available && reason.empty()) reason = "nothing is done that could be undone";
    call.reply(200, {{"schemaVersion", 1},
                     {"cluster", call.path.at("cluster")},
                     {"available", available},
                     {"reason", available ? Json() : Json(reason)},
                     {"target", result.string_or("target", "")},
                     {"upgrades", upgrades}});
}

void show_job(Api& api, Call& call) {
    call.reply(200, shown(api.job(call)));
}

void show_events(Api& api, Call& call) {
    const JobView job = api.job(call);
    if (!job.started_here) throw Problem{Trouble::not_started_here};
    const std::string text = call.request.get_header_value("Last-Event-ID");
    if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
        throw Problem{Trouble::malformed_request, "Last-Event-ID is no number"};
    const std::uint64_t last = text.empty() ? 0 : std::stoull(text);
    if (job.over && last > 0 && last >= job.events.last_event) {
        call.response.status = 204;  // there is nothing to come back for
        return;
    }
    stream_events(api, call, job, last);
}

namespace {

void show_build_log(Call& call, const JobView& job, const std::string& version) {
    const auto text = read_file_if_there(
        job.config->state.parent_path() / build_log_name(job.record.id, version), k_max_log);
    if (!text) throw Problem{Trouble::no_such_log};
    call.response.status = 200;
    call.response.set_content(harmless_lines(PathMask(*job.config).mask(*text)),
                              "text/plain; charset=utf-8");
}

}  // namespace

void show_log(Api& api, Call& call) {
    const JobView job = api.job(call);
    std::string version;
    try {
        version = UpgradeVersion::parse(call.path.at("upgrade")).to_string();
    } catch (const Error& error) {
        throw Problem{Trouble::malformed_request, error.what()};
    }
    const bool follow = query_flag(call, "follow");
    if (query_flag(call, "build")) {
        show_build_log(call, job, version);
        return;
    }
    const auto begun = [&](const AttemptRecord& attempt) { return attempt.version == version; };
    const bool attempted =
        job.run && std::any_of(job.run->attempts.begin(), job.run->attempts.end(), begun);
    const auto& due = job.events.due;
    if (!attempted && std::find(due.begin(), due.end(), version) == due.end())
        throw Problem{Trouble::no_such_log};
    const std::filesystem::path log =
        job.config->state.parent_path() / log_name(job.record.id, version);
    if (follow && !job.over) {
        std::error_code none;
        std::filesystem::create_directories(log.parent_path(), none);
        stream_log(api, call, job, version, log);
        return;
    }
    const std::string text = read_file_if_there(log, k_max_log).value_or("");
    call.response.status = 200;
    call.response.set_content(harmless_lines(PathMask(*job.config).mask(text)),
                              "text/plain; charset=utf-8");
}

void cancel_job(Api& api, Call& call) {
    const JobView job = api.job(call);
    api.jobs().cancel(job);
    call.reply(202, shown(job));
}

}  // namespace runner
