// SPDX-License-Identifier: Apache-2.0
// What a program that is started gets of this process, and what it does not.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "host/sandbox.hpp"
#include "model/error.hpp"
#include "services/command.hpp"
#include "services/program.hpp"
#include "services/service_error.hpp"
#include "support/catch.hpp"
#include "support/file.hpp"
#include "support/memory_file.hpp"
#include "support/read.hpp"
#include "support/spawn.hpp"

using namespace runner;

namespace {

/// So that the numbers below are free for what is copied on the way.
UniqueFd moved_up(const UniqueFd& file) {
    return UniqueFd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 50));
}

/// What a script writes to its standard output, with `given` as its descriptors from 3 on.
std::string output_of(const std::string& script, const std::vector<int>& given,
                      SpawnRequest::Apart apart) {
    const UniqueFd output = moved_up(make_memory_file("output"));
    SpawnRequest request{"/bin/sh", {"sh", "-c", script}, {"WORD=given"}, {}, apart};
    request.descriptors = {{output.get(), STDOUT_FILENO}};
    // The last one first: its number is where a copy of the others could stand.
    for (std::size_t i = given.size(); i > 0; --i)
        request.descriptors.push_back({given[i - 1], 2 + static_cast<int>(i)});
    int status = -1;
    const pid_t pid = spawn(request, "the script");
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
    return read_all(output.get(), 4096, "its output");
}

UniqueFd file_with(const std::string& text, bool high = true) {
    UniqueFd file = make_sealed_file("given", text);
    ::lseek(file.get(), 0, SEEK_SET);
    return high ? moved_up(file) : std::move(file);
}

}  // namespace

TEST_CASE("a program gets the descriptors that it is given, and no other") {
    const UniqueFd first = file_with("first ");
    const UniqueFd second = file_with("second ");
    const UniqueFd third = file_with("third ");
    const UniqueFd left_open(::fcntl(first.get(), F_DUPFD, 50));  // and not closed on exec
    const std::string script = "cat <&3; cat <&4; cat <&5; for number in 0 1 2 3 4 5 " +
                               std::to_string(left_open.get()) +
                               "; do [ -e /proc/$$/fd/$number ] && echo $number; done; :";
    CHECK(output_of(script, {first.get(), second.get(), third.get()}, SpawnRequest::Apart::group) ==
          "first second third 0\n1\n2\n3\n4\n5\n");
}

TEST_CASE("descriptors may change their numbers among each other") {
    // With nothing else open each of them stands where another is to go.
    std::vector<int> given;
    for (const char* text : {"one ", "two ", "three "})
        given.push_back(file_with(text, false).release());
    const std::vector<int> turned{given[2], given[0], given[1]};
    CHECK(output_of("cat <&3; cat <&4; cat <&5", turned, SpawnRequest::Apart::group) ==
          "three one two ");
    for (const int one : given) ::close(one);
}

TEST_CASE("a program has its own environment, and no signal ignored or blocked") {
    sigset_t blocked;
    sigset_t before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const auto handled = ::signal(SIGPIPE, SIG_IGN);
    const std::string text = output_of(
        "echo $WORD; while read -r name value; do case $name in SigBlk:|SigIgn:) "
        "echo ${value#????????????};; esac; done < /proc/$$/status",
        {}, SpawnRequest::Apart::session);
    ::signal(SIGPIPE, handled);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    // The first 16: the C library has some of its own above.
    CHECK(text == "given\n0000\n0000\n");
}

TEST_CASE("a program leaves the group or the session that started it") {
    // The fields of its status: its id, name and state, then its parent, group and session.
    const std::string script =
        "read -r pid name state parent group session rest < /proc/$$/stat; "
        "[ $pid = $group ] && echo group; [ $pid = $session ] && echo session; :";
    CHECK(output_of(script, {}, SpawnRequest::Apart::group) == "group\n");
    CHECK(output_of(script, {}, SpawnRequest::Apart::session) == "group\nsession\n");
}

TEST_CASE("what cannot be started is named") {
    CHECK_THROWS_WITH(spawn({"/no/such/program", {"x"}, {}, {}, SpawnRequest::Apart::group}, "x"),
                      Catch::Contains("cannot start x"));
    CHECK_THROWS_WITH(
        spawn({"/bin/true", {"x"}, {}, {{1000000, 3}}, SpawnRequest::Apart::group}, "x"),
        Catch::Contains("cannot start x"));
}

namespace {

/// What this process would leave behind: its open descriptors and its children, ended ones too.
std::set<std::string> left_open() {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        all.insert("descriptor " + entry.path().filename().string());
    std::ifstream children("/proc/thread-self/children");
    for (std::string pid; children >> pid;) all.insert("child " + pid);
    return all;
}

/// A folder with everything that is no program.
struct NoPrograms {
    NoPrograms() {
        std::filesystem::create_directory(path("folder"));
        replace_file(path("text"), "#!/bin/sh\nexit 0\n", Durability::replaceable);
        ::mkfifo(path("pipe").c_str(), 0700);
        script("lost", "#!/no/such/interpreter -x\n");
        script("lost-in-a-folder", "#! /etc\n");
        script("good", "#!/bin/sh\nexit 7\n");
    }
    [[nodiscard]] std::string path(const std::string& name) const {
        return (folder.path() / name).string();
    }
    void script(const std::string& name, const std::string& text) const {
        replace_file(path(name), text, Durability::replaceable);
        ::chmod(path(name).c_str(), 0755);
    }
    TemporaryFolder folder{"spawn-test"};
};

/// Why it cannot be run; empty: it has ended with 7.
std::string why_not_run(const upgrade::services::CommandSpec& spec, int status) {
    try {
        const int end = upgrade::services::run_command(spec);
        CHECK(end == 7);
        return {};
    } catch (const upgrade::services::Refusal& refusal) {
        CHECK(refusal.status() == status);
        return refusal.what();
    }
}

}  // namespace

