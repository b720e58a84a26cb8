// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "engine/describe_plugin.hpp"
#include "engine/supply.hpp"
#include "model/release.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "releases/minisign.hpp"
#include "releases/packaging.hpp"
#include "releases/trust.hpp"
#include "support/file.hpp"
#include "support/output.hpp"
#include "support/read.hpp"
#include "support/secret_memory.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_file = 256U << 20U;
constexpr std::size_t k_max_key = 16U << 10U;

struct PackageRequest {
    std::vector<std::string> inputs;  ///< one built upgrade, or folders that package has made
    std::string file;
    std::string signing_key;
    std::string out;
    std::string tag;
    std::string prefix = "upgrade";
    std::string version;
    std::string repository;
    std::string commit;
    std::string platform;
    std::string description;  ///< a file; for a plugin that cannot be loaded on this machine
    std::vector<std::string> after;
};

Platform parse_platform(const std::string& text) {
    if (text.empty()) return Platform::current();
    for (const char* os : {"Linux", "Darwin"}) {
        for (const char* arch : {"amd64", "arm64"}) {
            Platform platform{os, arch};
            if (platform.to_string() == text) return platform;
        }
    }
    throw Error(Failure::usage,
                "--platform '" + text + "': expected Linux or Darwin, '_', amd64 or arm64");
}

/// The tag of a version: its first identifier dot is a '+'.
std::string tag_of(const UpgradeVersion& version) {
    return version.identifier.empty() ? version.semver.to_string()
                                      : version.semver.to_string() + '+' + version.identifier;
}

/// The time that a signature names: SOURCE_DATE_EPOCH where it is set, as reproducible builds do.
std::string signing_time(const Clock& clock) {
    const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
    if (epoch == nullptr || *epoch == '\0') return format_time(clock.wall());
    try {
        return format_time(std::chrono::seconds(std::stoll(epoch)));
    } catch (const std::exception&) {
        throw Error(Failure::usage,
                    "SOURCE_DATE_EPOCH is '" + std::string(epoch) + "', expected seconds");
    }
}

/// Writes the checksums of everything in the folder, and with a key their signature; without one,
/// no signature stays that would be of earlier checksums.
void seal_release(const fs::path& folder, const AssetNames& names, const Manifest& manifest,
                  const std::optional<SecretKey>& key, const Clock& clock) {
    const std::string text = checksums_of(folder, names);
    fs::remove(folder / names.signature);
    replace_file(folder / names.checksums, text);
    if (!key) return;
    const std::string comment = trusted_comment(manifest.repository, manifest.tag,
                                                manifest.version.to_string(), signing_time(clock));
    replace_file(folder / names.signature, key->sign(text, comment).to_string());
}

std::optional<SecretKey> signing_key(const PackageRequest& request) {
    if (request.signing_key.empty()) return std::nullopt;
    if (request.repository.empty()) {
        throw Error(Failure::usage, "--sign needs --repository OWNER/NAME: a signature names it");
    }
    keep_memory_to_itself();
    return SecretKey::parse(read_given_file(request.signing_key, k_max_key),
                            take_secret_variable("RUNNER_SIGNING_PASSWORD").value_or(Secret()),
                            request.signing_key);
}

/// What the user has named as files, each of which may be a pipe.
struct GivenFiles {
    std::optional<SecretKey> key;
    std::optional<Manifest> description;
};

GivenFiles read_given(const PackageRequest& request) {
    GivenFiles given{signing_key(request), std::nullopt};
    if (!request.description.empty())
        given.description =
            Manifest::parse(read_given_file(request.description, k_max_file), request.description);
    return given;
}

/// What folders of one release, made on several machines, have in common; copies the archives.
fs::path merge(const PackageRequest& request, const std::optional<SecretKey>& key,
               const Clock& clock) {
    std::optional<Manifest> merged;
    std::vector<fs::path> archives;
    for (const std::string& input : request.inputs) {
        const std::string tag = fs::path(input).lexically_normal().filename().string();
        const AssetNames names = AssetNames::of(
            request.prefix, UpgradeVersion::from_tag(tag).to_string(), Platform::current());
        const fs::path file = fs::path(input) / names.manifest;
        Manifest manifest = Manifest::parse(read_file(file, k_max_file), file.string());
        for (const auto& [platform, build] : manifest.platforms) {
            const fs::path archive = fs::path(input) / build.file;
            if (sha256(read_file(archive, k_max_file)) != build.archive_digest)
                throw Error(Failure::preparation,
                            archive.string() + " does not match its manifest " + file.string());
            archives.push_back(archive);
        }
        if (!merged) {
            merged = std::move(manifest);
            continue;
        }
        Manifest other = manifest;
        other.platforms = merged->platforms;
        other.compiler = merged->compiler;  // each platform's own
        if (other.to_json() != merged->to_json()) {
            throw Error(Failure::preparation, file.string() + " says something else than " +
                                                  request.inputs.front() +
                                                  ": they are not of one release");
        }
        merged->platforms.merge(manifest.platforms);
        if (!manifest.platforms.empty()) {
            throw Error(Failure::preparation,
                        input + " is for a platform that another folder is for, too");
        }
    }
    if (!request.repository.empty()) merged->repository = request.repository;
    const AssetNames names =
        AssetNames::of(request.prefix, merged->version.to_string(), Platform::current());
    fs::path folder = fs::path(request.out) / merged->tag;
    for (const fs::path& archive : archives)
        replace_file(folder / archive.filename(), read_file(archive, k_max_file));
    replace_file(folder / names.manifest, dump_json(merged->to_json(), 2) + '\n');
    seal_release(folder, names, *merged, key, clock);
    return folder;
}

