// SPDX-License-Identifier: Apache-2.0
#include "releases/git_source.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "model/error.hpp"
#include "model/json.hpp"
#include "releases/checksums.hpp"
#include "releases/git_workspace.hpp"
#include "releases/packaging.hpp"
#include "releases/release_index.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"
#include "support/url.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;

constexpr std::chrono::milliseconds k_list_time{minutes(1)};
constexpr std::chrono::milliseconds k_clone_time{minutes(5)};
constexpr std::chrono::milliseconds k_git_time{minutes(1)};
constexpr std::chrono::milliseconds k_build_time{minutes(30)};
constexpr std::size_t k_max_library = 256U << 20U;
constexpr std::size_t k_max_files = 200'000;
constexpr std::size_t k_max_description = 1U << 20U;

/// Where clouds keep the credentials of their machines.
bool is_link_local(const std::string& host) {
    return host.rfind("169.254.", 0) == 0 || host.rfind("fe80:", 0) == 0 ||
           host == "metadata.google.internal";
}

/// Links that lead out of the tree would have the build read what is none of its business.
void check_tree(const fs::path& tree) {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        const std::string name = entry.path().lexically_relative(tree).string();
        if (++files > k_max_files)
            throw Error(Failure::preparation,
                        "its tree has more than " + std::to_string(k_max_files) + " files");
        if (!entry.is_symlink()) continue;
        const fs::path target = fs::read_symlink(entry.path());
        const fs::path inside =
            target.is_absolute() ? target
                                 : (entry.path().parent_path() / target).lexically_relative(tree);
        if (target.is_absolute() || inside.begin() == inside.end() || *inside.begin() == "..")
            throw Error(
                Failure::preparation,
                "'" + name + "' is a link that leads out of its tree, to " + target.string());
    }
}

/// The name that CMake's MAKE_C_IDENTIFIER makes of an upgrade's.
std::string target_of(const std::string& version) {
    std::string target = "upgrade_" + version;
    for (char& c : target) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    return target;
}

class GitSource final : public ReleaseSource {
 public:
    GitSource(GitAddress address, GitTrust trust, Platform platform, const Cache& cache,
              std::function<bool()> stopped)
        : m_address(std::move(address)),
          m_trust(std::move(trust)),
          m_platform(std::move(platform)),
          m_remote(GitRemote::parse(m_address.url)),
          m_built(cache.folder() / "git" /
                  sha256(m_remote.url + '\n' + m_address.prefix).to_string().substr(0, 32)),
          m_stopped(std::move(stopped)) {}

    [[nodiscard]] std::string name() const override { return m_remote.url; }

    std::vector<Release> list() override {
        if (const std::string problem = git_address_problem(m_address); !problem.empty())
            throw Error(Failure::usage, "releases.url: " + problem);
        const TemporaryFolder folder("runner-git-");
        GitWorkspace workspace = make_workspace(folder.path());
        const std::string text = workspace.git({"ls-remote", "--tags", "--", m_remote.url},
                                               k_list_time, "cannot list the tags of " + name());
        m_objects.clear();
        std::vector<Release> releases;
        for (const std::string_view line : split_lines(text)) {
            const std::string prefix = "refs/tags/";
            const std::size_t tab = line.find('\t');
            if (tab == std::string_view::npos || line.substr(tab + 1, prefix.size()) != prefix)
                continue;
            const std::string tag(line.substr(tab + 1 + prefix.size()));
            if (tag.size() > 3 && tag.compare(tag.size() - 3, 3, "^{}") == 0) continue;
            Release release = release_for_tag(tag);
            if (release.version) m_objects[tag] = std::string(line.substr(0, tab));
            if (release.version) complete_one(release);
            releases.push_back(std::move(release));
        }
        return releases;
    }

    void complete(const std::vector<Release*>&) override {}  // list() has

    [[nodiscard]] bool is_built(const Release& release) const override {
        return fs::exists(folder_of(release) / names_of(release).checksums);
    }

    void build(const Release& release, const fs::path& log) override {
        if (is_built(release)) return;
        const TemporaryFolder folder("runner-build-");
        GitWorkspace workspace = make_workspace(folder.path());
        const std::string what = "release '" + release.tag + "'";
        try {
            build_in(workspace, release);
        } catch (const Error& error) {
            keep_log(log, workspace.log());
            throw error.within(what);
        } catch (const std::exception& error) {
            keep_log(log, workspace.log());
            throw Error(Failure::preparation, what + ": " + error.what());
        }
        keep_log(log, workspace.log());
    }

    [[nodiscard]] std::optional<Signer> signer(const Release& release) const override {
        const auto text = read_file_if_there(folder_of(release) / "signer.json");
        if (!text) return std::nullopt;
        const Json document = parse_json(*text, "signer.json");
        const JsonObject object(document, "signer.json");
        return Signer{object.string("key"), object.string("time")};
    }
    [[nodiscard]] std::string signature_problem(const Release& release) const override {
        return read_file_if_there(folder_of(release) / ".unsigned").value_or("");
    }
    [[nodiscard]] bool judges_signatures() const override { return true; }

