// SPDX-License-Identifier: Apache-2.0
// Upgrades built from the tags of a real repository: by path, by git's HTTP backend and by its
// daemon.
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "releases/git_source.hpp"
#include "support/api_server.hpp"
#include "support/catch.hpp"
#include "support/git_forge.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using runner::Json;
using test::GitForge;
using test::GitHttp;
using test::Sandbox;

namespace {

const std::string k_disabled = "{verification: disabled}";

std::string moves(const Sandbox& sandbox, const std::string& file) {
    std::istringstream lines(sandbox.read(file));
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        const Json event = Json::parse(line);
        if (event["event"] == "state") text += event["to"].get<std::string>() + ' ';
    }
    return text;
}

std::string everything_in(const Sandbox& sandbox, const std::string& folder) {
    std::string all;
    for (const auto& [file, bytes] : sandbox.snapshot(folder)) all += file + '\n' + bytes + '\n';
    return all;
}

/// A folder with links to all programs but this one, as the only one to look in.
std::string path_without(const Sandbox& sandbox, const std::string& program) {
    const std::filesystem::path bin = sandbox.path() / "bin";
    std::filesystem::create_directory(bin);
    std::istringstream folders(std::getenv("PATH"));
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
            if (entry.path().filename() != program)
                std::filesystem::create_symlink(entry.path(), bin / entry.path().filename(), none);
        }
    }
    return bin;
}

}  // namespace

TEST_CASE("a tag is built with the SDK, and goes on as if it had been downloaded") {
    Sandbox sandbox;
    GitForge forge(sandbox, false);
    forge.add("0.1.10001",
              "#include <upgrade/sdk.hpp>\n"
              "struct Built final : upgrade::Upgrade {\n"
              "    void apply(upgrade::Context& context) override {\n"
              "        context.files().write(\"built\", \"from a tag\");\n    }\n};\n"
              "UPGRADE_PLUGIN(Built)\n");
    sandbox.write("served/upgrades.git/upgrades/0.1.10001/upgrade.json",
                  "{\"description\": \"writes\", \"severity\": \"important\", "
                  "\"permissions\": {\"write\": [\".\"]}}\n");
    forge.git("commit -q -a -m 'Describe it'");
    forge.tag("0.1.10001");
    forge.config("served/upgrades.git");
    const Json before = sandbox.run({"plan", "-o", "json"}).json();
    REQUIRE(before["due"].size() == 1);
    CHECK(before["due"][0]["declared"] == false);
    CHECK_THAT(before["due"][0]["description"].get<std::string>(), Contains("not built yet"));
    sandbox.environment["PATH"] = path_without(sandbox, "make");  // ninja will do
    const auto result = sandbox.upgrade({"--events", "events"});
    sandbox.environment.erase("PATH");
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    CHECK(sandbox.read("repository/built") == "from a tag");
    CHECK(moves(sandbox, "events") ==
          "fetching building simulating awaiting_confirmation applying succeeded ");
    CHECK_THAT(sandbox.run({"logs", "0.1.10001", "--build"}).out,
               Contains("upgrade_0.1.10001.so") && !Contains("[100%]"));
    CHECK(sandbox.upgrade().status == 0);  // nothing to do
    // Built once; another cluster of this machine takes what is there.
    const std::string artefacts = everything_in(sandbox, "cache/git");
    std::filesystem::remove_all(sandbox.path() / "state");
    const Json after = sandbox.run({"plan", "-o", "json"}).json();
    CHECK(after["due"][0]["severity"] == "important");
    CHECK(sandbox.upgrade({"--events", "again"}).status == 0);
    CHECK(moves(sandbox, "again").find("building") == std::string::npos);
    // Built anew it is the same, byte by byte.
    std::filesystem::remove_all(sandbox.path() / "cache");
    std::filesystem::remove_all(sandbox.path() / "state");
    CHECK(sandbox.upgrade().status == 0);
    CHECK(everything_in(sandbox, "cache/git") == artefacts);
}

