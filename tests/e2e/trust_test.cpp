// SPDX-License-Identifier: Apache-2.0
// Signatures: what is believed, and each way in which a release can lie.
#include "support/catch.hpp"

#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

const std::string k_signature = "/upgrade-checksums.txt.minisig";
const std::string k_checksums = "/upgrade-checksums.txt";

/// A cluster that believes one key, and signed releases of it.
class SignedReleases {
 public:
    SignedReleases() {
        new_key("good");
        new_key("other");
        trust("");
        sandbox.behaviour("0.1.10001 note\n0.1.10002 note\n");
    }

    std::string new_key(const std::string& name) {
        const auto made = sandbox.run({"package", "--generate-key", name + ".key"});
        REQUIRE(made.status == 0);
        return made.out.substr(0, made.out.find('\n'));
    }

    [[nodiscard]] std::string public_key(const std::string& name) const {
        const std::string text = sandbox.read(name + ".key.pub");
        return text.substr(text.find('\n') + 1, 56);
    }

    /// The config; `more` adds to `trust`.
    void trust(const std::string& more, const std::string& verification = "enabled",
               const std::string& key = "good") const {
        std::string config =
            "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: test}\noriginalVersion: 0.1.0\n"
            "repositoryDirectory: repository\nstate: state/state.db\n"
            "releases: {source: directory, directory: releases, repository: o/r}\n";
        config += "trust: {verification: " + verification + ", publicKeys: [" + public_key(key) +
                  "]" + more + "}\n";
        sandbox.write("cluster.yaml", config);
    }

    void release(const std::string& version) {
        sandbox.release_plugin("puppet", version);
        sign(version);
    }

    void sign(const std::string& version, const std::string& key = "good",
              const std::string& repository = "o/r") {
        REQUIRE(sandbox
                    .run({"package", "releases/" + version, "--out", "releases", "--repository",
                          repository, "--sign", key + ".key"})
                    .status == 0);
    }

    /// Replaces text in a file of a release.
    void tamper(const std::string& file, const std::string& from, const std::string& to) const {
        std::string text = sandbox.read("releases/" + file);
        REQUIRE(text.find(from) != std::string::npos);
        text.replace(text.find(from), from.size(), to);
        sandbox.write("releases/" + file, text);
    }

    /// Nothing runs, exit 3, and the message names the release and these words.
    /// `by_itself`: what `run` is asked for; empty: the upgrade of the tag.
    void refused(const std::string& tag, const std::string& words, std::string by_itself = {}) {
        if (by_itself.empty()) by_itself = tag.substr(tag.front() == 'v' ? 1 : 0);
        for (const std::vector<std::string>& command :
             {std::vector<std::string>{"upgrade", "--yes"},
              {"run", by_itself, "--dry-run=false", "--confirm", "--record"}}) {
            const auto result = sandbox.run(command);
            INFO(command.front());
            CHECK(result.status == 3);
            CHECK_THAT(result.err, Contains(tag) && Contains(words));
            CHECK_FALSE(sandbox.exists("repository/order"));
        }
    }

    Sandbox sandbox;
};

}  // namespace

TEST_CASE("signed releases run, and who signed them is shown and kept") {
    SignedReleases all;
    all.release("0.1.10001");
    const auto planned = all.sandbox.run({"plan", "-o", "json"});
    CHECK(planned.json()["due"][0]["signer"]["key"].get<std::string>().size() == 16);
    CHECK_THAT(all.sandbox.run({"releases", "verify"}).out, Contains("good  plugin, signed by "));
    const auto run = all.sandbox.upgrade();
    REQUIRE(run.status == 0);
    CHECK_THAT(run.out, Contains("signed by "));
    CHECK(all.sandbox.read("repository/order") == "0.1.10001\n");
    const auto history = all.sandbox.run({"history", "-o", "json"}).json();
    CHECK(history["runs"][0]["upgrades"][0]["signer"] == planned.json()["due"][0]["signer"]["key"]);
}

TEST_CASE("a new secret key is its owner's alone, and an existing one is not overwritten") {
    SignedReleases all;
    const auto status = std::filesystem::status(all.sandbox.path() / "good.key");
    CHECK((status.permissions() & std::filesystem::perms(0777)) == std::filesystem::perms(0600));
    const std::string before = all.sandbox.read("good.key");
    const auto again = all.sandbox.run({"package", "--generate-key", "good.key"});
    CHECK(again.status == 2);
    CHECK_THAT(again.err, Contains("is there already"));
    CHECK(all.sandbox.read("good.key") == before);
}