    void fetch(const std::vector<AssetRequest>& requests, const FetchProgress&) override {
        for (const AssetRequest& request : requests) {
            if (!fs::exists(folder_of(*request.release) / request.name))
                throw Error(Failure::preparation, "release '" + request.release->tag +
                                                      "' was not built, or its build has no " +
                                                      request.name);
        }
    }

    std::string read(const AssetRequest& request) override {
        const fs::path file = folder_of(*request.release) / request.name;
        std::string bytes = read_file(file, request.size_limit);
        if (request.digest && sha256(bytes) != *request.digest)
            throw Error(Failure::preparation,
                        file.string() + " does not match its checksum; remove " +
                            file.parent_path().string() + " to have it built anew");
        return bytes;
    }

    std::string notes(const Release& release) override {
        return read_file_if_there(folder_of(release) / "NOTES.md", k_max_description).value_or("");
    }

 private:
    [[nodiscard]] GitWorkspace make_workspace(const fs::path& folder) const {
        return {folder, m_remote, m_address.token, m_stopped};
    }
    [[nodiscard]] AssetNames names_of(const Release& release) const {
        return AssetNames::of(m_address.prefix, release.version.value().to_string(), m_platform);
    }
    /// Of what was built from the object that the tag names now: a tag that moves is built anew.
    [[nodiscard]] fs::path folder_of(const Release& release) const {
        const auto object = m_objects.find(release.tag);
        return m_built / release.tag /
               ((object == m_objects.end() ? "unknown" : object->second) + '_' +
                m_platform.to_string());
    }

    void complete_one(Release& release) const {
        release.has_build = true;  // it can be built
        if (!is_built(release)) return;
        const AssetNames names = names_of(release);
        const Checksums checksums = parse_checksums(
            read_file(folder_of(release) / names.checksums, k_max_description), names.checksums);
        const auto archive = checksums.find(names.archive);
        if (archive != checksums.end()) release.digest = archive->second;
    }

    static void keep_log(const fs::path& log, const std::string& text) {
        if (!log.empty()) replace_file(log, text, Durability::replaceable);
    }

    void build_in(GitWorkspace& workspace, const Release& release) const {
        const fs::path tree = workspace.folder() / "tree";
        const std::string& object = m_objects.at(release.tag);
        workspace.git({"clone", "--quiet", "--depth", "1", "--single-branch",
                       "--no-recurse-submodules", "--no-local", "--template=", "--branch",
                       release.tag, "--", m_remote.url, tree.string()},
                      k_clone_time, "its tag cannot be cloned");
        const auto in_tree = [&](std::vector<std::string> arguments, const std::string& what) {
            arguments.insert(arguments.begin(), {"-C", tree.string()});
            std::string text = workspace.git(arguments, k_git_time, what);
            while (!text.empty() && text.back() == '\n') text.pop_back();
            return text;
        };
        if (in_tree({"rev-parse", "refs/tags/" + release.tag}, "its tag is not there") != object)
            throw Error(Failure::preparation, "its tag was moved while it was fetched",
                        "look who moves tags; run it again to take the new one");
        const std::string commit =
            in_tree({"rev-parse", "refs/tags/" + release.tag + "^{commit}"}, "it is no commit");
        const Signature signature = judge(workspace, tree, release);
        scrub(workspace, tree);
        check_tree(tree);
        const fs::path plugin = compile(workspace, tree, release);
        keep(release, plugin, tree, commit, signature);
    }

    struct Signature {
        std::optional<Signer> signer;
        std::string problem;
    };

    Signature judge(GitWorkspace& workspace, const fs::path& tree, const Release& release) const {
        if (m_trust.verification == Verification::disabled) return {};
        std::string problem;
        try {
            return {verified(workspace, tree, release), ""};
        } catch (const Error& error) {
            if (m_trust.verification == Verification::enabled) throw;
            problem = error.what();
        }
        return {std::nullopt, "release '" + release.tag + "': " + problem};
    }

    /// The tag's own signature, by one of the keys; and that it is a signature of this very tag.
    Signer verified(GitWorkspace& workspace, const fs::path& tree, const Release& release) const {
        std::string signers;
        for (const std::string& key : m_trust.keys)
            signers += "release namespaces=\"git\" " + key + '\n';
        const fs::path file = workspace.folder() / "allowed_signers";
        replace_file(file, signers, Durability::replaceable);
        workspace.git({"-C", tree.string(), "-c", "gpg.ssh.allowedSignersFile=" + file.string(),
                       "verify-tag", "--", release.tag},
                      k_git_time, "its tag is not signed by a key in trust.publicKeys");
        const std::string text =
            workspace.git({"-C", tree.string(), "cat-file", "tag", release.tag}, k_git_time,
                          "its tag cannot be read");
        Signer signer;
        bool named = false;
        for (const std::string_view line : split_lines(text)) {
            if (line.empty()) break;
            named = named || line == "tag " + release.tag;
            if (line.rfind("tagger ", 0) != 0) continue;
            const std::size_t end = line.rfind(' ');
            const std::size_t begin = line.rfind(' ', end - 1);
            const std::string seconds(line.substr(begin + 1, end - begin - 1));
            if (!seconds.empty() && seconds.size() < 12 &&
                seconds.find_first_not_of("0123456789") == std::string::npos)
                signer.time = format_time(std::chrono::seconds(std::stoll(seconds)));
        }
        if (!named)
            throw Error(Failure::preparation,
                        "its signature is of another tag: somebody has given it this name");
        // git says: Good "git" signature for release with ED25519 key SHA256:...
        const std::string mark = "key SHA256:";
        const std::size_t at = workspace.log().rfind(mark);
        if (at != std::string::npos) {
            const std::size_t begin = at + std::string("key ").size();
            signer.key = workspace.log().substr(begin, workspace.log().find('\n', begin) - begin);
        }
        return signer;
    }

