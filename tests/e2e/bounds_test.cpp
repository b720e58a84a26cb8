// SPDX-License-Identifier: Apache-2.0
// What comes from outside is bounded: length, depth, what is read as a file, what is started as a
// program.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"
#include "support/small_stack_of_programs.hpp"
#include "support/unique_fd.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

constexpr std::size_t k_deep = 100'000;

std::string repeated(const std::string& part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
}

/// A release that takes a parameter with a pattern that needs a choice at each byte.
void release_with_pattern(Sandbox& sandbox, const std::string& version,
                          const std::string& pattern) {
    sandbox.release_program(
        version, "#!/bin/sh\n:\n",
        runner::Json{{"parameters", {{{"name", "size"}, {"pattern", pattern}}}}});
}

/// Runs a line of a shell in the sandbox, in which $runner is the program.
test::ProgramResult shell(const Sandbox& sandbox, const std::string& line) {
    auto environment = sandbox.environment;
    environment["runner"] = Sandbox::program();
    return test::Program({"/bin/bash", "-c", line}, sandbox.path(), environment).wait();
}

}  // namespace

TEST_CASE("a value as long as it may be is matched or refused, on a small stack") {
    const test::SmallStackOfPrograms small;
    const std::string value(32U << 10U, 'a');
    Sandbox sandbox;
    release_with_pattern(sandbox, "0.1.1", "(a|b|aa)*");
    const auto refused = sandbox.upgrade({"--env", "size=" + value + "c"});
    CHECK(refused.status == 3);
    CHECK_THAT(refused.err, Contains("does not match (a|b|aa)*"));
    CHECK(sandbox.upgrade({"--env", "size=" + value}).status == 0);
    release_with_pattern(sandbox, "0.1.2", "(a*)*b");
    sandbox.config("0.1.0", {}, "parameters: {size: \"" + value + "\"}\n");
    CHECK(sandbox.upgrade().status == 3);
    sandbox.config("0.1.0", {}, "parameters: {size: \"" + value + "b\"}\n");
    CHECK(sandbox.upgrade().status == 0);
}

TEST_CASE("a manifest with a pattern that cannot be read is refused by name") {
    Sandbox sandbox;
    release_with_pattern(sandbox, "0.1.1", "(?=a)b");
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"plan"}, {"upgrade", "--yes"}}) {
        const auto result = sandbox.run(command);
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("'pattern' of 'size': '(?=a)b' is no regular expression in "
                                        "the syntax of RE2"));
    }
}

TEST_CASE("an address of 60,000 bytes is used or refused, on a small stack") {
    const test::SmallStackOfPrograms small;
    Sandbox sandbox;
    for (const std::string start : {"http://127.0.0.1:1/", "ftp://"}) {
        sandbox.config("0.1.0", "releases: {source: github, repository: a/b, api: \"" + start +
                                    std::string(60'000, 'a') + "\"}\n");
        const auto result = sandbox.run({"check"});
        CHECK((result.status == 2 || result.status == 3));
        CHECK_FALSE(result.err.empty());
    }
}

TEST_CASE("documents nested too deep are refused by name and place, on a small stack") {
    const test::SmallStackOfPrograms small;
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    for (const std::string open : {"[", "{\"a\":", "[{\"a\":"}) {
        INFO(open);
        const std::string deep = repeated(open, k_deep);
        sandbox.write("deep.json", deep);
        for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
                 {"upgrade", "--yes", "--plan", "deep.json"}, {"state", "import", "deep.json"}}) {
            const auto result = sandbox.run(command);
            CHECK((result.status == 2 || result.status == 3));
            CHECK_THAT(result.err, Contains("deep.json is nested too deep at line 1, column ") &&
                                       Contains("more than 64 levels"));
        }
        const auto config = sandbox.run({"check", "-c", "deep.json"});
        CHECK(config.status == 2);
        CHECK_THAT(config.err,
                   Contains("deep.json:1:") && Contains("nested too deep: more than 100 levels"));
    }
}

