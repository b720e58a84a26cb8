// SPDX-License-Identifier: Apache-2.0
// Patterns of paths, and the walk that looks for what they match.
#include "services/files.hpp"

#include "support/catch.hpp"

#include <array>
#include <functional>
#include <set>

#include "support/repository_folder.hpp"
#include "support/small_stack.hpp"
#include "upgrade/abi.h"

using namespace upgrade::services;
using test::TestRepository;

namespace {

std::string all_but_first(const std::string& path) {
    const std::size_t slash = path.find('/');
    return slash == std::string::npos ? std::string() : path.substr(slash + 1);
}

/// The meaning of a pattern of names and `**`, said as simply as can be: exponential.
bool means(const std::string& pattern, const std::string& path) {
    if (pattern.empty() || path.empty()) return pattern.empty() && path.empty();
    const std::string rest = all_but_first(pattern);
    const std::string first = pattern.substr(0, pattern.find('/'));
    if (first != "**")
        return first == path.substr(0, path.find('/')) && means(rest, all_but_first(path));
    return (!rest.empty() && means(rest, path)) || means(pattern, all_but_first(path)) ||
           means(rest, all_but_first(path));
}

/// All paths of up to `longest` parts of these.
std::vector<std::string> paths_of(const std::vector<std::string>& parts, std::size_t longest) {
    std::vector<std::string> all;
    std::vector<std::string> last{""};
    for (std::size_t length = 1; length <= longest; ++length) {
        std::vector<std::string> next;
        for (const std::string& path : last) {
            for (const std::string& part : parts)
                next.push_back(path.empty() ? part : path + '/' + part);
        }
        all.insert(all.end(), next.begin(), next.end());
        last = std::move(next);
    }
    return all;
}

}  // namespace

TEST_CASE("patterns match within folders and over them") {
    const TestRepository repository;
    for (const char* path : {"a/x.yaml", "a/b/x.yaml", "a/b/c/x.yaml", "x.yaml", "a/y.txt"})
        repository.write(path, "");
    const RepositoryFiles files(repository.root(), {});
    CHECK(files.glob("a/*.yaml") == std::vector<std::string>{"a/x.yaml"});
    CHECK(files.glob("a/*/x.yaml") == std::vector<std::string>{"a/b/x.yaml"});
    CHECK(files.glob("**/x.yaml") ==
          std::vector<std::string>{"a/b/c/x.yaml", "a/b/x.yaml", "a/x.yaml", "x.yaml"});
    CHECK(files.glob("a/**") ==
          std::vector<std::string>{"a/b/c/x.yaml", "a/b/x.yaml", "a/x.yaml", "a/y.txt"});
}

TEST_CASE("every short pattern means what its words say") {
    for (const std::string& pattern : paths_of({"a", "b", "**"}, 4)) {
        for (const std::string& path : paths_of({"a", "b"}, 5)) {
            INFO(pattern << " and " << path);
            CHECK(matches(pattern, path) == means(pattern, path));
        }
    }
}

TEST_CASE("a pattern of any length is matched in a time that does not explode, on a small stack") {
    std::string any_folders;
    std::string any_names;
    std::string path;
    for (int part = 0; part < 1000; ++part) {
        any_folders += "**/";
        any_names += "*/";
        path += "a/";
    }
    std::string stars;
    for (int star = 0; star < 100; ++star) stars += "*a";
    test::on_small_stack([&] {
        CHECK(matches(any_folders + 'a', path + 'a'));
        CHECK_FALSE(matches(any_folders + 'b', path + 'a'));
        CHECK(matches(any_names + 'a', path + 'a'));
        CHECK_FALSE(matches(any_names + 'b', path + 'a'));
        CHECK_FALSE(matches(stars + 'b', std::string(255, 'a')));
    });
}

TEST_CASE("a walk through folders goes 256 deep, and says so when that is too little") {
    const TestRepository repository;
    std::string path = "top";
    for (int depth = 1; depth < 256; ++depth) path += "/d";
    repository.write(path + "/x", "");
    const RepositoryFiles files(repository.root(), {});
    test::on_small_stack([&] {
        CHECK(files.glob("**/x") == std::vector<std::string>{path + "/x"});
        repository.write(path + "/d/y", "");
        CHECK_THROWS_WITH(files.glob("**/y"), Catch::Contains("'top/d/d/d/") &&
                                                  Catch::Contains("nested more than 256 deep"));
        CHECK(files.glob("top/d/d/**/y") == std::vector<std::string>{path + "/d/y"});
    });
}
