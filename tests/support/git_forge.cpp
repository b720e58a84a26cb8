// SPDX-License-Identifier: Apache-2.0
#include "support/git_forge.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/catch.hpp"

namespace test {
namespace {

namespace fs = std::filesystem;

std::string said_by(const std::string& command, int* status = nullptr) {
    std::string output;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen");
    char bytes[65536];
    for (std::size_t count = 0; (count = std::fread(bytes, 1, sizeof(bytes), pipe)) > 0;)
        output.append(bytes, count);
    const int result = ::pclose(pipe);
    if (status != nullptr) *status = result;
    return output;
}

std::string slurp(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

/// Stands for cmake: configuring does nothing, building copies the built noop plugin under the
/// target's version.
constexpr const char* k_quick_cmake = R"sh(#!/bin/sh
how=$(cat "@how@")
if [ "$1" = --build ]; then
    mkdir -p "$2/plugins"
    echo "building $4"
    echo x >> "@count@"
    case "$how" in
        fail) echo "error: it was told not to compile" >&2; exit 1;;
        hang) echo hanging >> "@count@.hangs"; while :; do sleep 60; done;;
    esac
    version=$(ls "$2/../tree/upgrades" | grep -Fx "$(cat "$2/../tree/newest")")
    LC_ALL=C sed "s/0\.1\.10000/$version/g" "@plugin@" > "$2/plugins/upgrade_$version.so"
    LC_ALL=C sed "s/0\.1\.10000/$version/g" "@description@" > "$2/plugins/upgrade_$version.json"
fi
)sh";

}  // namespace

GitForge::GitForge(Sandbox& sandbox, bool quick)
    : m_sandbox(sandbox), m_path(sandbox.path() / "served/upgrades.git") {
    fs::create_directories(m_path);
    git("init -q -b main .");
    git("config user.name author");
    git("config user.email author@localhost");
    git("config gpg.format ssh");
    sandbox.write("served/upgrades.git/CMakeLists.txt",
                  "cmake_minimum_required(VERSION 3.25)\nproject(upgrades CXX)\n"
                  "find_package(UpgradeSdk REQUIRED)\nadd_subdirectory(upgrades/${NEWEST})\n");
    sandbox.environment["CMAKE_PREFIX_PATH"] = INSTALLED_SDK;
    let_build("build");
    if (!quick) return;
    // What the plugin says of itself stands in it as text.
    const std::string library = slurp(TEMPLATE_PLUGIN);
    const std::size_t named = library.find("\"0.1.10000\"");
    sandbox.write("description.json", library.c_str() + library.rfind('\0', named) + 1);
    std::string script = k_quick_cmake;
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>{"@how@", (sandbox.path() / "how").string()},
          {"@count@", (sandbox.path() / "builds").string()},
          {"@count@", (sandbox.path() / "builds").string()},
          {"@plugin@", TEMPLATE_PLUGIN},
          {"@description@", (sandbox.path() / "description.json").string()}})
        script.replace(script.find(name), name.size(), value);
    sandbox.write("bin/cmake", script);
    ::chmod((sandbox.path() / "bin/cmake").c_str(), 0755);
    sandbox.environment["PATH"] =
        (sandbox.path() / "bin").string() + ":" + std::string(std::getenv("PATH"));
}

std::string GitForge::git(const std::string& arguments) const {
    int status = 0;
    const std::string output =
        said_by("git -C " + m_path.string() + " " + arguments + " 2>&1", &status);
    INFO("git " << arguments << ": " << output);
    REQUIRE(status == 0);
    return output;
}

void GitForge::add(const std::string& version, const std::string& source) const {
    const std::string folder = "served/upgrades.git/upgrades/" + version + "/";
    m_sandbox.write(folder + "CMakeLists.txt",
                    "upgrade_plugin(" + version + " SOURCES upgrade.cpp)\n");
    m_sandbox.write(folder + "upgrade.json", "{\"description\": \"does nothing\"}\n");
    m_sandbox.write(folder + "upgrade.cpp",
                    source.empty() ? "#include <upgrade/sdk.hpp>\n"
                                     "struct Nothing final : upgrade::Upgrade {\n"
                                     "    void apply(upgrade::Context&) override {}\n};\n"
                                     "UPGRADE_PLUGIN(Nothing)\n"
                                   : source);
    m_sandbox.write("served/upgrades.git/newest", version);
    m_sandbox.write("served/upgrades.git/CMakeLists.txt",
                    "cmake_minimum_required(VERSION 3.25)\nproject(upgrades CXX)\n"
                    "find_package(UpgradeSdk REQUIRED)\nadd_subdirectory(upgrades/" +
                        version + ")\n");
    git("add -A");
    git("commit -q -m 'Add an upgrade'");
}

void GitForge::tag(const std::string& version, const std::string& key) const {
    const std::string name = Sandbox::tag_of(version);
    if (key.empty()) {
        git("tag -f -a -m release '" + name + "'");
    } else {
        git("-c user.signingkey=" + (m_sandbox.path() / key).string() + " tag -f -s -m release '" +
            name + "'");
    }
}