TEST_CASE("a build that fails changes nothing, is told with its last words, and kept as a log") {
    Sandbox sandbox;
    GitForge forge(sandbox, false);
    forge.add("0.1.10001", "#include <upgrade/sdk.hpp>\nthis is no C++\n");
    forge.tag("0.1.10001");
    forge.config("served/upgrades.git");
    const auto result = sandbox.upgrade({"--events", "events", "-o", "json"});
    CHECK(result.status == 3);
    CHECK(result.json()["error"]["changed"] == "no");
    CHECK_THAT(result.json()["error"]["message"].get<std::string>(),
               Contains("release '0.1.10001': it does not build"));
    CHECK(moves(sandbox, "events") == "fetching building failed_pre ");
    CHECK_THAT(sandbox.run({"logs", "0.1.10001", "--build"}).out, Contains("error:"));
    CHECK(sandbox.run({"logs", "0.1.10009", "--build"}).status == 3);
    CHECK_FALSE(sandbox.exists("cache/git/anything"));
    CHECK(everything_in(sandbox, "cache/git").find("checksums") == std::string::npos);
}

TEST_CASE("only tags that are signed by a known key are built, and only under their own name") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    const std::string key = forge.make_key("author");
    const std::string other = forge.make_key("other");
    const std::string trust = "{publicKeys: [\"" + key + "\"]}";
    forge.add("0.1.10001");
    forge.tag("0.1.10001", "author");
    forge.config("served/upgrades.git", trust);
    const auto good = sandbox.upgrade({"-o", "json"});
    INFO(good.out << good.err);
    REQUIRE(good.status == 0);
    CHECK_THAT(good.json()["due"][0]["signer"]["key"].get<std::string>(), Contains("SHA256:"));
    forge.add("0.1.10002");
    const auto refused = [&](const std::string& words) {
        const auto result = sandbox.upgrade();
        INFO(result.err);
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains(words));
    };
    forge.tag("0.1.10002");
    refused("is not signed by a key in trust.publicKeys");
    forge.tag("0.1.10002", "other");
    refused("is not signed by a key in trust.publicKeys");
    // A signature of the first tag, under the second one's name.
    forge.git("update-ref refs/tags/0.1.10002 refs/tags/0.1.10001");
    refused("its signature is of another tag");
    forge.git("tag -f 0.1.10002");  // no tag of its own at all
    refused("is not signed by a key in trust.publicKeys");
    CHECK(forge.builds() == 1);
    CHECK_THAT(sandbox.run({"upgrade", "--yes", "--verification", "warn"}).err,
               Contains("going on, because trust.verification is warn"));
    // Keys of the other kind are no keys here.
    forge.config("served/upgrades.git", "{publicKeys: [RW" + std::string(54, 'A') + "]}");
    CHECK(sandbox.upgrade().status == 2);
    forge.config("served/upgrades.git", "{}");
    CHECK(sandbox.upgrade().status == 2);
    (void)other;
}

TEST_CASE("over HTTP with credentials in the address: they go to git alone, and nowhere else") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    forge.add("0.1.10001");
    forge.tag("0.1.10001");
    GitHttp http(sandbox.path() / "served", "bot:p4ss-w0rd-of-bot");
    forge.config(http.url("upgrades.git", "bot:p4ss-w0rd-of-bot"));
    const auto result = sandbox.upgrade({"--events", "events"});
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    const std::string list = sandbox.run({"releases", "list"}).out;
    const std::string everywhere =
        result.out + result.err + list + sandbox.read("events") + everything_in(sandbox, "state") +
        everything_in(sandbox, "cache") + everything_in(sandbox, "repository");
    CHECK(everywhere.find("p4ss-w0rd") == std::string::npos);
    CHECK(everywhere.find("Ym90OnA0c3M") == std::string::npos);  // its base64
    // A wrong one is refused without a question; so is another host by redirect.
    forge.config(http.url("upgrades.git", "bot:another-word"));
    const auto wrong = sandbox.run({"check"});
    CHECK(wrong.status == 3);
    CHECK_THAT(wrong.err, Contains("cannot list the tags of http://127.0.0.1"));
    CHECK(wrong.err.find("another-word") == std::string::npos);
    GitHttp elsewhere(sandbox.path() / "served");
    http.redirect_to("http://localhost:" + elsewhere.url("").substr(17, 5));
    forge.config(http.url("upgrades.git", "bot:p4ss-w0rd-of-bot"));
    CHECK(sandbox.run({"check"}).status == 3);
    CHECK(elsewhere.requests() == 0);
}