    /// Nothing of how it was fetched stays with what is built.
    static void scrub(const GitWorkspace& workspace, const fs::path& tree) {
        const std::string config = read_file(tree / ".git/config");
        if (workspace.holds_credentials(config))
            throw Error(Failure::preparation,
                        "credentials were left in the clone's config; it is thrown away, and "
                        "nothing was built");
        fs::remove_all(tree / ".git");
    }

    fs::path compile(GitWorkspace& workspace, const fs::path& tree, const Release& release) const {
        const std::string version = release.version->to_string();
        const fs::path build = workspace.folder() / "build";
        const std::string same_paths =
            "-DCMAKE_CXX_FLAGS=-ffile-prefix-map=" + tree.string() + "=.";
        workspace.run({"cmake", "-S", tree.string(), "-B", build.string(),
                       "-DCMAKE_BUILD_TYPE=Release", "-DRUNNER_BUILD_TESTS=OFF", same_paths},
                      k_build_time, "its build cannot be configured");
        workspace.run({"cmake", "--build", build.string(), "--target", target_of(version)},
                      k_build_time, "it does not build");
        const AssetNames names = names_of(release);
        fs::path plugin = build / "plugins" / names.library;
        if (!fs::is_regular_file(plugin))
            throw Error(Failure::preparation, "its build has not made " + names.library,
                        "its CMakeLists.txt must call upgrade_plugin(" + version + " …)");
        return plugin;
    }

    /// As if it had been downloaded: archive, manifest, checksums.
    void keep(const Release& release, const fs::path& plugin, const fs::path& tree,
              const std::string& commit, const Signature& signature) const {
        const AssetNames names = names_of(release);
        const fs::path description = fs::path(plugin).replace_extension(".json");
        Manifest manifest =
            Manifest::parse(read_file(description, k_max_description), description.filename());
        manifest.tag = release.tag;
        manifest.commit = commit;
        const fs::path folder = folder_of(release);
        make_folders(folder);
        write_artefacts(folder, names, m_platform, names.library, read_file(plugin, k_max_library),
                        manifest, true);
        if (const auto text = read_file_if_there(
                tree / "upgrades" / manifest.version.to_string() / "NOTES.md", k_max_description))
            replace_file(folder / "NOTES.md", *text);
        if (signature.signer)
            replace_file(folder / "signer.json", dump_json({{"key", signature.signer->key},
                                                            {"time", signature.signer->time}}));
        if (!signature.problem.empty()) replace_file(folder / ".unsigned", signature.problem);
        replace_file(folder / names.checksums, checksums_of(folder, names));  // last: it is built
    }

    GitAddress m_address;
    GitTrust m_trust;
    Platform m_platform;
    GitRemote m_remote;
    fs::path m_built;
    std::function<bool()> m_stopped;
    std::map<std::string, std::string> m_objects;  ///< by tag
};

}  // namespace

std::string git_address_problem(const GitAddress& address) {
    const GitRemote remote = GitRemote::parse(address.url);
    const std::set<std::string> schemes{"https", "http", "ssh", "git", "file"};
    if (schemes.count(remote.scheme) == 0)
        return "'" + remote.scheme + "' is no way to a repository: https, ssh or a path";
    if (remote.url.empty() || remote.url.front() == '-') return "is no address";
    if (remote.url.find("::") < remote.url.find('/') && remote.url.find("://") == std::string::npos)
        return "a helper of git's is no way to a repository";
    if (remote.scheme == "file") return {};
    if (remote.host.empty() || remote.host.front() == '-') return "names no host";
    if ((remote.scheme == "http" || remote.scheme == "git") && !is_loopback(remote.host))
        return "plain " + remote.scheme + " is for loopback addresses only; use https";
    if (is_link_local(remote.host)) return remote.host + " is no host for a repository";
    const auto& hosts = address.hosts;
    if (!hosts.empty() && std::find(hosts.begin(), hosts.end(), remote.host) == hosts.end())
        return remote.host + " is not among releases.allowedHosts";
    return {};
}

std::unique_ptr<ReleaseSource> make_git_source(GitAddress address, GitTrust trust,
                                               Platform platform, const Cache& cache,
                                               std::function<bool()> stopped) {
    return std::make_unique<GitSource>(std::move(address), std::move(trust), std::move(platform),
                                       cache, std::move(stopped));
}

}  // namespace runner
