// SPDX-License-Identifier: Apache-2.0
// The threat table over HTTP: a forge that serves signed releases and lies in one way each time.
// The real program is refused by name, with exit code 3, and nothing runs.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "model/json.hpp"
#include "model/platform.hpp"
#include "model/release.hpp"
#include "releases/archive.hpp"
#include "support/catch.hpp"
#include "support/sandbox.hpp"
#include "support/scripted_server.hpp"
#include "support/sha256.hpp"

using Catch::Contains;
using test::Sandbox;
using test::ScriptedServer;

namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

/// A function that the test sets while the server's thread calls it.
template <typename Function>
class Guarded {
 public:
    void operator=(Function function) {
        const std::lock_guard lock(m_mutex);
        m_function = std::move(function);
    }
    [[nodiscard]] Function get() const {
        const std::lock_guard lock(m_mutex);
        return m_function;
    }

 private:
    mutable std::mutex m_mutex;
    Function m_function;
};

/// A forge over the sandbox's folder of releases, and how it lies.
class Forge {
 public:
    /// Changes the reply to a request for this path; nothing: the honest one.
    using Lie = std::function<std::optional<std::string>(const std::string& path)>;

    Forge() : m_server([this](const std::string& request, int) { return answer(request); }) {
        REQUIRE(sandbox.run({"package", "--generate-key", "good.key"}).status == 0);
        const std::string text = sandbox.read("good.key.pub");
        m_key = text.substr(text.find('\n') + 1, 56);
        sandbox.write("cluster.yaml",
                      "apiVersion: runner/v1\nkind: Cluster\nmetadata: {name: test}\n"
                      "originalVersion: 0.1.0\nrepositoryDirectory: repository\n"
                      "state: state/state.db\nreleases: {source: github, repository: o/r, api: \"" +
                          m_server.base() + "\"}\ntrust: {publicKeys: [" + m_key + "]}\n");
        sandbox.environment["GITHUB_TOKEN"] = "forge-token";
        sandbox.behaviour("all-note");
        release("0.1.10001");
    }

    void release(const std::string& version, const std::string& plugin = "puppet") {
        sandbox.release_plugin(plugin, version);
        sign(version);
    }
    void sign(const std::string& version) {
        REQUIRE(sandbox
                    .run({"package", "releases/" + version, "--out", "releases", "--repository",
                          "o/r", "--sign", "good.key"})
                    .status == 0);
    }
    /// The archive replaced by these bytes, and everything above it made to fit, signature
    /// included: what somebody with the key can do.
    void replace_archive(const std::string& version, const std::string& bytes) {
        const fs::path folder = sandbox.releases() / version;
        const auto names = runner::AssetNames::of("upgrade", version, runner::Platform::current());
        sandbox.write("releases/" + version + "/" + names.archive, bytes);
        runner::Json manifest = runner::parse_json(slurp(folder / names.manifest), names.manifest);
        const std::string platform = runner::Platform::current().to_string();
        manifest["platforms"][platform] = {{"file", names.archive},
                                           {"size", bytes.size()},
                                           {"archiveSha256", runner::sha256(bytes).to_string()}};
        sandbox.write("releases/" + version + "/" + names.manifest, manifest.dump());
        sign(version);
    }

    /// Refused: exit 3, with the release and these words, nothing run, no token given away.
    void refused(const std::string& words, const std::string& tag = "0.1.10001") {
        const auto result = sandbox.upgrade();
        CHECK(result.status == 3);
        CHECK_THAT(result.err, Contains(tag) && Contains(words));
        CHECK_FALSE(sandbox.exists("repository/order"));
        CHECK_THAT(result.out + result.err, !Contains("forge-token"));
        // The same forge, honest again, is believed: nothing of the lie was kept.
        lie = nullptr;
        lie_in_list = nullptr;
        const auto honest = sandbox.upgrade();
        CHECK(honest.status == 0);
    }

    [[nodiscard]] std::string file(const std::string& tag, const std::string& name) const {
        return slurp(sandbox.releases() / tag / name);
    }

