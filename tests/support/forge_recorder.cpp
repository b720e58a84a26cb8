// SPDX-License-Identifier: Apache-2.0
// A stand-in for a forge's release API that keeps what it is sent: forge_recorder FOLDER
// REPOSITORY. Prints its address; writes each request to FOLDER/requests and each asset to
// FOLDER/TAG/NAME; ends when its standard input ends.
#include <httplib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "model/digest.hpp"
#include "support/sha256.hpp"

namespace {

using Json = nlohmann::json;

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const std::filesystem::path folder = argv[1];
    const std::string base = std::string("/repos/") + argv[2] + "/releases";
    std::filesystem::create_directories(folder);
    std::ofstream log(folder / "requests", std::ios::app);
    std::mutex mutex;
    std::map<int, Json> releases;
    int last_id = 100;
    int port = 0;

    httplib::Server server;
    const auto answer = [](httplib::Response& response, int status, const Json& json) {
        response.status = status;
        response.set_content(json.dump(), "application/json");
    };
    server.set_pre_routing_handler(
        [&](const httplib::Request& request, httplib::Response& response) {
            const std::lock_guard lock(mutex);
            log << request.method << ' ' << request.path << std::endl;
            if (request.get_header_value("Authorization") == "Bearer good")
                return httplib::Server::HandlerResponse::Unhandled;
            answer(response, 401, {{"message", "Bad credentials"}});
            return httplib::Server::HandlerResponse::Handled;
        });
    server.Get(base + "/tags/(.+)", [&](const httplib::Request& request,
                                        httplib::Response& response) {
        const std::lock_guard lock(mutex);
        for (const auto& [id, release] : releases) {
            if (release["tag_name"] == request.matches[1].str() && !release["draft"].get<bool>())
                return answer(response, 200, release);
        }
        answer(response, 404, {{"message", "Not Found"}});
    });
    server.Get(base, [&](const httplib::Request&, httplib::Response& response) {
        const std::lock_guard lock(mutex);
        Json list = Json::array();
        for (const auto& [id, release] : releases) list.push_back(release);
        answer(response, 200, list);
    });
    server.Get(base + R"(/(\d+))",
               [&](const httplib::Request& request, httplib::Response& response) {
                   const std::lock_guard lock(mutex);
                   answer(response, 200, releases.at(std::stoi(request.matches[1].str())));
               });
    server.Delete(
        base + R"(/(\d+))", [&](const httplib::Request& request, httplib::Response& response) {
            const std::lock_guard lock(mutex);
            response.status = releases.erase(std::stoi(request.matches[1].str())) == 1 ? 204 : 404;
        });
    server.Post(base, [&](const httplib::Request& request, httplib::Response& response) {
        const std::lock_guard lock(mutex);
        Json release = Json::parse(request.body);
        release["id"] = ++last_id;
        release["assets"] = Json::array();
        release["upload_url"] = "http://127.0.0.1:" + std::to_string(port) + "/uploads/" +
                                std::to_string(last_id) + "/assets{?name,label}";
        releases[last_id] = release;
        answer(response, 201, release);
    });
    server.Post(R"(/uploads/(\d+)/assets)", [&](const httplib::Request& request,
                                                httplib::Response& response) {
        const std::lock_guard lock(mutex);
        Json& release = releases.at(std::stoi(request.matches[1].str()));
        const std::string name = request.get_param_value("name");
        const std::filesystem::path file = folder / release["tag_name"].get<std::string>() / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << request.body;
        const bool torn = std::filesystem::exists(folder / "tear");
        const std::string body = torn ? request.body.substr(1) : request.body;
        const Json asset = {{"name", name},
                            {"state", "uploaded"},
                            {"size", body.size()},
                            {"digest", "sha256:" + runner::sha256(body).to_string()}};
        if (!std::filesystem::exists(folder / "lose") || name.find("json") == std::string::npos)
            release["assets"].push_back(asset);
        answer(response, 201, asset);
    });
    server.Patch(base + R"(/(\d+))",
                 [&](const httplib::Request& request, httplib::Response& response) {
                     const std::lock_guard lock(mutex);
                     Json& release = releases.at(std::stoi(request.matches[1].str()));
                     release.update(Json::parse(request.body));
                     answer(response, 200, release);
                 });
    port = server.bind_to_any_port("127.0.0.1");
    std::printf("http://127.0.0.1:%d\n", port);
    std::fflush(stdout);
    std::thread listener([&] { server.listen_after_bind(); });
    while (std::cin.get() != std::char_traits<char>::eof()) {
    }
    server.stop();
    listener.join();
    return 0;
}
