// SPDX-License-Identifier: Apache-2.0
// A secret reaches the upgrade that declares it, and nothing else: no output, no log, no file, no
// ledger.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "support/catch.hpp"
#include "support/redaction.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

const std::string k_secret = "s3cr3t/with \"quotes\"+and-more";

/// Nothing of the secret is in any file of the sandbox, nor in this text.
void check_kept(Sandbox& sandbox, const std::string& text, const std::string& but = "token.txt") {
    runner::Redactor redactor;
    redactor.add("the secret", k_secret);
    CHECK_FALSE(redactor.finds_in(text));
    for (const auto& [name, content] : sandbox.snapshot("")) {
        INFO(name);
        if (name != but) CHECK_FALSE(redactor.finds_in(content));
    }
}

/// The process and all below it.
std::vector<pid_t> family_of(pid_t pid) {
    std::vector<pid_t> all{pid};
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string id = std::to_string(all[i]);
        std::ifstream children("/proc/" + id + "/task/" + id + "/children");
        for (pid_t child = 0; children >> child;) all.push_back(child);
    }
    return all;
}

/// "0 0" of the line with the limit of core files.
std::string core_limit(pid_t pid) {
    std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
    for (std::string line; std::getline(limits, line);) {
        std::istringstream words(line);
        std::string max, core, file, size, soft, hard;
        words >> max >> core >> file >> size >> soft >> hard;
        if (core == "core") return soft + ' ' + hard;
    }
    return "none";
}

}  // namespace

TEST_CASE("a secret is used and shown nowhere, from a variable, a file or a descriptor") {
    for (const char* from : {"env", "file", "fd"}) {
        INFO(from);
        Sandbox sandbox;
        sandbox.release_plugin("secretive", "0.1.10001");
        sandbox.environment["MY_TOKEN"] = k_secret;
        sandbox.write("token.txt", k_secret + "\n");
        const std::string kind = from;
        int descriptor = -1;
        std::string reference = kind == "env" ? "env:MY_TOKEN" : "file:token.txt";
        if (kind == "fd") {
            descriptor = ::open((sandbox.path() / "token.txt").c_str(), O_RDONLY);
            reference = "fd:" + std::to_string(descriptor);
        }
        const auto result = sandbox.run(
            {"upgrade", "--yes", "--debug", "-o", "json", "--secret", "token=" + reference});
        if (descriptor >= 0) ::close(descriptor);
        INFO(result.err);
        CHECK(result.status == 0);
        check_kept(sandbox, result.out + result.err);
        Sandbox shown;
        shown.release_plugin("secretive", "0.1.10001");
        shown.environment["MY_TOKEN"] = k_secret;
        const auto text = shown.run({"upgrade", "--yes", "--secret", "token=env:MY_TOKEN"});
        CHECK_THAT(text.out, Contains("plain ***") && Contains("would run: echo '***'"));
        check_kept(shown, text.out + text.err);
        check_kept(shown, shown.run({"logs", "0.1.10001"}).out);
        check_kept(shown, shown.run({"history", "-o", "json"}).out);
    }
}

TEST_CASE("a secret in a diff, in a failure and in a record is masked or refused") {
    for (const char* behaviour : {"write", "fail", "state"}) {
        INFO(behaviour);
        Sandbox sandbox;
        sandbox.release_plugin("secretive", "0.1.10001");
        sandbox.write("repository/behaviour", behaviour);
        sandbox.environment["MY_TOKEN"] = k_secret;
        const auto result = sandbox.run({"upgrade", "--yes", "--secret", "token=env:MY_TOKEN"});
        check_kept(sandbox, result.out + result.err, "repository/told");
        if (std::string(behaviour) == "write") {
            CHECK(result.status == 0);
            CHECK_THAT(result.out, Contains("+***"));
            CHECK(sandbox.read("repository/told") == k_secret + "\n");
        } else if (std::string(behaviour) == "fail") {
            CHECK(result.status == 3);
            CHECK_THAT(result.err, Contains("it is ***"));
        } else {
            CHECK(result.status != 0);
            CHECK_THAT(result.err, Contains("wants a secret stored in the ledger"));
        }
    }
}

TEST_CASE("hooks neither get nor show a secret, nor does anybody the token of the releases") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    const std::string token = "token/of-the+releases";
    sandbox.config("0.1.0",
                   "releases: {source: directory, directory: releases, tokenEnv: MY_RELEASES}\n",
                   "hooks: {before: {command: [./hook.sh]}, after: {command: [./hook.sh]}}\n");
    sandbox.environment["MY_TOKEN"] = k_secret;
    sandbox.environment["MY_RELEASES"] = token;
    // It knows both from elsewhere.
    sandbox.write("token.txt", k_secret + "\n" + token + "\n" + k_secret.substr(0, 9) + "\n" +
                                   k_secret.substr(9) + "\n");
    sandbox.write("hook.sh",
                  "#!/bin/sh\ncat >> input\nenv >> input\ncat token.txt\n"
                  "base64 token.txt\n");
    ::chmod((sandbox.path() / "hook.sh").c_str(), 0755);
    const auto result =
        sandbox.run({"upgrade", "--yes", "--events", "events", "--secret", "token=env:MY_TOKEN"});
    INFO(result.out + result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Contains("| ***"));
    CHECK(sandbox.exists("input"));
    check_kept(sandbox, result.out + result.err);
    runner::Redactor releases;
    releases.add("token", token);
    CHECK_FALSE(releases.finds_in(result.out + result.err + sandbox.read("events")));
    CHECK_FALSE(releases.finds_in(sandbox.read("input")));
    sandbox.environment["MY_RELEASES"] = "abc";
    const auto refused = sandbox.run({"check"});
    CHECK(refused.status == 2);
    CHECK_THAT(refused.err, Contains("releases.tokenEnv: a secret of fewer than 4 bytes"));
}

