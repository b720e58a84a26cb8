// SPDX-License-Identifier: Apache-2.0
#include "services/files.hpp"

#include "support/catch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <set>

#include "services/changes.hpp"
#include "services/learned_texts.hpp"
#include "support/file.hpp"
#include "support/repository_folder.hpp"
#include "upgrade/abi.h"

using namespace upgrade::services;
using test::TestRepository;

TEST_CASE("paths stay in the repository") {
    for (const char* bad :
         {"", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/.", ".git/config"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(check_path(bad), Refusal);
    }
    CHECK_THROWS_AS(check_path(std::string("a\0b", 3)), Refusal);
    CHECK_NOTHROW(check_path("a/b..c/.hidden"));
}

TEST_CASE("no link leads out of the repository, for reading or writing") {
    const TestRepository repository;
    std::filesystem::create_symlink("/etc", repository.root() + "/etc");
    std::filesystem::create_symlink("/etc/hostname", repository.root() + "/name");
    RepositoryFiles files(repository.root(), {});
    CHECK_THROWS_AS(files.read("etc/hostname"), Refusal);
    CHECK_THROWS_AS(files.read("name"), Refusal);
    files.write("name", "x");
    CHECK_THROWS_AS(files.write("etc/x", "x"), Refusal);
}

TEST_CASE("nothing is written below a file, unless that was removed before") {
    const TestRepository repository;
    repository.write("app", "a file\n");
    FileChanges base;
    base["made"].content = "by an upgrade before\n";
    base["gone/was"].content.reset();
    RepositoryFiles files(repository.root(), base);
    for (const char* below : {"app/x", "app/x/y", "made/x"}) {
        CAPTURE(below);
        CHECK_THROWS_WITH(files.write(below, "x"), Catch::Contains("is a file, not a folder"));
    }
    CHECK_NOTHROW(files.write("gone/is", "x"));
    files.remove("app");
    CHECK_NOTHROW(files.write("app/x", "x"));
    files.write("new", "x");
    CHECK_THROWS_AS(files.write("new/x", "x"), Refusal);
}

TEST_CASE("declared paths cover files and folders, and nothing beside them") {
    CHECK(covers({"a/b"}, "a/b"));
    CHECK(covers({"a/b/"}, "a/b/c"));
    CHECK_FALSE(covers({"a/b"}, "a/bc"));
    CHECK(covers({"."}, "x"));
    CHECK_FALSE(covers({}, "x"));
}

TEST_CASE("reads see what was written, and the disk sees it only at the commit") {
    const TestRepository repository;
    repository.write("dir/old", "1");
    RepositoryFiles files(repository.root(), {});
    files.write("dir/old", "2");
    files.write("new/file", "3");
    files.move("dir/old", "dir/moved");
    CHECK(files.read("dir/moved") == "2");
    CHECK(files.kind("dir/old") == UPGRADE_FILE_NONE);
    CHECK(files.kind("new") == UPGRADE_FILE_FOLDER);
    CHECK(files.glob("**") == std::vector<std::string>{"dir/moved", "new/file"});
    CHECK(repository.read("dir/old") == "1");
    CHECK_FALSE(repository.exists("new"));

    std::vector<PreparedChange> recorded;
    files.commit(repository.backups(), [&](const std::vector<PreparedChange>& changes) {
        recorded = changes;
        CHECK(repository.read("dir/old") == "1");  // nothing is renamed before this has returned
    });
    CHECK(recorded.size() == 3);
    CHECK(repository.read("dir/moved") == "2");
    CHECK_FALSE(repository.exists("dir/old"));
    CHECK(runner::read_file(recorded.at(1).backup) == "1");
    CHECK(files.pending().empty());
}

TEST_CASE("a folder takes the place of a file that the same commit removes") {
    const TestRepository repository;
    for (const char* file : {"app", "app-x", "lib"}) repository.write(file, "a file\n");
    RepositoryFiles files(repository.root(), {});
    for (const char* file : {"app", "app-x", "lib"}) files.remove(file);
    files.write("app/deep/x", "new\n");
    std::vector<PreparedChange> recorded;
    files.commit(repository.backups(), [&](const std::vector<PreparedChange>& changes) {
        recorded = changes;
        CHECK(repository.read("app") == "a file\n");
    });
    CHECK(repository.read("app/deep/x") == "new\n");
    CHECK_FALSE(repository.exists("lib"));
    REQUIRE(recorded.size() == 4);
    CHECK(is_name_before_commit(recorded.at(2).temporary, "app/deep/x"));
}

TEST_CASE("a folder goes with the last file in it, in a simulation too") {
    const TestRepository repository;
    for (const char* file : {"dir/a", "dir/b/c", "dirs/a"}) repository.write(file, "a file\n");
    for (const bool by_another : {true, false}) {
        CAPTURE(by_another);
        FileChanges removed;
        removed["dir/a"].content.reset();
        RepositoryFiles files(repository.root(), by_another ? removed : FileChanges());
        if (!by_another) files.remove("dir/a");
        files.settle([](const std::vector<ShownFile>&) {});
        CHECK(files.kind("dir") == UPGRADE_FILE_FOLDER);
        files.remove("dir/b/c");
        CHECK(files.kind("dir") == UPGRADE_FILE_FOLDER);  // until the step has ended
        CHECK_THROWS_AS(files.write("dir", "x"), Refusal);
        files.settle([](const std::vector<ShownFile>&) {});
        CHECK(files.kind("dir/b") == UPGRADE_FILE_NONE);
        CHECK(files.kind("dir") == UPGRADE_FILE_NONE);
        CHECK_NOTHROW(files.write("dir", "x"));
        CHECK(files.kind("dirs") == UPGRADE_FILE_FOLDER);
    }
    FileChanges all;
    all["dir/a"].content.reset();
    all["dir/b/c"].content.reset();
    RepositoryFiles next(repository.root(), all);
    CHECK(next.kind("dir") == UPGRADE_FILE_NONE);
    all["dir/b/d"].content = "new";
    CHECK(RepositoryFiles(repository.root(), all).kind("dir") == UPGRADE_FILE_FOLDER);
}

TEST_CASE("a name as long as a file system allows is committed, and the name before is its own") {
    const TestRepository repository;
    const std::string longest(255, 'x');
    const std::string other = std::string(254, 'x') + 'y';
    RepositoryFiles files(repository.root(), {});
    for (const std::string& name : {longest, "dir/" + longest, "dir/" + other})
        files.write(name, "new\n");
    std::set<std::string> names;
    files.commit(repository.backups(), [&](const std::vector<PreparedChange>& changes) {
        for (const PreparedChange& change : changes) {
            CHECK(is_name_before_commit(change.temporary, change.path));
            CHECK(name_of(change.temporary).size() <= 255);
            names.insert(change.temporary);
        }
    });
    CHECK(names.size() == 3);
    CHECK(repository.read("dir/" + other) == "new\n");
    const std::string too_long(256, 'x');
    CHECK_THROWS_WITH(files.write("dir/" + too_long, "x"),
                      Catch::Contains("256 bytes; a name has at most 255"));
    const std::string undone = Repository::name_before_put_back("dir/" + longest);
    CHECK(name_of(undone).size() <= 255);
    CHECK(undone != Repository::name_before_put_back("dir/" + other));
    const std::string of_short = Repository::name_before_put_back("dir/short");
    CHECK_THAT(of_short, Catch::StartsWith("dir/.short.undo-"));
    CHECK(of_short == Repository::name_before_put_back("dir/short"));
    CHECK(of_short.size() == std::string("dir/.short.undo-").size() + 16);
}

TEST_CASE("files and folders that change places are as the newest change leaves them") {
    const TestRepository repository;
    for (const char* file : {"file", "dir/a"}) repository.write(file, "a file\n");
    for (const bool by_another : {false, true}) {
        CAPTURE(by_another);
        FileChanges first;  // of a step before, or of an upgrade before
        first["file"].content.reset();
        first["file/x/y"].content = "new";
        first["dir/a"].content.reset();
        RepositoryFiles files(repository.root(), by_another ? first : FileChanges());
        if (!by_another) {
            files.remove("file");
            files.write("file/x/y", "new");
            files.remove("dir/a");
            files.settle([](const std::vector<ShownFile>&) {});
        }
        CHECK(files.kind("file") == UPGRADE_FILE_FOLDER);
        CHECK(files.kind("file/x/y") == UPGRADE_FILE_REGULAR);
        CHECK_THROWS_AS(files.write("file", "x"), Refusal);
        CHECK(files.kind("dir") == UPGRADE_FILE_NONE);
        files.write("dir", "a file now");
        std::vector<std::string> told;
        files.settle([&](const std::vector<ShownFile>& changes) {
            for (const ShownFile& change : changes) told.push_back(change.path);
        });
        CHECK(told == std::vector<std::string>{"dir"});
        CHECK(files.read("dir") == "a file now");
    }
}

TEST_CASE("a file that could not be read again is not written") {
    const TestRepository repository;
    RepositoryFiles files(repository.root(), {});
    CHECK_NOTHROW(files.write("largest", std::string(k_max_file, 'x')));
    CHECK_THROWS_WITH(files.write("larger", std::string(k_max_file + 1, 'x')),
                      Catch::Contains("'larger'") && Catch::Contains("at most 256 MiB"));
}

TEST_CASE("without the repository directory nothing is known of any path") {
    const Repository gone("/nowhere/at/all");
    const auto check = [](const std::function<void()>& work) {
        try {
            work();
            FAIL("it was not refused");
        } catch (const Refusal& refusal) {
            CHECK(refusal.status() == UPGRADE_FAILED);
            CHECK_THAT(refusal.what(), Catch::Contains("/nowhere/at/all"));
        }
    };
    check([&] { (void)gone.look("file"); });
    check([&] { (void)gone.mode("file"); });
    check([&] { (void)gone.read("file"); });
    check([&] { (void)gone.list(""); });
    check([&] { (void)gone.why_not_writable("dir/file"); });
    check([&] { (void)gone.what_stays("dir", [](const std::string&) { return true; }); });
    check([&] { gone.remove("file"); });
}

TEST_CASE("more files than can be without a name get theirs after the record") {
    const TestRepository repository;
    RepositoryFiles files(repository.root(), {});
    for (int i = 0; i < 300; ++i) files.write("dir/" + std::to_string(i), "x\n");
    files.commit(repository.backups(), [&](const std::vector<PreparedChange>& changes) {
        CHECK(changes.size() == 300);
        CHECK_FALSE(repository.exists("dir"));
    });
    CHECK(repository.read("dir/299") == "x\n");
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(repository.root() + "/dir"))
        count += entry.is_regular_file() ? 1U : 0U;
    CHECK(count == 300);
}

