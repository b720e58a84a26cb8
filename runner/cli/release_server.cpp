// SPDX-License-Identifier: Apache-2.0
#include "cli/release_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "model/error.hpp"
#include "model/json.hpp"
#include "releases/release_index.hpp"
#include "support/output.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "support/stop_signals.hpp"
#include "support/unique_fd.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr int k_connections = 64;
constexpr std::size_t k_default_page = 30;
constexpr std::size_t k_max_page = 100;
constexpr std::size_t k_max_asset = 256U << 20U;

struct ServedAsset {
    fs::path file;
    std::string tag;
};

/// Reads the folder anew with each request: it is small, and what was just released is there at
/// once.
class ReleaseFolder {
 public:
    ReleaseFolder(fs::path folder, std::string repository)
        : m_folder(std::move(folder)), m_repository(std::move(repository)) {}

    Json list(const std::string& base) {
        const std::lock_guard lock(m_mutex);
        std::vector<std::string> tags;
        for (const auto& entry : fs::directory_iterator(m_folder)) {
            const std::string name = entry.path().filename().string();
            if (entry.is_directory() && !name.starts_with(".")) tags.push_back(name);
        }
        // Newest first, as a forge lists them.
        std::sort(tags.begin(), tags.end(), [](const std::string& a, const std::string& b) {
            const Release left = release_for_tag(a);
            const Release right = release_for_tag(b);
            if (left.version && right.version) return *right.version < *left.version;
            return b < a;
        });
        Json releases = Json::array();
        for (const std::string& tag : tags) releases.push_back(release(tag, base));
        return releases;
    }

    /// The asset with this id; only what a listing has named.
    std::optional<ServedAsset> asset(std::int64_t id) {
        const std::lock_guard lock(m_mutex);
        const auto found = m_assets.find(id);
        return found == m_assets.end() ? std::nullopt : std::optional(found->second);
    }

 private:
    Json release(const std::string& tag, const std::string& base) {
        const Release parsed = release_for_tag(tag);
        Json json = {
            {"tag_name", tag}, {"name", tag}, {"draft", false}, {"prerelease", parsed.prerelease}};
        json["body"] = read_file_if_there(m_folder / tag / "NOTES.md").value_or("");
        json["assets"] = Json::array();
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(m_folder / tag)) {
            const std::string name = entry.path().filename().string();
            if (entry.is_regular_file() && !name.starts_with(".") && name != "NOTES.md")
                files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());
        for (const fs::path& file : files) {
            const Digest digest = digest_of(file);
            // The id follows the content, so that a replaced asset is another one, as at a forge.
            const std::string key = tag + '/' + file.filename().string() + '/' + digest.to_string();
            std::int64_t id = 0;
            for (const char c : sha256(key).to_string().substr(0, 12))
                id = id * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
            m_assets[id] = {file, tag};
            json["assets"].push_back(
                {{"id", id},
                 {"name", file.filename().string()},
                 {"size", fs::file_size(file)},
                 {"state", "uploaded"},
                 {"digest", "sha256:" + digest.to_string()},
                 {"url",
                  base + "/repos/" + m_repository + "/releases/assets/" + std::to_string(id)},
                 {"browser_download_url", base + "/" + m_repository + "/releases/download/" + tag +
                                              "/" + file.filename().string()}});
        }
        return json;
    }

    Digest digest_of(const fs::path& file) {
        const auto written = fs::last_write_time(file).time_since_epoch().count();
        auto& known = m_digests[file.string()];
        const auto size = fs::file_size(file);
        if (known.written != written || known.size != size)
            known = {written, size, sha256(read_file(file, k_max_asset))};
        return known.digest;
    }

    struct KnownDigest {
        std::int64_t written = -1;
        std::uintmax_t size = 0;
        Digest digest;
    };

    std::mutex m_mutex;
    fs::path m_folder;
    std::string m_repository;
    std::map<std::int64_t, ServedAsset> m_assets;
    std::map<std::string, KnownDigest> m_digests;
};

std::size_t number_parameter(const httplib::Request& request, const char* name,
                             std::size_t fallback, std::size_t most) {
    if (!request.has_param(name)) return fallback;
    const std::string text = request.get_param_value(name);
    const bool digits = !text.empty() && text.size() < 7 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::clamp<std::size_t>(std::stoul(text), 1, most) : fallback;
}