TEST_CASE("a secret in a file that is rolled back is masked in the diff that shows it") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    sandbox.write("repository/behaviour", "write");
    sandbox.environment["MY_TOKEN"] = k_secret;
    const std::string secret = "token=env:MY_TOKEN";
    REQUIRE(sandbox.run({"upgrade", "--yes", "--secret", secret}).status == 0);
    const auto dry = sandbox.run({"rollback", "--dry-run", "--secret", secret});
    CHECK(dry.status == 0);
    CHECK_THAT(dry.out, Contains("-***"));
    check_kept(sandbox, dry.out + dry.err, "repository/told");
    const auto result = sandbox.run({"rollback", "--yes", "--secret", secret});
    CHECK(result.status == 0);
    check_kept(sandbox, result.out + result.err);
}

TEST_CASE("no process that holds a secret can leave a core file") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    sandbox.write("repository/behaviour", "hang");
    sandbox.environment["MY_TOKEN"] = k_secret;
    const auto run = sandbox.start({"upgrade", "--yes", "--secret", "token=env:MY_TOKEN"});
    REQUIRE(run->wait_for_output("hanging"));
    const std::vector<pid_t> family = family_of(run->pid());
    CHECK(family.size() ==
          3);  // the supervisor, the host parent, which holds none, and the upgrade
    CHECK(core_limit(family.front()) == "0 0");
    CHECK(core_limit(family.back()) == "0 0");
    // It was in the variables with which the supervisor was started.
    for (const pid_t process : family) {
        std::ifstream file("/proc/" + std::to_string(process) + "/environ");
        const std::string variables{std::istreambuf_iterator<char>(file), {}};
        REQUIRE_FALSE(variables.empty());
        CHECK(variables.find(k_secret) == std::string::npos);
    }
    ::kill(family.back(), SIGABRT);
    const auto result = run->wait();
    CHECK(result.status == 3);
    check_kept(sandbox, result.out + result.err);
}

TEST_CASE("a secret is asked for on a terminal without being shown") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    const auto result =
        sandbox.run_on_terminal({"upgrade", "--yes"}, k_secret + "\n", "(of the forge): ");
    CHECK(result.status == 0);
    check_kept(sandbox, result.out);
}

TEST_CASE(
    "a secret that is missing, in the wrong place or unreadable fails before anything changes") {
    Sandbox sandbox;
    sandbox.release_plugin("secretive", "0.1.10001");
    sandbox.environment["MY_TOKEN"] = k_secret;
    const auto refused = [&](int status, const std::string& words,
                             std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"upgrade", "--yes"});
        const auto result = sandbox.run(arguments);
        CHECK(result.status == status);
        CHECK_THAT(result.err, Contains(words));
        check_kept(sandbox, result.out + result.err);
    };
    refused(3, "0.1.10001 needs 'token' (of the forge), which has no value", {});
    refused(3, "it belongs neither into the config nor into --env",
            {"--env", "token=x", "--secret", "token=env:MY_TOKEN"});
    refused(3, "no due upgrade declares this parameter",
            {"--secret", "other=env:MY_TOKEN", "--secret", "token=env:MY_TOKEN"});
    refused(3, "it is no secret",
            {"--secret", "size=env:MY_TOKEN", "--secret", "token=env:MY_TOKEN"});
    refused(2, "not the value itself", {"--secret", "token=" + k_secret});
    refused(2, "expected NAME=env:VARIABLE", {"--secret", k_secret});
    sandbox.environment["EMPTY"] = "";
    refused(2, "the variable EMPTY is not set", {"--secret", "token=env:EMPTY"});
    refused(2, "the variable NOWHERE is not set", {"--secret", "token=env:NOWHERE"});
    refused(2, "file:nowhere", {"--secret", "token=file:nowhere"});
    refused(2, "expected the number of an open descriptor", {"--secret", "token=fd:x"});
    sandbox.environment["MY_TOKEN"] = "abc";
    refused(2, "--secret token: a secret of fewer than 4 bytes",
            {"--secret", "token=env:MY_TOKEN"});
    CHECK(sandbox.run({"history", "-o", "json"}).json()["runs"].size() <= 7);
}