TEST_CASE("credentials that are left in the clone stop everything before the build") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    forge.add("0.1.10001");
    forge.tag("0.1.10001");
    GitHttp http(sandbox.path() / "served", "bot:p4ss-w0rd-of-bot");
    // A git that writes them down.
    sandbox.write("bin/git",
                  "#!/bin/sh\nreal=$(PATH=${PATH#*:} command -v git)\n\"$real\" \"$@\" || exit\n"
                  "for last; do :; done\ncase \"$*\" in *' clone '*) "
                  "echo \"# $GIT_CONFIG_VALUE_0\" >> \"$last/.git/config\";; esac\n");
    ::chmod((sandbox.path() / "bin/git").c_str(), 0755);
    forge.config(http.url("upgrades.git", "bot:p4ss-w0rd-of-bot"));
    const auto result = sandbox.upgrade();
    INFO(result.err);
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("credentials were left in the clone's config"));
    CHECK(forge.builds() == 0);
    CHECK(everything_in(sandbox, "state").find("p4ss-w0rd") == std::string::npos);
}

TEST_CASE(
    "a hostile repository: links out of the tree, submodules, hooks, a huge history, a moving "
    "tag") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    GitHttp http(sandbox.path() / "served");
    // 24 MiB that no tag has, deep in the history.
    std::ofstream(forge.path() / "huge", std::ios::binary) << [] {
        std::string bytes(24U << 20U, '\0');
        std::uint32_t state = 1;
        for (char& byte : bytes)
            byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
        return bytes;
    }();
    forge.git("add -A");
    forge.git("commit -q -m huge");
    std::filesystem::remove(forge.path() / "huge");
    forge.add("0.1.10001");
    // A submodule whose fetch would run a program, and hooks that would run at checkout.
    sandbox.write("served/upgrades.git/.gitmodules",
                  "[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c touch% " +
                      (sandbox.path() / "ran").string() + "\n");
    forge.git("update-index --add --cacheinfo 160000," + forge.git("rev-parse HEAD").substr(0, 40) +
              ",x");
    forge.git("add -A .gitmodules");
    forge.git("commit -q -m submodule");
    sandbox.write("served/upgrades.git/.git/hooks/post-checkout",
                  "#!/bin/sh\ntouch " + (sandbox.path() / "ran").string() + "\n");
    ::chmod((forge.path() / ".git/hooks/post-checkout").c_str(), 0755);
    forge.tag("0.1.10001");
    forge.config(http.url("upgrades.git"));
    const auto built = sandbox.upgrade();
    INFO(built.err);
    CHECK(built.status == 0);
    CHECK_FALSE(sandbox.exists("ran"));
    CHECK(http.bytes_sent() < (4U << 20U));  // one commit, not the history
    for (const char* target : {"/etc/passwd", "../../../etc/passwd"}) {
        std::filesystem::remove(forge.path() / "link");
        std::filesystem::create_symlink(target, forge.path() / "link");
        forge.add("0.1.10002");
        forge.tag("0.1.10002");
        const auto result = sandbox.upgrade();
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains("'link' is a link that leads out of its tree"));
    }
    std::filesystem::remove(forge.path() / "link");
    std::filesystem::create_symlink("upgrades/../newest", forge.path() / "link");  // stays inside
    forge.add("0.1.10002");
    forge.tag("0.1.10002");
    CHECK(sandbox.upgrade().status == 0);
    // Tags that are no versions are named, and nothing of them is run or written.
    forge.git("tag 'not-a-version'");
    forge.git("tag '0.1.a'");
    const auto check = sandbox.run({"plan"});
    CHECK(check.status == 0);
    CHECK_THAT(check.err, Contains("not-a-version"));
}