TEST_CASE("what is no program is named when it should run, and leaves nothing behind") {
    const NoPrograms files;
    const auto [name, status, words] = GENERATE(table<std::string, int, std::string>({
        {"folder", UPGRADE_FAILED, "/folder' is a folder, not a program"},
        {"text", UPGRADE_FAILED, "/text' may not be executed: it needs 'chmod +x'"},
        {"pipe", UPGRADE_FAILED, "/pipe' is no regular file"},
        {"nothing", UPGRADE_NOT_FOUND, "No such file or directory"},
        {"lost", UPGRADE_NOT_FOUND,
         "its interpreter: '/no/such/interpreter': No such file or directory"},
        {"lost-in-a-folder", UPGRADE_FAILED, "its interpreter: '/etc' is a folder"},
    }));
    const auto before = left_open();
    for (const bool by_path : {true, false}) {
        for (const bool in_folder : {true, false}) {
            INFO((by_path ? "by path " : "in PATH ") << name);
            upgrade::services::CommandSpec spec;
            spec.environment = {"PATH=/nowhere:" + files.folder.path().string()};
            spec.arguments = {by_path ? (in_folder ? "./" + name : files.path(name)) : name};
            if (in_folder) spec.folder = files.folder.path().string();
            const std::string problem = why_not_run(spec, status);
            CHECK_THAT(problem,
                       Catch::StartsWith("cannot run '" + spec.arguments.front() + "': ") &&
                           Catch::Contains(words));
        }
    }
    CHECK(left_open() == before);
}

TEST_CASE("a program is found behind a folder of its name, as it is started") {
    const NoPrograms files;
    const TemporaryFolder earlier("spawn-test");
    std::filesystem::create_directory(earlier.path() / "good");
    const std::string path = earlier.path().string() + ':' + files.folder.path().string();
    CHECK(upgrade::services::find_program("good", path) == files.path("good"));
    for (const char* name : {"folder", "text", "pipe", "nothing"}) {
        CHECK(upgrade::services::find_program(name, path).empty());
        CHECK(upgrade::services::find_program(files.path(name)).empty());
    }
    const auto before = left_open();
    upgrade::services::CommandSpec spec;
    spec.environment = {"PATH=" + path};
    spec.arguments = {"good"};
    CHECK(why_not_run(spec, UPGRADE_OK).empty());
    CHECK(left_open() == before);
}

TEST_CASE("a program that is ended for its time leaves nothing behind, and no signal ignored") {
    const auto before = left_open();
    upgrade::services::CommandSpec spec;
    spec.own_session = true;
    spec.timeout = std::chrono::milliseconds(1);
    spec.arguments = {"/bin/sh", "-c", "while :; do :; done"};
    CHECK_THAT(why_not_run(spec, UPGRADE_FAILED), Catch::Contains("took longer"));
    CHECK(left_open() == before);
    struct sigaction pipe {};
    ::sigaction(SIGPIPE, nullptr, &pipe);
    CHECK(pipe.sa_handler == SIG_DFL);
}

TEST_CASE("what spawn cannot start leaves nothing behind") {
    const NoPrograms files;
    const auto before = left_open();
    for (const char* name : {"folder", "text", "nothing"}) {
        INFO(name);
        CHECK_THROWS_AS(
            spawn({files.path(name), {name}, {}, {}, SpawnRequest::Apart::group}, "the program"),
            Error);
    }
    CHECK(left_open() == before);
}

TEST_CASE("the interpreter of a script is read as the kernel reads it") {
    using Words = std::vector<std::string>;
    const TemporaryFolder folder("spawn-test");
    const std::string script = (folder.path() / "script").string();
    const std::string long_word(300, 'x');
    for (const auto& [text, words] :
         {std::pair<std::string, Words>{"#!/bin/sh\necho\n", {"/bin/sh"}},
          {"#!\t/bin/sh \t-e\t\n", {"/bin/sh", "-e"}},
          {"#!/usr/bin/env\tsh", {"/usr/bin/env", "sh"}},
          {"#!" + long_word, {long_word.substr(0, 254)}},
          {"#! \t\n", {}},
          {"# /bin/sh\n", {}},
          {"", {}}}) {
        replace_file(script, text, Durability::replaceable);
        CHECK(upgrade::services::interpreter_of(script) == words);
    }
}

TEST_CASE("a permitted script may start its interpreter, however the two are parted") {
    const TemporaryFolder folder("spawn-test");
    const std::string script = (folder.path() / "script").string();
    for (const std::string line :
         {"#!/bin/sh", "#! /bin/sh", "#!\t/bin/sh", "#!/usr/bin/env\tsh"}) {
        CAPTURE(line);
        replace_file(script, line + "\nexit 7\n", Durability::replaceable);
        REQUIRE(::chmod(script.c_str(), 0700) == 0);
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            enter_sandbox({{}, {}, {{script}}, true});
            ::execl(script.c_str(), script.c_str(), nullptr);
            ::_exit(1);
        }
        int status = -1;
        REQUIRE(::waitpid(pid, &status, 0) == pid);
        CHECK(WEXITSTATUS(status) == 7);
    }
}

TEST_CASE("a working directory that is not there is named as what is missing") {
    upgrade::services::CommandSpec spec;
    spec.arguments = {"true"};
    spec.folder = "/no/such/folder";
    CHECK_THAT(why_not_run(spec, UPGRADE_NOT_FOUND),
               Catch::Contains("its working directory '/no/such/folder': No such file"));
}
