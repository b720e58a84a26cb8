// SPDX-License-Identifier: Apache-2.0
// What programs of an upgrade can write in the repository: what is declared and there, nothing
// wider, and nothing that is protected.
#include "host/sandbox.hpp"

#include <sstream>

#include "support/catch.hpp"
#include "support/sandbox.hpp"

using Catch::Contains;
using test::Sandbox;

namespace {

/// Tries to write each of these, for real, and tells which it could.
std::string tries(const std::string& paths) {
    return "#!/bin/sh\n[ \"$1\" = --dry-run=true ] && exit 0\n"
           "for path in " +
           paths +
           "; do if (echo x > $path) 2>/dev/null; then echo \"wrote $path.\"; else echo \"kept "
           "$path.\"; fi; done\n";
}

runner::Json declares(const std::vector<std::string>& write) {
    return {{"description", "tries"},
            {"permissions", {{"write", write}, {"commands", runner::Json::array({"sh"})}}}};
}

/// A repository with something to lose in it, and the ledger in it, too.
void fill(const Sandbox& sandbox) {
    for (const char* file :
         {"README", "a/file", "b/file", ".git/hooks/pre-commit", "sub/.git/config", "sub/file"})
        sandbox.write(std::string("repository/") + file, "before\n");
    sandbox.write("outside/file", "before\n");
    std::filesystem::create_directory_symlink("../../outside", sandbox.repository() / "a/link");
}

}  // namespace

TEST_CASE("a declared path opens itself to programs, and nothing beside or above it") {
    if (runner::sandbox_support() == runner::SandboxSupport::none) return;
    struct Case {
        std::vector<std::string> write;
        std::string kept;
        std::string written;
    };
    const std::vector<Case> cases{
        {{"README"}, "b/file new .git/hooks/pre-commit", "README"},
        {{"new/deep"}, "README b/file new .git/hooks/post-commit", ""},
        {{"a/new"}, "a/file a/new b/file", ""},
        {{"a/link"}, "a/link/file a/link/new ../outside/file", ""},
        {{"a"}, "a/link/file b/file README", "a/file a/new"},
        {{"."},
         ".git/hooks/pre-commit .git/new sub/.git/config a/link/file",
         "README a/new sub/file"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.write);
        Sandbox sandbox;
        fill(sandbox);
        sandbox.release_program("0.1.10001", tries(one.kept + ' ' + one.written),
                                declares(one.write));
        const auto result = sandbox.upgrade();
        INFO(result.out << result.err);
        CHECK(result.status == 0);
        for (const auto& [paths, word] : {std::pair{one.kept, "kept "}, {one.written, "wrote "}}) {
            std::istringstream names(paths);
            for (std::string path; names >> path;)
                CHECK_THAT(result.out, Contains(word + path + '.'));
        }
        CHECK(sandbox.read("outside/file") == "before\n");
    }
}

TEST_CASE("an upgrade writes neither to git nor to what is the runner's, whatever it declares") {
    if (runner::sandbox_support() == runner::SandboxSupport::none) return;
    Sandbox sandbox;
    fill(sandbox);
    std::string config = sandbox.read("cluster.yaml");
    const std::string state = "state: state/";
    config.replace(config.find(state), state.size(), "state: repository/.runner/");
    sandbox.write("cluster.yaml", config);
    sandbox.release_program("0.1.10001",
                            tries(".runner/state.db-wal .runner/state.db.lock .runner/new a/file"),
                            declares({"."}));
    const auto result = sandbox.upgrade();
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    for (const char* path : {".runner/state.db-wal", ".runner/state.db.lock", ".runner/new"})
        CHECK_THAT(result.out, Contains(std::string("kept ") + path + '.'));
    CHECK_THAT(result.out, Contains("wrote a/file."));
    CHECK(sandbox.run({"history"}).status == 0);
}