TEST_CASE("verification enabled without a key or a repository is a config error") {
    SignedReleases all;
    all.release("0.1.10001");
    std::string config = all.sandbox.read("cluster.yaml");
    std::string without_key = config;
    without_key.replace(without_key.find(", publicKeys"), std::string::npos, "}\n");
    all.sandbox.write("cluster.yaml", without_key);
    auto result = all.sandbox.upgrade();
    CHECK(result.status == 2);
    CHECK_THAT(result.err, Contains("trust.publicKeys names no key"));
    CHECK(all.sandbox.run({"releases", "verify"}).status == 2);
    const auto plan = all.sandbox.run({"plan"});
    CHECK(plan.status == 0);
    CHECK_THAT(plan.err, Contains("trust.publicKeys names no key"));

    config.replace(config.find(", repository: o/r"), 17, "");
    all.sandbox.write("cluster.yaml", config);
    result = all.sandbox.upgrade();
    CHECK(result.status == 2);
    CHECK_THAT(result.err, Contains("releases.repository is missing"));
}

TEST_CASE("a key that is none is a config error with its place") {
    SignedReleases all;
    all.trust(", revokedKeys: [nonsense]");
    const auto result = all.sandbox.run({"plan"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, Contains("cluster.yaml:8:") && Contains("nonsense"));
}

TEST_CASE("threat: an asset was tampered with") {
    SignedReleases all;
    all.release("0.1.10001");
    for (const auto& [name, bytes] : all.sandbox.snapshot("releases/0.1.10001")) {
        if (name.find(".tar.gz") == std::string::npos) continue;
        std::string changed = bytes;
        changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
        all.sandbox.write(name, changed);
    }
    all.refused("0.1.10001", "expected");
}

TEST_CASE("threat: the manifest was tampered with") {
    SignedReleases all;
    all.release("0.1.10001");
    all.tamper("0.1.10001/upgrade_0.1.10001_manifest.json", "\"severity\": \"routine\"",
               "\"severity\": \"importan\"");
    all.refused("0.1.10001", "expected");
}

TEST_CASE("threat: the checksums file was tampered with") {
    SignedReleases all;
    all.release("0.1.10001");
    const std::string text = all.sandbox.read("releases/0.1.10001" + k_checksums);
    all.sandbox.write("releases/0.1.10001" + k_checksums,
                      text + std::string(64, 'a') + "  another\n");
    all.refused("0.1.10001", "was changed after it was signed");
}

TEST_CASE("threat: there is no signature") {
    SignedReleases all;
    all.release("0.1.10001");
    std::filesystem::remove(all.sandbox.path() / ("releases/0.1.10001" + k_signature));
    all.refused("0.1.10001", "minisig");
}

TEST_CASE("threat: a signature that is none, or holds more than one") {
    SignedReleases all;
    all.release("0.1.10001");
    const std::string file = "releases/0.1.10001" + k_signature;
    const std::string good = all.sandbox.read(file);
    all.sandbox.write(file, good + good);
    all.refused("0.1.10001", "expected 4 lines");
    all.sandbox.write(file, "");
    all.refused("0.1.10001", "expected 4 lines");
    std::string legacy = good;
    legacy.replace(legacy.find("\nRU") + 1, 2, "RW");
    all.sandbox.write(file, legacy);
    all.refused("0.1.10001", "legacy");
}

TEST_CASE("threat: the checksums and the signature of another release") {
    SignedReleases all;
    all.release("0.1.10001");
    all.release("0.1.10002");
    for (const std::string& file : {k_checksums, k_signature})
        all.sandbox.write("releases/0.1.10002" + file,
                          all.sandbox.read("releases/0.1.10001" + file));
    all.refused("0.1.10002", "has no checksum for upgrade_0.1.10002");
}

TEST_CASE("threat: a release under another tag than it was signed for") {
    SignedReleases all;
    all.release("0.1.10001");
    std::filesystem::rename(all.sandbox.releases() / "0.1.10001",
                            all.sandbox.releases() / "v0.1.10001");
    all.refused("v0.1.10001", "is for the tag '0.1.10001', expected 'v0.1.10001'");
}

TEST_CASE("threat: a signature for another repository") {
    SignedReleases all;
    all.sandbox.release_plugin("puppet", "0.1.10001");
    all.sign("0.1.10001", "good", "somebody/else");
    all.refused("0.1.10001", "is for the repository 'somebody/else', expected 'o/r'");
}

TEST_CASE("threat: what the signature is for was changed in its comment") {
    SignedReleases all;
    all.sandbox.release_plugin("puppet", "0.1.10001");
    all.sign("0.1.10001", "good", "somebody/else");
    all.tamper("0.1.10001" + k_signature, "somebody/else", "o/r");
    all.refused("0.1.10001", "was changed after it was signed");
}

TEST_CASE("threat: a key that nobody believes, and one that is revoked") {
    SignedReleases all;
    all.release("0.1.10001");
    all.sign("0.1.10001", "other");
    all.refused("0.1.10001", "which is not among trust.publicKeys");
    all.trust(", revokedKeys: [" + all.public_key("good") + "]");
    all.sign("0.1.10001");
    all.refused("0.1.10001", "which is revoked");
    all.trust("", "enabled", "other");
    all.sign("0.1.10001", "other");
    CHECK(all.sandbox.upgrade().status == 0);
}

TEST_CASE("threat: a predecessor is hidden, unless it is settled") {
    SignedReleases all;
    all.release("0.1.10002");
    all.tamper("0.1.10002/upgrade_0.1.10002_manifest.json", "\"after\": []",
               "\"after\": [\"0.1.10001\"]");
    all.sign("0.1.10002");
    all.refused("0.1.10001", "a release is hidden or was deleted", "0.1.10002");
    REQUIRE(all.sandbox.run({"state", "record", "0.1.10001", "--reason", "withdrawn"}).status == 0);
    CHECK(all.sandbox.upgrade().status == 0);
}

TEST_CASE("threat: a release is made anew, validly signed, after it was attempted") {
    SignedReleases all;
    all.release("0.1.10001");
    all.sandbox.behaviour("0.1.10001 fail\n");
    REQUIRE(all.sandbox.upgrade().status == 1);
    std::filesystem::remove_all(all.sandbox.path() / "releases/0.1.10001");
    all.sandbox.write("again", "#!/bin/sh\n");
    REQUIRE(all.sandbox
                .run({"package", "again", "--version-of-upgrade", "0.1.10001", "--out", "releases",
                      "--repository", "o/r", "--sign", "good.key"})
                .status == 0);
    const auto refused = all.sandbox.upgrade();
    CHECK(refused.status == 3);
    CHECK_THAT(refused.err, Contains("was changed after it was first attempted"));
    CHECK(all.sandbox.upgrade({"--accept-changed", "0.1.10001"}).status == 0);
}

TEST_CASE("verification warn goes on and says what is wrong - disabled does not look") {
    SignedReleases all;
    all.release("0.1.10001");
    std::filesystem::remove(all.sandbox.path() / ("releases/0.1.10001" + k_signature));
    all.refused("0.1.10001", "minisig");
    const auto warned = all.sandbox.upgrade({"--verification", "warn"});
    CHECK(warned.status == 0);
    CHECK_THAT(warned.err, Contains("warning: ") && Contains("minisig"));
    all.release("0.1.10002");
    all.tamper("0.1.10002" + k_signature, "o/r", "x/y");
    all.trust("", "disabled");
    const auto silent = all.sandbox.upgrade();
    CHECK(silent.status == 0);
    CHECK(silent.err.find("signature") == std::string::npos);
}

TEST_CASE("minisign verifies what runner signs, and runner what minisign signs") {
    SignedReleases all;
    all.release("0.1.10001");
    const std::string folder = (all.sandbox.path() / "releases/0.1.10001").string();
    const auto minisign = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "minisign");
        return test::Program(arguments, all.sandbox.path(), {}).wait();
    };
    const auto verified = minisign({"-V", "-p", "good.key.pub", "-m", folder + k_checksums});
    CHECK(verified.status == 0);
    CHECK_THAT(verified.out, Contains("repository:o/r tag:0.1.10001 version:0.1.10001 time:"));

    REQUIRE(minisign({"-G", "-W", "-p", "real.key.pub", "-s", "real.key"}).status == 0);
    REQUIRE(minisign({"-S", "-s", "real.key", "-m", folder + k_checksums, "-t",
                      "repository:o/r tag:0.1.10001 version:0.1.10001 time:2026-01-31T23:59:59Z"})
                .status == 0);
    all.trust("", "enabled", "real");
    CHECK(all.sandbox.upgrade().status == 0);
    all.sign("0.1.10001", "real");
    CHECK(minisign({"-V", "-p", "real.key.pub", "-m", folder + k_checksums}).status == 0);
    REQUIRE(minisign({"-S", "-s", "good.key", "-m", folder + k_checksums}).status == 0);
}