    Sandbox sandbox;
    Guarded<Lie> lie;
    Guarded<std::function<void(runner::Json&)>> lie_in_list;

 private:
    std::string answer(const std::string& request) {
        const std::size_t begin = request.find(' ') + 1;
        std::string path = request.substr(begin, request.find(' ', begin) - begin);
        path = path.substr(0, path.find('?'));
        if (const Lie told_lie = lie.get()) {
            if (const auto told = told_lie(path)) return *told;
        }
        if (path == "/repos/o/r/releases") {
            runner::Json releases = list();
            if (const auto change = lie_in_list.get()) change(releases);
            return ScriptedServer::reply("200 OK", "", releases.dump());
        }
        if (path.rfind("/assets/", 0) == 0 && fs::exists(sandbox.releases() / path.substr(8)))
            return ScriptedServer::reply("200 OK", "", slurp(sandbox.releases() / path.substr(8)));
        return ScriptedServer::reply("404 Not Found", "", "{\"message\": \"Not Found\"}");
    }

    [[nodiscard]] runner::Json list() const {
        runner::Json releases = runner::Json::array();
        int id = 0;
        for (const auto& folder : fs::directory_iterator(sandbox.releases())) {
            const std::string tag = folder.path().filename();
            runner::Json assets = runner::Json::array();
            for (const auto& file : fs::directory_iterator(folder)) {
                const std::string name = file.path().filename();
                const std::string url = m_server.base() + "/assets/" + tag + "/" + name;
                assets.push_back({{"id", ++id},
                                  {"name", name},
                                  {"state", "uploaded"},
                                  {"size", fs::file_size(file)},
                                  {"digest", "sha256:" + runner::sha256(slurp(file)).to_string()},
                                  {"url", url},
                                  {"browser_download_url", url}});
            }
            releases.push_back({{"tag_name", tag},
                                {"prerelease", false},
                                {"draft", false},
                                {"body", "notes"},
                                {"assets", assets}});
        }
        return releases;
    }

    std::string m_key;
    ScriptedServer m_server;
};

bool ends_with(const std::string& path, const std::string& end) {
    return path.size() >= end.size() &&
           path.compare(path.size() - end.size(), end.size(), end) == 0;
}

/// A lie about one asset: its bytes, changed.
Forge::Lie changed(Forge& forge, const std::string& end,
                   const std::function<std::string(std::string)>& change) {
    return [&forge, end, change](const std::string& path) -> std::optional<std::string> {
        if (!ends_with(path, end)) return std::nullopt;
        return ScriptedServer::reply("200 OK", "",
                                     change(slurp(forge.sandbox.releases() / path.substr(8))));
    };
}

void without_digests(runner::Json& releases) {
    for (runner::Json& release : releases) {
        for (runner::Json& asset : release["assets"]) asset.erase("digest");
    }
}

runner::Json bad_release(const std::string& tag) {
    return {{"tag_name", tag},
            {"prerelease", false},
            {"draft", false},
            {"body", ""},
            {"assets", runner::Json::array()}};
}

std::string flip(std::string bytes) {
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    return bytes;
}

}  // namespace

TEST_CASE("hostile forge: none - the releases run") {
    Forge forge;
    CHECK(forge.sandbox.upgrade().status == 0);
    CHECK(forge.sandbox.exists("repository/order"));
}

TEST_CASE("hostile forge: a byte of the archive is changed") {
    Forge forge;
    forge.lie = changed(forge, ".tar.gz", flip);
    forge.refused("does not match its checksum");
}

TEST_CASE("hostile forge: a byte of the manifest is changed") {
    Forge forge;
    forge.lie = changed(forge, "_manifest.json", flip);
    forge.refused("manifest");
}

