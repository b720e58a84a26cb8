// SPDX-License-Identifier: Apache-2.0
#include "support/api_server.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "support/catch.hpp"

namespace test {
namespace {

constexpr auto k_limit = std::chrono::seconds(30);

std::string without_newline(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

bool is_type(const runner::Json& value, const std::string& type) {
    return type == "object"    ? value.is_object()
           : type == "array"   ? value.is_array()
           : type == "string"  ? value.is_string()
           : type == "integer" ? value.is_number_integer()
           : type == "boolean" ? value.is_boolean()
                               : type == "null" && value.is_null();
}

}  // namespace

ApiServer::ApiServer(Sandbox& sandbox, std::vector<std::string> more)
    : m_sandbox(sandbox), m_more(std::move(more)) {
    m_admin =
        without_newline(sandbox.run({"token", "create", "--name", "alice", "--role", "admin"}).out);
    m_reader = without_newline(sandbox.run({"token", "create", "--name", "bob"}).out);
    REQUIRE(m_admin.size() > 40);
    REQUIRE(m_reader.size() > 40);
    start();
}

void ApiServer::start() {
    std::vector<std::string> arguments{"serve", "--clusters", "cluster.yaml", "--listen",
                                       "127.0.0.1:0"};
    arguments.insert(arguments.end(), m_more.begin(), m_more.end());
    m_program = m_sandbox.start(arguments);
    const bool serving = m_program->wait_for_output("Serving at ");
    if (!serving || !m_program->wait_for_output("\n"))
        throw std::runtime_error("it does not serve: " + m_program->wait().err);
    const std::string& said = m_program->output();
    m_port = std::stoi(said.substr(said.rfind(':') + 1));
}

void ApiServer::kill() {
    m_program->signal(SIGKILL);
    m_program->wait();
    m_program.reset();
}

int ApiServer::stop() {
    m_program->signal(SIGTERM);
    const int status = m_program->wait().status;
    m_program.reset();
    return status;
}

ApiReply ApiServer::send(const std::string& method, const std::string& path,
                         const std::string& token, const std::string& body,
                         httplib::Headers headers) const {
    httplib::Client client("127.0.0.1", m_port);
    client.set_read_timeout(k_limit);
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.headers = std::move(headers);
    if (!token.empty()) request.headers.emplace("Authorization", "Bearer " + token);
    if (!body.empty()) {
        request.body = body;
        if (request.headers.count("Content-Type") == 0)
            request.headers.emplace("Content-Type", "application/json");
    }
    const auto result = client.send(request);
    if (!result) throw std::runtime_error(method + ' ' + path + ": " + to_string(result.error()));
    // Thrown, not checked: clients are threads, and Catch2 is for one.
    if (result->body.find(m_sandbox.path().string()) != std::string::npos)
        throw std::runtime_error(method + ' ' + path +
                                 " tells the server's paths: " + result->body);
    return {result->status, result->headers, result->body};
}

int ApiServer::send_quietly(const std::string& path) const {
    httplib::Client client("127.0.0.1", m_port);
    const auto result = client.Get(path);
    return result ? result->status : 0;
}

std::string ApiServer::start_upgrade(const std::string& body) const {
    const ApiReply reply = post(k_cluster + "/upgrades", body);
    INFO(reply.body);
    REQUIRE(reply.status == 202);
    return reply.json()["id"];
}

runner::Json ApiServer::wait_for(const std::string& id,
                                 const std::function<bool(const runner::Json&)>& done) const {
    runner::Json job;
    wait_until([&] {
        job = get("/api/v1/jobs/" + id).json();
        return done(job);
    });
    return job;
}

runner::Json ApiServer::wait_for_state(const std::string& id, const std::string& state) const {
    return wait_for(id, [&](const runner::Json& job) { return job["state"] == state; });
}

runner::Json ApiServer::wait_for_end(const std::string& id) const {
    return wait_for(id, [](const runner::Json& job) { return job["over"].get<bool>(); });
}

std::string ApiServer::events(const std::string& id, const std::string& last_id) const {
    httplib::Headers headers;
    if (!last_id.empty()) headers.emplace("Last-Event-ID", last_id);
    return send("GET", "/api/v1/jobs/" + id + "/events", m_reader, {}, headers).body;
}

std::string ApiServer::log() const {
    return m_program->errors();
}

std::string schema_problem(const runner::Json& value, const runner::Json& schema,
                           const runner::Json& all, const std::string& place) {
    if (schema.contains("$ref")) {
        const std::string name = schema["$ref"].get<std::string>().substr(1);
        return schema_problem(value, all.at(runner::Json::json_pointer(name)), all, place);
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
        return place + " is " + value.dump() + ", which is not in the list";
    if (schema.contains("type")) {
        runner::Json types = schema["type"];
        if (!types.is_array()) types = runner::Json::array({types});
        if (std::none_of(types.begin(), types.end(), [&](const runner::Json& type) {
                return is_type(value, type.get<std::string>());
            }))
            return place + " is " + value.dump() + ", not of type " + types.dump();
    }
    if (value.is_array() && schema.contains("items")) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            const std::string problem =
                schema_problem(value[i], schema["items"], all, place + '/' + std::to_string(i));
            if (!problem.empty()) return problem;
        }
    }
    if (!value.is_object()) return {};
    for (const runner::Json& name : schema.value("required", runner::Json::array())) {
        if (!value.contains(name.get<std::string>())) return place + " has no " + name.dump();
    }
    const runner::Json properties = schema.value("properties", runner::Json::object());
    for (const auto& [name, member] : value.items()) {
        runner::Json wanted;
        if (properties.contains(name)) {
            wanted = properties[name];
        } else if (schema.contains("additionalProperties")) {
            if (schema["additionalProperties"] == false)
                return place + " has a member '" + name + "' that is not described";
            wanted = schema["additionalProperties"];
        } else {
            continue;
        }
        const std::string problem = schema_problem(member, wanted, all, place + '/' + name);
        if (!problem.empty()) return problem;
    }
    return {};
}

void release_gated(Sandbox& sandbox, const std::string& version) {
    const std::string gate = (sandbox.repository() / "gate").string();
    if (!std::filesystem::exists(gate) && ::mkfifo(gate.c_str(), 0600) != 0)
        throw std::runtime_error("mkfifo");
    sandbox.release_program(
        version, "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\necho at the gate of " +
                     version + "\nread line < gate\necho through\n");
}

void open_gate(const Sandbox& sandbox) {
    const int gate = ::open((sandbox.repository() / "gate").c_str(), O_WRONLY | O_CLOEXEC);
    if (gate < 0 || ::write(gate, "\n", 1) != 1) throw std::runtime_error("the gate");
    ::close(gate);
}

}  // namespace test