TEST_CASE("an encrypted key needs its password") {
    SignedReleases all;
    // Made by minisign 0.11 with the password "pw".
    all.sandbox.write("encrypted.key",
                      "untrusted comment: minisign encrypted secret key\n"
                      "RWRTY0Iys6TQUMs3n7U9Q238wi0aSd2nUal4Ww7bTdSVIYxZsr8AAAACAAAAAAAAAEAAAAAAWaX1"
                      "0YsuL+NwQXWWvnS"
                      "+RfwIMwmjmQ0XEIVXWqnDbZqxlyrUxxJ8hQ3d1CVHiSyF4rpEdebN0gEAjLwAwzk1E7KNbTuKA+"
                      "eSqzMyoJd84lXypu"
                      "oOwTD8Nb3rUAgk9CcWxPAjyKzcA1c=\n");
    all.sandbox.write("encrypted.key.pub",
                      "untrusted comment: minisign public key\n"
                      "RWSvDSaOLNfszeMY7W4CMuIRndA9i3+wvHVfAlkO+lGdyMf5Ew2MvD/T\n");
    all.sandbox.release_plugin("puppet", "0.1.10001");
    const std::vector<std::string> command{"package",  "releases/0.1.10001", "--out",
                                           "releases", "--repository",       "o/r",
                                           "--sign",   "encrypted.key"};
    all.sandbox.environment["RUNNER_SIGNING_PASSWORD"] = "wrong";
    const auto wrong = all.sandbox.run(command);
    CHECK(wrong.status == 2);
    CHECK_THAT(wrong.err, Contains("its password is wrong"));
    all.sandbox.environment["RUNNER_SIGNING_PASSWORD"] = "pw";
    REQUIRE(all.sandbox.run(command).status == 0);
    all.trust("", "enabled", "encrypted");
    CHECK(all.sandbox.upgrade().status == 0);
}

