// SPDX-License-Identifier: Apache-2.0
#include "host/write_grants.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "support/catch.hpp"
#include "support/file.hpp"

using namespace runner;
namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

namespace {

/// What is granted, relative to the repository; "." is all of it.
Strings granted(const fs::path& repository, const Strings& declared,
                const Strings& protected_paths = {}) {
    Strings places;
    grant_writes(repository.string(), declared, protected_paths, [&](int opened) {
        std::array<char, 4096> target{};
        const std::string link = "/proc/self/fd/" + std::to_string(opened);
        const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
        REQUIRE(length > 0);
        const fs::path place(std::string(target.data(), static_cast<std::size_t>(length)));
        places.push_back(place.lexically_relative(fs::canonical(repository)).string());
    });
    std::sort(places.begin(), places.end());
    return places;
}

/// A repository with `outside/` beside it, and links to that.
struct Repository {
    TemporaryFolder folder{"write-grants-test"};
    fs::path path = folder.path() / "repository";
    Repository() {
        for (const char* file : {"README", "a/b/file", "a/file", "c/.git/config", "c/file",
                                 ".git/config", ".runner/state.db"})
            replace_file(path / file, "x\n");
        replace_file(folder.path() / "outside/file", "x\n");
        fs::create_directory_symlink(folder.path() / "outside", path / "a/link");
        fs::create_symlink(folder.path() / "outside/file", path / "a/filelink");
        fs::create_directory_symlink("a", path / "inside");
    }
};

}  // namespace

TEST_CASE("programs get what is declared and there, and nothing wider") {
    const Repository repository;
    struct Case {
        Strings declared;
        Strings granted;
    };
    const std::vector<Case> cases{
        {{"a"}, {"a"}},
        {{"a/"}, {"a"}},
        {{"a/b", "README"}, {"README", "a/b"}},
        {{"a/file"}, {"a/file"}},
        {{"a/b/file/"}, {}},
        {{"README/"}, {}},
        {{"./a"}, {}},
        {{"./"}, {}},
        {{"a//b"}, {}},
        {{"a//"}, {}},
        {{"/"}, {}},
        {{""}, {}},
        {{"a/./b"}, {}},
        {{"new"}, {}},
        {{"a/new"}, {}},
        {{"a/new/deep"}, {}},
        {{"README/below"}, {}},
        {{"a/link"}, {}},
        {{"a/link/file"}, {}},
        {{"a/filelink"}, {}},
        {{"inside"}, {}},
        {{"inside/file"}, {}},
        {{"../outside"}, {}},
        {{"a/../../outside"}, {}},
        {{"new", "a"}, {"a"}},
        {{}, {}},
    };
    for (const Case& one : cases) {
        CAPTURE(one.declared);
        CHECK(granted(repository.path, one.declared) == one.granted);
    }
    CHECK(granted(repository.path / "a", {"."}) == Strings{"."});
}

TEST_CASE("what is protected is granted by nothing that is declared") {
    const Repository repository;
    const Strings protected_paths{".runner"};
    struct Case {
        Strings declared;
        Strings granted;
    };
    const std::vector<Case> cases{
        {{"."}, {"README", "a", "c/file"}},
        {{"c"}, {"c/file"}},
        {{"c/"}, {"c/file"}},
        {{"a"}, {"a"}},
        {{".runner"}, {}},
        {{".git"}, {}},
        {{".git/config"}, {}},
        {{"c/.git/config"}, {}},
        {{".runner/state.db"}, {}},
    };
    for (const Case& one : cases) {
        CAPTURE(one.declared);
        CHECK(granted(repository.path, one.declared, protected_paths) == one.granted);
    }
}

TEST_CASE("more is granted than descriptors are free") {
    const Repository repository;
    for (int i = 0; i < 200; ++i) replace_file(repository.path / "c" / std::to_string(i), "x\n");
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit few{64, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    const std::size_t count = granted(repository.path, {"c"}).size();
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(count == 201);
}
