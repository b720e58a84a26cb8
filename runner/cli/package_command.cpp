// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "engine/single_run.hpp"
#include "model/release.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "support/file.hpp"
#include "support/sha256.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_file = 256U << 20U;

struct PackageRequest {
    std::string file;
    std::string out;
    std::string tag;
    std::string prefix = "upgrade";
    std::string version;
    std::string repository;
    std::string commit;
    std::string platform;
    std::vector<std::string> after;
};

Platform parse_platform(const std::string& text) {
    if (text.empty()) return Platform::current();
    for (const char* os : {"Linux", "Darwin"}) {
        for (const char* arch : {"amd64", "arm64"}) {
            const Platform platform{os, arch};
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

fs::path package(const PackageRequest& request, const StopSignals& signals, const Clock& clock) {
    const Platform platform = parse_platform(request.platform);
    const std::string extension = fs::path(request.file).extension().string();
    const bool plugin = extension == ".so" || extension == ".dylib";
    Manifest manifest;
    if (plugin) {
        manifest = describe_plugin(request.file, signals, clock);
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
    manifest.after = request.after;
    for (const std::string& before : manifest.after) UpgradeVersion::parse(before);

    const AssetNames names = AssetNames::of(request.prefix, version, platform);
    const fs::path folder = fs::path(request.out) / manifest.tag;
    ArchiveFile file{plugin ? names.library : names.executable,
                     read_file(request.file, k_max_file)};
    const std::string archive = make_archive(file);
    if (const auto earlier = read_file_if_there(folder / names.manifest)) {
        const Manifest known = Manifest::parse(*earlier, (folder / names.manifest).string());
        manifest.platforms = known.platforms;  // of the other platforms
    }
    manifest.platforms[platform.to_string()] = {names.archive,
                                                static_cast<std::int64_t>(archive.size()),
                                                sha256(archive), sha256(file.content)};
    replace_file(folder / names.archive, archive);
    if (plugin) replace_file(folder / names.manifest, dump_json(manifest.to_json(), 2) + '\n');
    Checksums checksums;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name == names.checksums || name == names.signature || !entry.is_regular_file() ||
            name.starts_with("."))
            continue;
        checksums[name] = sha256(read_file(entry.path(), k_max_file));
    }
    replace_file(folder / names.checksums, format_checksums(checksums));
    return folder;
}

}  // namespace

int package_command(int argc, char** argv) {
    PackageRequest request;
    CLI::App app(
        "Make the release artefacts of a built upgrade: archive, manifest, checksums, in a folder "
        "named by the tag.",
        "package");
    app.add_option("file", request.file, "the built plugin, or an executable upgrade")->required();
    app.add_option("--out", request.out, "the folder above the tag's")->required();
    app.add_option("--tag", request.tag, "the release's tag (default: made from the version)");
    app.add_option("--prefix", request.prefix, "what asset names begin with (default: upgrade)");
    app.add_option("--version-of-upgrade", request.version, "of an executable upgrade");
    app.add_option("--repository", request.repository, "OWNER/NAME, for the manifest");
    app.add_option("--commit", request.commit, "the commit it was built from, for the manifest");
    app.add_option("--platform", request.platform, "what it was built for (default: this machine)");
    app.add_option("--after", request.after, "the upgrades released before it")->delimiter(',');
    app.footer(
        "Examples:\n"
        "  runner package build/upgrades/upgrade_0.0.61.argocd.so --out releases");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    const ProcessStopSignals signals;
    const SystemClock clock;
    std::printf("%s\n", package(request, signals, clock).c_str());
    return 0;
}

}  // namespace runner