TEST_CASE(
    "a mirror of signed releases runs offline as its source does, and goes on where it stopped") {
    SignedReleases all;
    all.release("0.1.10001");
    all.release("0.1.10002");
    const auto first = all.sandbox.run({"releases", "mirror", "mirror"});
    REQUIRE(first.status == 0);
    CHECK_THAT(first.out, Contains("0.1.10001") && Contains("4 files copied, 0 there already"));
    CHECK(all.sandbox.snapshot("mirror").size() == all.sandbox.snapshot("releases").size());
    for (const auto& [name, bytes] : all.sandbox.snapshot("releases"))
        CHECK(all.sandbox.snapshot("mirror").at("mirror" + name.substr(8)) == bytes);

    all.sandbox.write("mirror/0.1.10002/upgrade_0.1.10002_manifest.json", "torn");
    std::filesystem::remove(all.sandbox.path() / ("mirror/0.1.10002" + k_checksums));
    const auto again = all.sandbox.run({"releases", "mirror", "mirror", "--version", "0.1.10002"});
    CHECK(again.status == 0);
    CHECK_THAT(again.out, Contains("2 files copied, 2 there already"));
    CHECK(again.out.find("0.1.10001") == std::string::npos);

    std::filesystem::rename(all.sandbox.releases(), all.sandbox.path() / "gone");
    std::string config = all.sandbox.read("cluster.yaml");
    config.replace(config.find("directory: releases"), 19, "directory: mirror");
    all.sandbox.write("cluster.yaml", config);
    CHECK(all.sandbox.upgrade().status == 0);
    CHECK(all.sandbox.read("repository/order") == "0.1.10001\n0.1.10002\n");
}

TEST_CASE("what is not believed, or not whole, is not mirrored, and named - the rest is") {
    SignedReleases all;
    all.release("0.1.10001");
    all.release("0.1.10002");
    all.release("0.1.10003");
    all.tamper("0.1.10001" + k_signature, "o/r", "x/y");
    for (const auto& [name, bytes] : all.sandbox.snapshot("releases/0.1.10002")) {
        if (name.find(".tar.gz") != std::string::npos)
            std::filesystem::remove(all.sandbox.path() / name);
    }
    const auto result = all.sandbox.run({"releases", "mirror", "mirror"});
    CHECK(result.status == 3);
    CHECK_THAT(result.out, Contains("was changed after it was signed"));
    CHECK_FALSE(all.sandbox.exists("mirror/0.1.10001"));
    CHECK_FALSE(all.sandbox.exists("mirror/0.1.10002" + k_checksums));
    CHECK(all.sandbox.exists("mirror/0.1.10003" + k_checksums));
    const auto unknown = all.sandbox.run({"releases", "mirror", "mirror", "--version", "9.9.9"});
    CHECK(unknown.status == 3);
    CHECK_THAT(unknown.err, Contains("no release 9.9.9"));
}