void answer_list(ReleaseFolder& folder, const std::string& repository,
                 const httplib::Request& request, httplib::Response& response) {
    const std::string base = "http://" + request.get_header_value("Host");
    const Json all = folder.list(base);
    const std::size_t per_page = number_parameter(request, "per_page", k_default_page, k_max_page);
    const std::size_t page = number_parameter(request, "page", 1, 1'000'000);
    Json part = Json::array();
    for (std::size_t i = (page - 1) * per_page; i < std::min(all.size(), page * per_page); ++i)
        part.push_back(all[i]);
    const std::string body = dump_json(part);
    const std::string etag =
        "\"" + sha256(body + std::to_string(all.size())).to_string().substr(0, 32) + "\"";
    response.set_header("ETag", etag);
    if (page * per_page < all.size()) {
        response.set_header("Link", "<" + base + "/repos/" + repository +
                                        "/releases?per_page=" + std::to_string(per_page) +
                                        "&page=" + std::to_string(page + 1) + ">; rel=\"next\"");
    }
    if (request.get_header_value("If-None-Match") == etag) {
        response.status = 304;
        return;
    }
    response.set_content(body, "application/json");
}

void answer_asset(ReleaseFolder& folder, const httplib::Request& request,
                  httplib::Response& response) {
    const auto asset = folder.asset(std::stoll(request.matches[1].str()));
    if (!asset) {
        response.status = 404;
        response.set_content("{\"message\":\"Not Found\"}", "application/json");
        return;
    }
    response.set_content(read_file(asset->file, k_max_asset), "application/octet-stream");
}

}  // namespace

int serve_releases(const ReleaseServerOptions& options) {
    if (!fs::is_directory(options.directory)) {
        throw Error(Failure::usage, "'" + options.directory + "' is no folder");
    }
    if (!is_loopback(options.host)) {
        throw Error(
            Failure::usage,
            "the release server listens on loopback addresses only, not on " + options.host);
    }
    const ProcessStopSignals signals;
    ReleaseFolder folder(options.directory, options.repository);
    httplib::Server server;
    // A client's connection keeps a thread as long as it is kept alive.
    server.new_task_queue = [] { return new httplib::ThreadPool(k_connections); };
    server.set_keep_alive_max_count(10'000);
    server.set_tcp_nodelay(true);
    int listening = -1;
    server.set_socket_options([&](socket_t socket) {
        const int yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        listening = socket;
    });
    server.Get("/repos/" + options.repository + "/releases",
               [&](const httplib::Request& request, httplib::Response& response) {
                   answer_list(folder, options.repository, request, response);
               });
    server.Get("/repos/" + options.repository + R"(/releases/assets/(\d{1,18}))",
               [&](const httplib::Request& request, httplib::Response& response) {
                   answer_asset(folder, request, response);
               });
    server.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
            response.status = 500;
            response.set_content("{\"message\":\"Internal Server Error\"}", "application/json");
        });
    const int port = options.port == 0 ? server.bind_to_any_port(options.host) : options.port;
    if (port < 0 || (options.port != 0 && !server.bind_to_port(options.host, options.port))) {
        throw Error(Failure::preparation,
                    "cannot listen on " + options.host + ":" + std::to_string(options.port),
                    "choose another port with --listen, or port 0 for any free one");
    }
    // The library's backlog of 5 makes a client that opens several connections at once wait a
    // second for its second try.
    ::listen(listening, k_connections);
    print_line("Serving " + options.directory + " as " + options.repository + " at http://" +
               options.host + ':' + std::to_string(port));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error("cannot make a pipe", errno);
    const UniqueFd ended(ends[0]);
    UniqueFd still_listening(ends[1]);
    bool good = false;
    std::thread listener([&] {
        good = server.listen_after_bind();
        still_listening.reset();
    });
    // Signals reach the main thread, which does nothing but wait for them.
    std::array<pollfd, 2> waits{{{signals.descriptor(), POLLIN, 0}, {ended.get(), POLLIN, 0}}};
    while (signals.count() == 0 && waits[1].revents == 0) ::poll(waits.data(), waits.size(), -1);
    constexpr int k_start_poll_ms = 10;
    while (waits[1].revents == 0 && !server.is_running()) {  // until then it cannot be stopped
        ::poll(&waits[1], 1, k_start_poll_ms);
    }
    server.stop();
    listener.join();
    return good ? 0 : 1;
}

}  // namespace runner