TEST_CASE("hostile forge: a byte of the checksums file is changed") {
    // In a digest, in a name, at the end; with the API's digests, and without, as older forges are.
    for (const bool with_digests : {true, false}) {
        for (const std::size_t at : {10U, 70U, 1000U}) {
            INFO(with_digests << " " << at);
            Forge forge;
            if (!with_digests) forge.lie_in_list = without_digests;
            forge.lie = changed(forge, "-checksums.txt", [&](std::string text) {
                char& byte = text[std::min(at, text.size() - 2)];
                byte = byte == '7' ? '8' : '7';
                return text;
            });
            forge.refused("");
        }
    }
}

TEST_CASE("hostile forge: a byte of the signature is changed") {
    Forge forge;
    forge.lie = changed(forge, ".minisig", flip);
    forge.refused("sig");
}

TEST_CASE("hostile forge: the signature is kept back") {
    Forge forge;
    forge.lie = [](const std::string& path) -> std::optional<std::string> {
        if (!ends_with(path, ".minisig")) return std::nullopt;
        return ScriptedServer::reply("404 Not Found", "", "");
    };
    forge.refused("minisig");
}

TEST_CASE("hostile forge: an older release is served under a newer tag") {
    for (const bool with_digests : {true, false}) {
        INFO(with_digests);
        Forge forge;
        forge.release("0.1.10002");
        if (!with_digests) forge.lie_in_list = without_digests;
        forge.lie = [&](const std::string& path) -> std::optional<std::string> {
            const std::size_t at = path.find("/0.1.10002/");
            if (at == std::string::npos) return std::nullopt;
            std::string name = path.substr(at + 11);
            if (const std::size_t version = name.find("0.1.10002"); version != std::string::npos)
                name.replace(version, 9, "0.1.10001");
            return ScriptedServer::reply("200 OK", "", forge.file("0.1.10001", name));
        };
        forge.refused(with_digests ? "does not match what the API says" : "has no checksum for",
                      "0.1.10002");
    }
}

TEST_CASE("hostile forge: the archive of another release, itself signed") {
    Forge forge;
    forge.release("0.1.10002");
    forge.lie = [&](const std::string& path) -> std::optional<std::string> {
        if (!ends_with(path, ".tar.gz") || path.find("0.1.10002") == std::string::npos)
            return std::nullopt;
        const auto names =
            runner::AssetNames::of("upgrade", "0.1.10001", runner::Platform::current());
        return ScriptedServer::reply("200 OK", "", forge.file("0.1.10001", names.archive));
    };
    forge.refused("does not match its checksum", "0.1.10002");
}

TEST_CASE("hostile forge: a predecessor is hidden") {
    Forge forge;
    forge.sandbox.remove_release("0.1.10001");
    forge.sandbox.release_plugin("puppet", "0.1.10002");
    const std::string file = "releases/0.1.10002/upgrade_0.1.10002_manifest.json";
    runner::Json manifest = runner::parse_json(forge.sandbox.read(file), file);
    manifest["after"] = {"0.1.10001"};
    forge.sandbox.write(file, manifest.dump());
    forge.sign("0.1.10002");
    const auto result = forge.sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("0.1.10002") && Contains("0.1.10001"));
    CHECK_FALSE(forge.sandbox.exists("repository/order"));
}

TEST_CASE("hostile forge: a release is made anew after it was attempted, with the right key") {
    Forge forge;
    forge.sandbox.write("repository/behaviour", "0.1.10001 fail\n");
    CHECK(forge.sandbox.upgrade().status == 1);
    forge.sandbox.write("repository/behaviour", "all-note");
    forge.release("0.1.10001", "noop");
    const auto result = forge.sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("was changed after it was first attempted"));
}

TEST_CASE("hostile forge: an archive that leads out of its folder, though signed") {
    Forge forge;
    const auto names = runner::AssetNames::of("upgrade", "0.1.10001", runner::Platform::current());
    forge.replace_archive("0.1.10001", runner::make_archive({"../../" + names.library, "x"}));
    const auto result = forge.sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("0.1.10001") && Contains("../../"));
}

