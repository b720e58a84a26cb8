// SPDX-License-Identifier: Apache-2.0
// The session in docs/operating/serve.md, run as it is written there: with bash, curl and jq,
// against the real server, the demo's cluster and its real upgrades.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"

using test::Sandbox;

namespace {

namespace fs = std::filesystem;

struct Step {
    std::string command;
    std::string expected;
    bool shown = true;
};

std::string slurp(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

/// The commands of ```console blocks with what follows them, and those in comments, in their order.
std::vector<Step> steps_of(const std::string& document) {
    std::vector<Step> steps;
    std::istringstream lines(document);
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        const std::string hidden = "<!-- $ ";
        if (line == "```console") {
            inside = true;
        } else if (line == "```") {
            inside = false;
        } else if (line.rfind(hidden, 0) == 0) {
            steps.push_back(
                {line.substr(hidden.size(), line.size() - hidden.size() - 4), "", false});
        } else if (inside && line.rfind("$ ", 0) == 0) {
            steps.push_back({line.substr(2), "", true});
        } else if (inside) {
            steps.back().expected += line + '\n';
        }
    }
    return steps;
}

/// Whether `text` is `pattern`, in which … is anything.
bool is_like(const std::string& text, const std::string& pattern) {
    const std::string any = "…";
    std::size_t at = 0;
    std::size_t begin = 0;
    bool anchored = true;
    while (true) {
        const std::size_t end = pattern.find(any, begin);
        const std::string part = pattern.substr(begin, end - begin);
        const std::size_t found = text.find(part, at);
        if (found == std::string::npos || (anchored && found != at)) return false;
        if (end == std::string::npos)
            return text.size() >= part.size() &&
                   text.compare(text.size() - part.size(), part.size(), part) == 0 &&
                   (!anchored || found + part.size() == text.size());
        at = found + part.size();
        begin = end + any.size();
        anchored = false;
    }
}

/// A shell that lives through all steps.
class Shell {
 public:
    Shell(const Sandbox& sandbox, const std::string& prelude) : m_folder(sandbox.path()) {
        m_script = prelude;
    }
    /// What a command prints: the shell is begun anew each time, with what was exported before.
    std::string run(const std::string& command) {
        const fs::path file = m_folder / "step.sh";
        std::ofstream(file) << "set -o pipefail\ncd " << m_folder / "demo"
                            << "\n[ -f ../exported ] && . "
                            << "../exported\n"
                            << m_script << '\n'
                            << command << "\nstatus=$?\nexport -p > ../exported\nexit $status\n";
        const std::string call = "bash " + file.string() + " > " + (m_folder / "said").string() +
                                 " 2> " + (m_folder / "complained").string() + " < /dev/null";
        (void)!std::system(call.c_str());
        return slurp(m_folder / "said");
    }
    [[nodiscard]] std::string complaints() const { return slurp(m_folder / "complained"); }

 private:
    fs::path m_folder;
    std::string m_script;
};

std::string waiting(const std::string& version, const fs::path& gate) {
    return "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\necho waiting at " + version +
           "\nread line < " + gate.string() + "\necho through\n";
}

}  // namespace

TEST_CASE("the session in the documents is what happens") {
    Sandbox sandbox;
    const fs::path source = SOURCE_FOLDER;
    fs::copy(source / "examples/demo", sandbox.path() / "demo", fs::copy_options::recursive);
    for (const auto& plugin : fs::directory_iterator(BUILT_PLUGINS)) {
        if (plugin.path().extension() != ".so") continue;
        REQUIRE(sandbox.run({"package", plugin.path().string(), "--out", "releases"}).status == 0);
    }
    const fs::path gate = sandbox.path() / "demo/gate";
    REQUIRE(std::system(("mkfifo " + gate.string()).c_str()) == 0);
    sandbox.release_program("0.0.61.approval", waiting("0.0.61.approval", gate));
    sandbox.release_program("0.0.65.broken", "#!/bin/sh\nexit 1\n");
    sandbox.release_program(
        "0.0.66.half", "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\ntouch half\nexit 1\n");
    sandbox.release_program("0.0.67.slow", waiting("0.0.67.slow", gate));
    sandbox.environment["RUNNER_TOKENS"] = (sandbox.path() / "tokens.json").string();
    REQUIRE(sandbox.run({"token", "create", "--name", "first"}).status == 0);

    int port = 0;
    std::unique_ptr<test::Program> server;
    const auto start_server = [&] {
        server = sandbox.start(
            {"serve", "--clusters", "demo", "--listen", "127.0.0.1:" + std::to_string(port)});
        REQUIRE(server->wait_for_output("Serving at "));
        REQUIRE(server->wait_for_output("\n"));
        const std::string& said = server->output();
        port = std::stoi(said.substr(said.rfind(':') + 1));
    };
    start_server();
    std::string prelude = "export RUNNER_TOKENS=" + sandbox.environment["RUNNER_TOKENS"] +
                          "\nPATH=" + fs::path(Sandbox::program()).parent_path().string() +
                          ":$PATH\nopen_gate() { echo > gate; }\n";
    Shell shell(sandbox, prelude);
    std::size_t shown = 0;
    for (const Step& step : steps_of(slurp(source / "docs/operating/serve.md"))) {
        INFO("$ " << step.command);
        if (step.command == "start_server") {
            server->wait();
            start_server();
            continue;
        }
        std::string command = step.command;
        const std::string port_in_text = "127.0.0.1:8765";
        if (const std::size_t at = command.find(port_in_text); at != std::string::npos)
            command.replace(at, port_in_text.size(), "127.0.0.1:" + std::to_string(port));
        const std::string said =
            shell.run("export SERVER=" + std::to_string(server->pid()) + '\n' + command);
        if (!step.shown) continue;
        ++shown;
        INFO(said << "\ninstead of\n" << step.expected << "\n" << shell.complaints());
        REQUIRE(is_like(said, step.expected));
    }
    CHECK(shown == 24);
}

TEST_CASE("the transcript's test can tell a difference") {
    CHECK(is_like("a b c\n", "a … c\n"));
    CHECK(is_like("a\nb\nc\n", "a\n…\nc\n"));
    CHECK(is_like("", ""));
    CHECK_FALSE(is_like("a b d\n", "a … c\n"));
    CHECK_FALSE(is_like("x a c\n", "a … c\n"));
    CHECK_FALSE(is_like("a c\nmore\n", "a … c\n"));
    CHECK_FALSE(is_like("something\n", ""));
    CHECK(steps_of("```console\n$ a\nb\n```\n$ no\n<!-- $ c -->\n").size() == 2);
}