TEST_CASE("the originals of two commits never share a file") {
    const TestRepository repository;
    repository.write("a", "1");
    repository.write("b", "2");
    const auto commit = [&](const std::string& path) {
        RepositoryFiles files(repository.root(), {});
        files.write(path, "new");
        files.commit(repository.backups(), [](const std::vector<PreparedChange>&) {});
    };
    commit("a");
    CHECK_THROWS_AS(commit("b"), Refusal);
    CHECK(repository.read("b") == "2");
    CHECK(runner::read_file(repository.backups() + "/1") == "1");
}

TEST_CASE("a replaced file keeps its owner and mode, and acts for nobody else") {
    const TestRepository repository;
    repository.write("tool", "1");
    const std::string path = repository.root() + "/tool";
    const bool root = ::geteuid() == 0;
    if (root) REQUIRE(::chown(path.c_str(), 1234, 1235) == 0);
    REQUIRE(::chmod(path.c_str(), 06755) == 0);
    RepositoryFiles files(repository.root(), {});
    files.write("tool", "2");
    files.commit(repository.backups(), [](const std::vector<PreparedChange>&) {});
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 06755);
    CHECK(status.st_uid == (root ? 1234 : ::geteuid()));
    if (root) CHECK(status.st_gid == 1235);
}

TEST_CASE("what a simulation settles counts as made, and is told as a commit makes it") {
    const TestRepository repository;
    repository.write("dir/a", "1");
    repository.write("same", "same");
    RepositoryFiles files(repository.root(), {});
    std::vector<std::string> told;
    const auto tell = [&](const std::vector<ShownFile>& changes) {
        for (const ShownFile& change : changes)
            told.push_back(change.path + " " + (change.content ? *change.content : "removed"));
    };
    files.write("new/x", "x");
    files.write("new/y", "y");
    files.write("same", "same");
    files.settle(tell);
    CHECK(told == std::vector<std::string>{"new/x x", "new/y y"});
    CHECK(files.pending().empty());
    told.clear();
    files.settle(tell);
    files.write("new/y", "y");
    files.settle(tell);
    CHECK(told.empty());
    files.remove("new/x");
    // The folder has lost a file, and keeps another.
    CHECK(files.kind("new") == UPGRADE_FILE_FOLDER);
    CHECK_THROWS_AS(files.write("new", "no file"), Refusal);
    files.settle(tell);
    CHECK(told == std::vector<std::string>{"new/x removed"});
    CHECK(files.glob("**") == std::vector<std::string>{"dir/a", "new/y", "same"});
    CHECK_FALSE(files.changes().at("new/x").content);
    CHECK_FALSE(repository.exists("new"));
}