std::string GitForge::make_key(const std::string& file) const {
    const fs::path path = m_sandbox.path() / file;
    int status = 0;
    said_by("ssh-keygen -q -t ed25519 -N '' -C someone -f " + path.string() + " < /dev/null",
            &status);
    REQUIRE(status == 0);
    const std::string text = m_sandbox.read(file + ".pub");
    return text.substr(0, text.find('\n'));
}

void GitForge::config(const std::string& url, const std::string& trust,
                      const std::string& more) const {
    m_sandbox.write(
        "cluster.yaml",
        "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: test}\n"
        "originalVersion: 0.1.0\nrepositoryDirectory: repository\nstate: state/state.db\n"
        "releases: {source: git, url: \"" +
            url + "\"" + more + "}\ntrust: " + trust + "\n");
}

void GitForge::let_build(const std::string& how) const {
    m_sandbox.write("how", how);
}

int GitForge::builds() const {
    return m_sandbox.exists("builds") ? static_cast<int>(m_sandbox.read("builds").size() / 2) : 0;
}

GitDaemon::GitDaemon(const fs::path& repositories) {
    const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    REQUIRE(::bind(probe, reinterpret_cast<sockaddr*>(&address), length) == 0);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
    m_port = ntohs(address.sin_port);
    ::close(probe);
    const std::string base = "--base-path=" + repositories.string();
    const std::string port = "--port=" + std::to_string(m_port);
    m_pid = ::fork();
    if (m_pid == 0) {
        ::setpgid(0, 0);
        ::execlp("git", "git", "-c", "safe.directory=*", "daemon", "--export-all", "--reuseaddr",
                 "--listen=127.0.0.1", base.c_str(), port.c_str(), nullptr);
        ::_exit(127);
    }
    ::setpgid(m_pid, m_pid);
    for (int i = 0; i < 3000; ++i) {
        const int client = ::socket(AF_INET, SOCK_STREAM, 0);
        const bool up = ::connect(client, reinterpret_cast<sockaddr*>(&address), length) == 0;
        ::close(client);
        if (up) return;
        ::poll(nullptr, 0, 10);
    }
    FAIL("git daemon does not listen");
}

GitDaemon::~GitDaemon() {
    ::kill(-m_pid, SIGTERM);
    ::waitpid(m_pid, nullptr, 0);
}

GitHttp::GitHttp(fs::path repositories, std::string authority)
    : m_repositories(std::move(repositories)), m_authority(std::move(authority)) {
    const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
        answer(request, response);
    };
    m_server.Get(".*", handler);
    m_server.Post(".*", handler);
    m_port = m_server.bind_to_any_port("127.0.0.1");
    m_thread = std::thread([this] { m_server.listen_after_bind(); });
    while (!m_server.is_running()) std::this_thread::yield();
}

GitHttp::~GitHttp() {
    m_server.stop();
    m_thread.join();
}

std::string GitHttp::url(const std::string& repository, const std::string& authority) const {
    return "http://" + (authority.empty() ? "" : authority + "@") +
           "127.0.0.1:" + std::to_string(m_port) + "/" + repository;
}

void GitHttp::answer(const httplib::Request& request, httplib::Response& response) {
    ++m_requests;
    if (!m_redirect.empty()) {
        response.set_redirect(m_redirect + request.path);
        return;
    }
    if (!m_authority.empty()) {
        const std::size_t colon = m_authority.find(':');
        const auto wanted = httplib::make_basic_authentication_header(
            m_authority.substr(0, colon), m_authority.substr(colon + 1));
        if (request.get_header_value("Authorization") != wanted.second) {
            response.status = 401;
            response.set_header("WWW-Authenticate", "Basic realm=\"git\"");
            return;
        }
    }
    const fs::path body = m_repositories / ("body-" + std::to_string(m_requests));
    std::ofstream(body, std::ios::binary) << request.body;
    const std::size_t question = request.target.find('?');
    const std::string query =
        question == std::string::npos ? "" : request.target.substr(question + 1);
    const std::string output =
        said_by("GIT_PROJECT_ROOT=" + m_repositories.string() +
                " GIT_HTTP_EXPORT_ALL=1 GIT_CONFIG_COUNT=1 "
                "GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' REQUEST_METHOD=" +
                request.method + " PATH_INFO='" + request.path + "' QUERY_STRING='" + query +
                "' CONTENT_TYPE='" + request.get_header_value("Content-Type") +
                "' HTTP_CONTENT_ENCODING='' GIT_PROTOCOL='" +
                request.get_header_value("Git-Protocol") + "' git http-backend < " + body.string());
    const std::size_t end = output.find("\r\n\r\n");
    const std::string head = output.substr(0, end);
    const std::size_t status = head.find("Status: ");
    if (status != std::string::npos) response.status = std::stoi(head.substr(status + 8));
    const std::size_t type = head.find("Content-Type: ");
    const std::string content = end == std::string::npos ? "" : output.substr(end + 4);
    m_bytes += content.size();
    response.set_content(content,
                         type == std::string::npos
                             ? "text/plain"
                             : head.substr(type + 14, head.find("\r\n", type) - type - 14).c_str());
}

}  // namespace test