TEST_CASE("git's own daemon on loopback, and what is no way to a repository") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    forge.add("0.1.10001");
    forge.tag("0.1.10001");
    forge.config("file://" + forge.path().string());
    CHECK(sandbox.upgrade().status == 0);
    const test::GitDaemon daemon(sandbox.path() / "served");
    forge.config(daemon.url("upgrades.git"));
    forge.add("0.1.10002");
    forge.tag("0.1.10002");
    const auto result = sandbox.upgrade();
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK(forge.builds() == 2);  // what is done is not built again, wherever it comes from
    struct Case {
        const char* url;
        const char* words;
    };
    for (const Case& one : std::vector<Case>{
             {"http://example.org/x.git", "plain http is for loopback addresses only"},
             {"http://127.example.org/x.git", "plain http is for loopback addresses only"},
             {"git://example.org/x.git", "plain git is for loopback addresses only"},
             {"ext::sh -c whoami", "a helper of git's"},
             {"ftp://127.0.0.1/x", "'ftp' is no way to a repository"},
             {"https://169.254.169.254/latest", "is no host for a repository"},
             {"https://-oProxyCommand=x/y", "names no host"},
             {"ssh://-oProxyCommand=x/y", "names no host"}}) {
        INFO(one.url);
        CHECK_THAT(runner::git_address_problem({one.url, "upgrade", {}, {}}), Contains(one.words));
    }
    CHECK_THAT(runner::git_address_problem(
                   {"https://user:secret@example.org/x.git", "upgrade", {"github.com"}, {}}),
               Contains("example.org is not among releases.allowedHosts"));
    CHECK(runner::git_address_problem({"https://github.com/a/b.git", "upgrade", {"github.com"}, {}})
              .empty());
    forge.config("https://example.org/x.git", k_disabled, ", allowedHosts: [github.com]");
    CHECK(sandbox.run({"check"}).status == 2);
    CHECK(sandbox.run({"check"}).err.find("allowedHosts") != std::string::npos);
}

TEST_CASE("a plan is saved of what is built for it, and a dry run changes nothing") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    forge.add("0.1.10001");
    forge.tag("0.1.10001");
    forge.config("served/upgrades.git");
    CHECK(sandbox.run({"plan"}).status == 0);  // looks, and builds nothing
    CHECK(forge.builds() == 0);
    REQUIRE(sandbox.run({"plan", "--out", "plan.json"}).status == 0);
    CHECK_FALSE(sandbox.exists("state"));
    CHECK(forge.builds() == 1);
    CHECK(sandbox.run({"upgrade", "--dry-run"}).status == 0);
    CHECK(sandbox.upgrade({"--plan", "plan.json"}).status == 0);
    CHECK(forge.builds() == 1);
    // A cache that was emptied is filled again where the bytes are needed.
    std::filesystem::remove_all(sandbox.path() / "cache");
    CHECK(sandbox.run({"verify"}).status == 0);
    CHECK(sandbox.run({"releases", "verify"}).status == 0);
    CHECK(forge.builds() == 2);
}

TEST_CASE("over the API a build is a state of its job, with a log for admins") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    forge.add("0.1.10001");
    forge.tag("0.1.10001");
    forge.config("served/upgrades.git");
    forge.let_build("hang");
    test::ApiServer server(sandbox);
    CHECK(server.get("/api/v1/clusters/test").json()["due"] == 1);
    const std::string id = server.start_upgrade();
    const Json building = server.wait_for_state(id, "building");
    CHECK(building["progress"] == 10);
    test::wait_until([&] { return sandbox.exists("builds.hangs"); });
    CHECK(server.post("/api/v1/jobs/" + id + "/cancel").status == 202);
    CHECK(server.wait_for_end(id)["state"] == "cancelled");
    forge.let_build("fail");
    const auto failed = server.post(test::k_cluster + "/upgrades?wait=true", test::k_yes);
    CHECK(failed.code() == "preparation_failed");
    const std::string log =
        "/api/v1/jobs/" + failed.json()["job"].get<std::string>() + "/logs/0.1.10001?build=true";
    CHECK_THAT(server.get_as_admin(log).body, Contains("error: it was told not to compile"));
    CHECK(server.get(log).status == 403);
}

TEST_CASE("stopped or killed while it builds, nothing was changed, and a rerun goes on") {
    Sandbox sandbox;
    GitForge forge(sandbox);
    forge.add("0.1.10001");
    forge.tag("0.1.10001");
    forge.config("served/upgrades.git");
    forge.let_build("hang");
    {
        const auto program = sandbox.start({"upgrade", "--yes", "--events", "events"});
        test::wait_until([&] { return sandbox.exists("builds.hangs"); });
        program->signal(SIGINT);
        CHECK(program->wait().status == 130);
        CHECK(moves(sandbox, "events") == "fetching building cancelled ");
    }
    std::filesystem::remove(sandbox.path() / "builds.hangs");
    {
        const auto program = sandbox.start({"upgrade", "--yes"});
        test::wait_until([&] { return sandbox.exists("builds.hangs"); });
        program->signal(SIGKILL);
        program->wait();
    }
    forge.let_build("build");
    const auto result = sandbox.upgrade();
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out + result.err, Contains("was interrupted"));
}