TEST_CASE("the server answers what is long or deep, on a small stack") {
    const test::SmallStackOfPrograms small;
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    test::ApiServer server(sandbox);
    const std::string path = test::k_cluster + "/upgrades";
    CHECK(server.post(path, repeated("[", 60'000)).status == 400);
    CHECK(server.post(path, repeated("{\"a\":", 12'000)).status == 400);
    const std::string longest(8000, 'a');
    CHECK(server.get('/' + longest).status == 404);
    CHECK(server.post('/' + longest, "{}").status == 404);
    CHECK(server.get("/api/v1/check?" + longest).status == 400);
    const std::string ranges = "bytes=0-0" + repeated(",0-0", 1900);
    CHECK(server.send("GET", test::k_cluster, server.reader(), "", {{"Range", ranges}}).status !=
          0);
    CHECK(server.get(test::k_cluster).status == 200);  // it is still there
}

TEST_CASE("config, plan and secret may be pipes") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    sandbox.environment["TOKEN"] = "s3cret-of-the-pipe";
    const std::string secret = " --secret token=file:<(echo $TOKEN)";
    // Values that are secret are pinned by a key of the ledger.
    CHECK_THAT(shell(sandbox, "$runner plan --out plan.json --secret token=env:TOKEN").err,
               Contains("no plan was saved") && Contains("'runner upgrade' starts the ledger"));
    REQUIRE(sandbox.upgrade({"--to", "0.1.0"}).status == 0);
    for (const std::string& line : {std::string("plan --out plan.json --secret token=env:TOKEN"),
                                    "upgrade --dry-run -c <(cat cluster.yaml)" + secret,
                                    "upgrade --yes --plan <(cat plan.json)" + secret,
                                    std::string("check -c /dev/stdin < <(cat cluster.yaml)"),
                                    std::string("state export old.json && mv state old && "
                                                "$runner state import <(cat old.json)")}) {
        const auto ran = shell(sandbox, "$runner " + line);
        INFO(line << '\n' << ran.out << ran.err);
        CHECK(ran.status == 0);
    }
    CHECK(shell(sandbox, "$runner check -c <(head -c 2000000 /dev/zero | tr '\\0' ' ')").status ==
          2);
}

TEST_CASE("a folder is no config, plan, secret, export or upgrade, and is named") {
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    std::filesystem::create_directory(sandbox.path() / "folder");
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"check", "-c", "folder"},
             {"upgrade", "--yes", "--plan", "folder"},
             {"upgrade", "--yes", "--secret", "token=file:folder"},
             {"state", "import", "folder"},
             {"run", "./folder"}}) {
        const auto result = sandbox.run(command);
        CHECK((result.status == 2 || result.status == 3));
        CHECK_THAT(result.err, Contains("folder is a folder, not a file"));
    }
}

TEST_CASE("a hook that is no program is named before anything changes") {
    const auto [name, words] = GENERATE(table<std::string, std::string>({
        {"folder", "/folder' is a folder, not a program"},
        {"text", "/text' may not be executed: it needs 'chmod +x'"},
        {"lost", "its interpreter: '/no/such': No such file or directory"},
    }));
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    std::filesystem::create_directory(sandbox.path() / "folder");
    sandbox.write("text", "#!/bin/sh\n");
    sandbox.write("lost", "#!/no/such\n");
    ::chmod((sandbox.path() / "lost").c_str(), 0755);
    sandbox.config("0.1.0", {}, "hooks: {before: {command: [./" + name + "]}}\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("the hook 'before' failed: cannot run './" + name + "': ") &&
                               Contains(words) && Contains("nothing was changed"));
}

TEST_CASE("a declared command that is a folder is named, and opens nothing in that folder") {
    Sandbox sandbox;
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 touches\n");
    std::filesystem::create_directories(sandbox.path() / "bin/touch");
    sandbox.environment["PATH"] = (sandbox.path() / "bin").string();
    const auto result = sandbox.upgrade();
    CHECK((result.status == 1 || result.status == 8));
    CHECK_THAT(result.err, Contains("cannot run 'touch': '") &&
                               Contains("bin/touch' is a folder, not a program"));
}

TEST_CASE("an executable upgrade without its interpreter is named so") {
    Sandbox sandbox;
    sandbox.release_program("0.1.1", "#!/no/such/shell\n");
    const auto result = sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("it cannot be started: its interpreter: '/no/such/shell'"));
}

TEST_CASE("where the machine forbids programs in memory, plugins run and programs are refused") {
    Sandbox sandbox;
    // The setting is of a process namespace, which is made here; the machine's own stays.
    const std::string set =
        "unshare --pid --fork --mount-proc sh -c "
        "'echo \"$0\" > /proc/sys/vm/memfd_noexec && \"$@\"' ";
    if (shell(sandbox, set + "2 true").status != 0) {
        WARN("this machine has no vm.memfd_noexec, or no right to set it: nothing was tested");
        return;
    }
    sandbox.release_plugin("puppet", "0.1.10001");
    sandbox.behaviour("0.1.10001 touches\n");
    CHECK(shell(sandbox, set + "2 $runner upgrade --yes").status == 0);
    sandbox.release_program("0.1.20001", "#!/bin/sh\n:\n");
    const auto refused = shell(sandbox, set + "2 $runner upgrade --yes");
    CHECK(refused.status == 3);
    CHECK_THAT(refused.err,
               Contains("vm.memfd_noexec is 2") && Contains("sysctl vm.memfd_noexec=1"));
    CHECK(shell(sandbox, set + "1 $runner upgrade --yes").status == 0);
}

TEST_CASE("whoever waits for a pipe can be stopped at once") {
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    REQUIRE(::mkfifo((sandbox.path() / "pipe").c_str(), 0600) == 0);
    const std::string plugin = std::string(TEST_PLUGINS_FOLDER) + "/noop.so";
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"plan", "-c", "pipe"},
          {"plan", "--out", "saved.json", "--secret", "token=file:pipe"},
          {"upgrade", "--plan", "pipe", "--yes"},
          {"upgrade", "--yes", "--secret", "token=file:pipe"},
          {"rollback", "--yes", "--secret", "token=file:pipe"},
          {"run", "0.1.10001", "--secret", "token=file:pipe"},
          {"state", "import", "pipe"},
          {"package", plugin, "--out", "made", "--repository", "a/b", "--sign", "pipe"},
          {"package", plugin, "--out", "made", "--description", "pipe"}}) {
        CAPTURE(command);
        const auto program = sandbox.start(command);
        int opened = -1;
        test::wait_until([&] {  // it has opened the pipe for reading
            opened = ::open((sandbox.path() / "pipe").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
            return opened >= 0;
        });
        const runner::UniqueFd writer(opened);
        program->signal(SIGTERM);
        CHECK(program->wait().status == 128 + SIGTERM);
        CHECK_FALSE(sandbox.exists("made"));
        CHECK_FALSE(sandbox.exists("saved.json"));
    }
}

TEST_CASE("a config at standard input has its paths in the working directory") {
    Sandbox sandbox;
    sandbox.release_plugin("noop", "0.1.10001");
    const auto result = shell(sandbox, "$runner upgrade --yes -c /dev/stdin < cluster.yaml");
    CHECK(result.status == 0);
    CHECK(std::filesystem::exists(sandbox.ledger()));
}
