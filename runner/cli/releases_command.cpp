// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "cli/common.hpp"
#include "releases/mirror.hpp"
#include "releases/open_source.hpp"
#include "releases/upgrade_store.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

void list(ReleaseSource& source, bool json) {
    const std::vector<Release> releases = source.list();
    if (json) {
        Json document = {
            {"schemaVersion", 1}, {"source", source.name()}, {"releases", Json::array()}};
        for (const Release& release : releases) {
            document["releases"].push_back(
                {{"tag", release.tag},
                 {"version", release.version ? Json(release.version->to_string()) : Json()},
                 {"prerelease", release.prerelease},
                 {"hasBuild", release.has_build},
                 {"digest", release.digest ? Json(release.digest->to_string()) : Json()},
                 {"problem", release.problem}});
        }
        print_json(document);
        return;
    }
    std::vector<std::vector<std::string>> rows{{"VERSION", "TAG", "BUILD", "NOTE"}};
    for (const Release& release : releases) {
        rows.push_back({release.version ? release.version->to_string() : "-", release.tag,
                        release.has_build ? "yes" : "no",
                        !release.problem.empty() ? release.problem
                        : release.prerelease     ? "pre-release"
                                                 : ""});
    }
    print_table(rows);
}

/// Fetches and checks each; how many are bad.
std::size_t verify(const ClusterConfig& config, ReleaseSource& source,
                   const std::vector<std::string>& wanted) {
    std::vector<Release> releases = source.list();
    std::vector<Release*> all;
    for (Release& release : releases) all.push_back(&release);
    source.complete(all);
    UpgradeStore store(source, config.releases.prefix, Platform::current(),
                       TrustPolicy::of(config));
    std::size_t bad = 0;
    for (const Release& release : releases) {
        const std::string version = release.version ? release.version->to_string() : release.tag;
        const bool chosen =
            wanted.empty() || std::find(wanted.begin(), wanted.end(), version) != wanted.end();
        if (!chosen) continue;
        const std::string column = padded(version, k_version_width) + ' ';
        try {
            if (!release.version || !release.problem.empty())
                throw Error(Failure::preparation, release.problem);
            if (!release.has_build) {
                print_line(column + "no build for this platform");
                continue;
            }
            const std::vector<KnownUpgrade> known = store.manifests({&release});
            store.fetch(known, {});
            const UpgradeImage image = store.image(known.front());
            const auto& signer = known.front().signer;
            const std::string& problem = known.front().signature_problem;
            print_line(column + "good  " + to_string(image.form) +
                       (signer            ? ", signed by " + signer->key + " at " + signer->time
                        : problem.empty() ? ""
                                          : ", NOT SIGNED as it should be"));
            if (!problem.empty()) print_line(padded("", column.size()) + "      " + problem);
        } catch (const Error& error) {
            ++bad;
            print_line(column + "BAD   " + error.what());
        }
    }
    return bad;
}

/// Copies each; how many could not be.
std::size_t mirror(const ClusterConfig& config, ReleaseSource& source,
                   const std::vector<std::string>& wanted, const std::string& folder) {
    std::size_t bad = 0;
    for (const MirroredRelease& release :
         mirror_releases(source, config.releases.prefix, TrustPolicy::of(config), wanted, folder)) {
        if (release.problem.empty()) {
            print_line(padded(release.tag, k_version_width) + " mirrored  " +
                       counted(release.copied, "file") + " copied, " +
                       std::to_string(release.kept) + " there already");
        } else {
            ++bad;
            print_line(padded(release.tag, k_version_width) + " NOT       " + release.problem);
        }
    }
    return bad;
}

}  // namespace

int releases_command(int argc, char** argv) {
    CommonOptions common;
    std::vector<std::string> wanted;
    std::string directory;
    std::string listen = "127.0.0.1:8770";
    std::string repository = "local/upgrades";
    CLI::App app("The releases by hand.", "releases");
    app.require_subcommand(1);
    app.fallthrough();
    add_common_options(app, common);
    CLI::App* list_app = app.add_subcommand("list", "every release of the source");
    CLI::App* verify_app = app.add_subcommand(
        "verify", "fetch releases and check signatures, digests, archives and manifests");
    verify_app->add_option("version", wanted, "only these");
    CLI::App* mirror_app = app.add_subcommand(
        "mirror",
        "copy releases with their signatures into a folder per tag, for sites without a network");
    mirror_app->add_option("directory", directory, "the folder")->required();
    mirror_app->add_option("--version", wanted, "only these; default: all")->delimiter(',');
    CLI::App* serve_app = app.add_subcommand(
        "serve", "a local release server with GitHub's API, over a folder per tag");
    serve_app->add_option("directory", directory, "the folder")->required();
    serve_app->add_option(
        "--listen", listen,
        "loopback address and port; port 0: any free one (default 127.0.0.1:8770)");
    serve_app->add_option("--repository", repository,
                          "as which OWNER/NAME (default local/upgrades)");
    app.footer(
        "Examples:\n"
        "  runner releases list -c cluster.yaml\n"
        "  runner releases verify -c cluster.yaml\n"
        "  runner releases mirror ./mirror -c cluster.yaml\n"
        "  runner releases serve ./releases --listen 127.0.0.1:8770");
    if (const int code = parse_arguments(app, argc, argv); code >= 0) return code;
    if (serve_app->parsed())
        become_http_program(
            {"releases", directory, "--listen", listen, "--repository", repository});
    Composition composition(common, false);
    if (list_app->parsed()) {
        list(composition.source(), common.json());
        return 0;
    }
    if (mirror_app->parsed()) {
        return mirror(composition.config, composition.source(), wanted, directory) == 0
                   ? 0
                   : exit_code(Failure::preparation);
    }
    const std::size_t bad = verify(composition.config, composition.source(), wanted);
    return bad == 0 ? 0 : exit_code(Failure::preparation);
}

}  // namespace runner