TEST_CASE("hostile forge: an archive that expands without end, though signed") {
    Forge forge;
    const auto names = runner::AssetNames::of("upgrade", "0.1.10001", runner::Platform::current());
    forge.replace_archive("0.1.10001",
                          runner::make_archive({names.library, std::string(300U << 20U, '\0')}));
    const auto result = forge.sandbox.upgrade();
    CHECK(result.status == 3);
    CHECK_THAT(result.err, Contains("0.1.10001"));
    CHECK_FALSE(forge.sandbox.exists("repository/order"));
}

TEST_CASE("hostile forge: a download that ends too early") {
    Forge forge;
    forge.lie = [&](const std::string& path) -> std::optional<std::string> {
        if (!ends_with(path, ".tar.gz")) return std::nullopt;
        return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\nshort";
    };
    forge.refused("0.1.10001");
}

TEST_CASE("hostile forge: a download without end") {
    Forge forge;
    forge.lie = [&](const std::string& path) -> std::optional<std::string> {
        if (!ends_with(path, "-checksums.txt")) return std::nullopt;
        return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(8U << 20U, 'x');
    };
    forge.refused("0.1.10001");
}

TEST_CASE("hostile forge: an error page instead of an asset") {
    Forge forge;
    forge.lie = changed(forge, ".tar.gz", [](const std::string&) {
        return std::string("<html>We are sorry</html>");
    });
    forge.refused("0.1.10001");
}

TEST_CASE("hostile forge: a redirect to plain http, and one to a file") {
    for (const char* target : {"http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/x"}) {
        INFO(target);
        Forge forge;
        forge.lie = [&](const std::string& path) -> std::optional<std::string> {
            if (!ends_with(path, ".tar.gz")) return std::nullopt;
            return ScriptedServer::reply("302 Found", std::string("Location: ") + target + "\r\n",
                                         "");
        };
        forge.refused("0.1.10001");
    }
}

TEST_CASE("hostile forge: a redirect to another host does not take the token along") {
    Forge forge;
    ScriptedServer thief([&](const std::string&, int) {
        const auto names =
            runner::AssetNames::of("upgrade", "0.1.10001", runner::Platform::current());
        return ScriptedServer::reply("200 OK", "", forge.file("0.1.10001", names.archive));
    });
    forge.lie = [&](const std::string& path) -> std::optional<std::string> {
        if (!ends_with(path, ".tar.gz")) return std::nullopt;
        return ScriptedServer::reply("302 Found", "Location: " + thief.base() + "/x\r\n", "");
    };
    CHECK(forge.sandbox.upgrade().status == 0);  // the bytes are the signed ones
    REQUIRE(thief.requests().size() == 1);
    CHECK_THAT(thief.requests().front(), !Contains("forge-token"));
}

TEST_CASE("hostile forge: a tag that is no version but a path") {
    Forge forge;
    forge.lie = [&](const std::string& path) -> std::optional<std::string> {
        if (path != "/repos/o/r/releases") return std::nullopt;
        return ScriptedServer::reply(
            "200 OK", "",
            runner::Json::array({bad_release("../../../etc"), bad_release("0.0.1$(reboot)")})
                .dump());
    };
    const auto result = forge.sandbox.upgrade();
    CHECK(result.status == 0);  // never due, and named
    CHECK_THAT(result.err, Contains("../../../etc") && Contains("0.0.1$(reboot)"));
    CHECK_FALSE(forge.sandbox.exists("repository/order"));
}

TEST_CASE("hostile forge: it says another digest than the signed one, or has an unfinished asset") {
    for (const char* key : {"digest", "state"}) {
        INFO(key);
        Forge forge;
        forge.lie_in_list = [key](runner::Json& releases) {
            for (runner::Json& asset : releases[0]["assets"]) {
                if (!ends_with(asset["name"], ".tar.gz")) continue;
                asset[key] = std::string(key) == "digest" ? "sha256:" + std::string(64, '0')
                                                          : std::string("starter");
            }
        };
        forge.refused("0.1.10001");
    }
}