/// A new key pair: FILE, for its owner alone, and FILE.pub.
void generate_key(const std::string& file) {
    if (fs::exists(file)) {
        throw Error(Failure::usage, file + " is there already; it is not overwritten",
                    "name another file");
    }
    const SecretKey key = SecretKey::generate();
    const mode_t everyone = ::umask(077);  // nobody else can read it, at no moment
    create_file(file, key.to_string());
    ::umask(everyone);
    const std::string text = key.public_key().to_string();
    replace_file(file + ".pub", "untrusted comment: minisign public key " +
                                    to_string(key.public_key().id) + '\n' + text + '\n');
    print_value(text);
}

/// What a built plugin says of itself: asked of it, or read from what its build has written.
Manifest described(const PackageRequest& request, const GivenFiles& given, const Platform& platform,
                   const StopSignals& signals, const Clock& clock) {
    if (given.description) return *given.description;
    if (platform.to_string() != Platform::current().to_string()) {
        throw Error(Failure::usage,
                    request.file + " is built for " + platform.to_string() + ", this machine is " +
                        Platform::current().to_string() + ": it cannot be asked what it is",
                    "add --description with the .json file that its build wrote beside it");
    }
    const UniqueFd image = seal(image_from_file(request.file));
    return describe_plugin(image, request.file, signals, clock);
}

fs::path package(const PackageRequest& request, const GivenFiles& given, const StopSignals& signals,
                 const Clock& clock) {
    const Platform platform = parse_platform(request.platform);
    const bool plugin = form_of_file(request.file) == UpgradeForm::plugin;
    Manifest manifest;
    if (plugin) {
        manifest = described(request, given, platform, signals, clock);
    } else if (request.version.empty()) {
        throw Error(
            Failure::usage,
            "an executable upgrade does not say its version: give it with --version-of-upgrade");
    } else {
        manifest = Manifest::undeclared(UpgradeVersion::parse(request.version));
    }
    const std::string version = manifest.version.to_string();
    manifest.tag = request.tag.empty() ? tag_of(manifest.version) : request.tag;
    if (UpgradeVersion::from_tag(manifest.tag) != manifest.version) {
        throw Error(Failure::usage,
                    "the tag '" + manifest.tag + "' is not of the upgrade " + version);
    }
    manifest.repository = request.repository;
    manifest.commit = request.commit;
    if (!request.after.empty()) {
        if (!manifest.after.empty() && manifest.after != request.after)
            throw Error(Failure::usage, version + " says itself what it comes after (" +
                                            join(manifest.after, ", ") + "); leave --after out");
        manifest.after = request.after;
    }
    for (const std::string& before : manifest.after) UpgradeVersion::parse(before);

    const AssetNames names = AssetNames::of(request.prefix, version, platform);
    fs::path folder = fs::path(request.out) / manifest.tag;
    write_artefacts(folder, names, platform, plugin ? names.library : names.executable,
                    read_file(request.file, k_max_file), manifest, plugin);
    seal_release(folder, names, manifest, given.key, clock);
    return folder;
}

}  // namespace

int package_command(int argc, char** argv) {
    PackageRequest request;
    std::string new_key;
    CLI::App app(
        "Make the release artefacts of a built upgrade: archive, manifest, checksums and their "
        "signature, in a folder named by the tag.",
        "package");
    app.add_option("input", request.inputs,
                   "the built plugin, or an executable upgrade; or folders of one release, made by "
                   "package for different platforms, to be merged");
    app.add_option("--out", request.out, "the folder above the tag's");
    app.add_option("--sign", request.signing_key,
                   "sign with this minisign secret key; $RUNNER_SIGNING_PASSWORD decrypts it");
    app.add_option("--generate-key", new_key,
                   "only make a key pair: this file, not encrypted, and this file.pub");
    app.add_option("--tag", request.tag, "the release's tag (default: made from the version)");
    app.add_option("--prefix", request.prefix, "what asset names begin with (default: upgrade)");
    app.add_option("--version-of-upgrade", request.version, "of an executable upgrade");
    app.add_option("--repository", request.repository, "OWNER/NAME, for the manifest");
    app.add_option("--commit", request.commit, "the commit it was built from, for the manifest");
    app.add_option("--platform", request.platform, "what it was built for (default: this machine)");
    app.add_option("--description", request.description,
                   "the .json file that the build wrote beside a plugin for another platform");
    app.add_option("--after", request.after, "the upgrades released before it")->delimiter(',');
    app.footer(
        "Examples:\n"
        "  runner package build/plugins/upgrade_0.0.61.argocd.so --out releases\n"
        "  runner package --generate-key release.key\n"
        "  runner package linux/0.0.61+argocd darwin/0.0.61+argocd --out releases \\\n"
        "      --repository example/upgrades --sign release.key");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    const SystemClock clock;
    if (!new_key.empty()) {
        generate_key(new_key);
        return 0;
    }
    if (request.inputs.empty() || request.out.empty())
        throw Error(Failure::usage, "package needs what to package, and --out",
                    "'runner package --help' shows examples");
    const bool folders = fs::is_directory(request.inputs.front());
    if (!folders && request.inputs.size() > 1)
        throw Error(Failure::usage, "one built upgrade at a time; only folders are merged");
    // Before stop signals are handled: whoever waits for a pipe can be stopped at once.
    const GivenFiles given = read_given(request);
    const ProcessStopSignals signals;
    if (folders) {
        print_value(merge(request, given.key, clock).string());
        return 0;
    }
    request.file = request.inputs.front();
    print_value(package(request, given, signals, clock).string());
    return 0;
}

}  // namespace runner