TEST_CASE("what is laid over the files is seen, below what is pending") {
    const TestRepository repository;
    repository.write("a", "1");
    RepositoryFiles files(repository.root(), {});
    files.write("a", "2");
    files.lay_over({{"a", {"0"}}, {"b", {"0"}}});
    CHECK(files.read("a") == "2");
    CHECK(files.read("b") == "0");
    files.forget_pending();
    CHECK(files.read("a") == "0");
}

TEST_CASE("a commit whose record fails changes nothing and leaves nothing behind") {
    const TestRepository repository;
    repository.write("a", "1");
    RepositoryFiles files(repository.root(), {});
    files.write("a", "2");
    CHECK_THROWS(files.commit(repository.backups(), [](const std::vector<PreparedChange>&) {
        throw std::runtime_error("disk full");
    }));
    CHECK(repository.read("a") == "1");
    CHECK(std::distance(std::filesystem::directory_iterator(repository.root()), {}) == 1);
}

TEST_CASE("changes survive their way between processes, and garbage is refused") {
    FileChanges changes;
    changes["a"].content = std::string("x\0y", 3);
    changes["b"].content.reset();
    const std::string bytes = encode(changes);
    CHECK(decode(bytes).at("a").content == changes.at("a").content);
    CHECK_FALSE(decode(bytes).at("b").content);
    for (std::size_t length = 1; length < bytes.size(); ++length) {
        if (length == encode({{"a", changes["a"]}}).size()) continue;
        CHECK_THROWS(decode(bytes.substr(0, length)));
    }
}

namespace {

/// Remembers what is told.
struct Told final : FileWitness {
    std::vector<std::string> lines;
    void found(const std::string& path, PathKind kind, const std::string* content) override {
        const std::vector<std::string> words{"none", "file", "folder", "link", "other"};
        lines.push_back(path + ' ' + words.at(static_cast<std::size_t>(kind)) +
                        (content != nullptr ? ": " + *content : ""));
    }
    void listed(const std::string& pattern, const std::vector<std::string>& paths) override {
        lines.push_back(pattern + " of " + std::to_string(paths.size()));
    }
    std::vector<std::string> take() { return std::move(lines); }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("what is looked at is told as it is beneath what was written here") {
    const TestRepository repository;
    repository.write("a", "1");
    repository.write("dir/b", "2");
    std::filesystem::create_symlink("a", repository.root() + "/link");
    std::filesystem::create_symlink("dir", repository.root() + "/through");
    RepositoryFiles files(repository.root(), {{"a", {"before"}}, {"gone", {std::nullopt}}});
    Told told;
    files.tell(&told);
    CHECK(files.read("a") == "before");
    CHECK(files.read("dir/b") == "2");
    CHECK(told.take() == Lines{"a file: before", "dir/b file: 2"});
    CHECK_THROWS_AS(files.read("gone"), Refusal);
    CHECK_THROWS_AS(files.read("absent"), Refusal);
    CHECK_THROWS_AS(files.read("dir"), Refusal);
    CHECK_THROWS_AS(files.read("link"), Refusal);
    CHECK_THROWS_AS(files.read("through/b"), Refusal);
    CHECK(told.take() ==
          Lines{"gone none", "absent none", "dir folder", "link link", "through/b link"});
    CHECK(files.glob("**") == Lines{"a", "dir/b"});
    files.write("new", "x");
    files.remove("a");
    CHECK(told.take() == Lines{"** of 2", "new none", "a file"});
    CHECK(files.kind("a") == UPGRADE_FILE_NONE);
    CHECK(files.read("new") == "x");
    CHECK(told.take().empty());
    CHECK(files.glob("**") == Lines{"dir/b", "new"});
    CHECK(told.take() == Lines{"** of 2"});
}

TEST_CASE("a path on the disk is looked at without following links") {
    const TestRepository repository;
    repository.write("dir/a", "1");
    ::chmod((repository.root() + "/dir/a").c_str(), 0751);
    std::filesystem::create_symlink("dir", repository.root() + "/link");
    const RepositoryFiles files(repository.root(), {{"dir/a", {std::nullopt}}});
    CHECK(files.look("dir/a").kind == PathKind::file);
    CHECK(files.look("dir/a").mode == 0751U);
    CHECK(files.look("dir").kind == PathKind::folder);
    CHECK(files.look("link").kind == PathKind::link);
    CHECK(files.look("link/a").kind == PathKind::link);
    CHECK(files.look("absent/a").kind == PathKind::none);
}

TEST_CASE("an original is kept with its mode, times and, where that is permitted, its group") {
    const TestRepository repository;
    repository.write("a", "1");
    const std::string path = repository.root() + "/a";
    REQUIRE(::chmod(path.c_str(), 0751) == 0);
    if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), 12, 34) == 0);
    const std::array<timespec, 2> times{timespec{1000, 5}, timespec{2000, 7}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
    struct stat before {};
    REQUIRE(::stat(path.c_str(), &before) == 0);
    RepositoryFiles files(repository.root(), {});
    files.write("a", "2");
    std::string backup;
    files.commit(repository.backups(), [&](const auto& changes) { backup = changes.at(0).backup; });
    struct stat kept {};
    REQUIRE(::stat(backup.c_str(), &kept) == 0);
    CHECK(kept.st_mode == before.st_mode);
    CHECK(kept.st_uid == before.st_uid);
    CHECK(kept.st_gid == before.st_gid);
    CHECK(kept.st_mtim.tv_sec == 2000);
    CHECK(kept.st_mtim.tv_nsec == 7);
}

TEST_CASE("words that programs have printed are found again in a command") {
    LearnedTexts learned;
    CHECK(learned.in("anything").empty());
    learned.add("{\"id\": \"abc-123\", \"ref\": \"sha256:9f\"}\n");
    CHECK(learned.in("--id=abc-123") == TextRanges{{5, 12}});
    CHECK(learned.in("--id=abc-1234").empty());
    CHECK(learned.in("abc-123,sha256:9f and more") == TextRanges{{0, 17}});
    CHECK(learned.in("9f x abc-123") == TextRanges{{0, 2}, {5, 12}});
}
