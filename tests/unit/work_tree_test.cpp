// SPDX-License-Identifier: Apache-2.0
#include "engine/work_tree.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

using namespace runner;
using Catch::Contains;

namespace {

/// Without the rights of root, to whom every folder is open.
class AsNobody {
 public:
    AsNobody() {
        if (m_root) REQUIRE(::seteuid(65534) == 0);
    }
    ~AsNobody() {
        if (m_root) [[maybe_unused]]
            const int back = ::seteuid(0);
    }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;

 private:
    bool m_root = ::geteuid() == 0;
};

/// When the file was last changed or moved, in milliseconds since 1970.
std::chrono::milliseconds time_of_change(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return std::chrono::seconds(status.st_ctim.tv_sec) +
           std::chrono::milliseconds(status.st_ctim.tv_nsec / 1'000'000);
}

/// A repository with `outside/` beside it, and the ledger's folder with one original.
class Disk {
 public:
    Disk() : m_folder("work-tree-test") {
        replace_file(outside() / "file", "outside\n");
        replace_file(place("conf/file"), "new\n");
        replace_file(m_folder.path() / "state/originals/1", "old\n");
        REQUIRE(::chmod(original().c_str(), 0640) == 0);
    }
    [[nodiscard]] std::filesystem::path place(const std::string& path) const {
        return m_folder.path() / "repository" / path;
    }
    [[nodiscard]] std::filesystem::path outside() const { return m_folder.path() / "outside"; }
    [[nodiscard]] std::string original() const {
        return (m_folder.path() / "state/originals/1").string();
    }
    [[nodiscard]] DiskWorkTree tree() const {
        return {m_folder.path() / "repository", m_folder.path() / "state/state.db"};
    }
    /// The folder `conf` is a link to `outside` by now.
    void replace_folder_by_link() const {
        std::filesystem::remove_all(place("conf"));
        std::filesystem::create_directory_symlink(outside(), place("conf"));
    }
    [[nodiscard]] FileIntent change(const std::string& path, bool had_original) const {
        FileIntent intent;
        intent.path = path;
        intent.temporary = ".temporary";
        if (had_original) intent.backup = original();
        return intent;
    }

 private:
    TemporaryFolder m_folder;
};

}  // namespace

TEST_CASE("what is no file has a digest that no file has, and nothing has none") {
    const Disk disk;
    DiskWorkTree tree = disk.tree();
    std::filesystem::create_symlink("conf/file", disk.place("link"));
    REQUIRE(::mkfifo(disk.place("pipe").c_str(), 0600) == 0);
    CHECK(tree.digest("conf/file") == sha256("new\n"));
    CHECK_FALSE(tree.digest("absent"));
    CHECK_FALSE(tree.digest("conf/file/below"));
    CHECK_FALSE(tree.digest("conf"));  // a file may be made below it
    for (const char* path : {"link", "pipe"}) {
        CAPTURE(path);
        CHECK(tree.digest(path) == digest_of_no_file());
        CHECK_THROWS_AS(tree.content(path), Error);
    }
    disk.replace_folder_by_link();
    CHECK(tree.digest("conf/file") == digest_of_no_file());
}

TEST_CASE("the state of a file has its mode, and of what is no file there is none") {
    const Disk disk;
    DiskWorkTree tree = disk.tree();
    REQUIRE(::chmod(disk.place("conf/file").c_str(), 04710) == 0);
    std::filesystem::create_symlink("conf/file", disk.place("link"));
    CHECK(tree.state("conf/file").digest == sha256("new\n"));
    CHECK(tree.state("conf/file").mode == 04710U);
    for (const char* path : {"link", "conf", "absent"}) {
        CAPTURE(path);
        CHECK_FALSE(tree.state(path).mode);
    }
}

TEST_CASE("an original is put back with its mode, and what was made goes with its folders") {
    const Disk disk;
    DiskWorkTree tree = disk.tree();
    tree.put_back(disk.change("conf/file", true));
    CHECK(read_file(disk.place("conf/file")) == "old\n");
    struct stat status {};
    REQUIRE(::stat(disk.place("conf/file").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0640U);
    replace_file(disk.place("made/deep/file"), "made\n");
    const FileIntent made = disk.change("made/deep/file", false);
    tree.put_back(made);
    CHECK(std::filesystem::exists(disk.place("made/deep")));  // another file may be in it
    tree.remove_made_folders(made);
    CHECK_FALSE(std::filesystem::exists(disk.place("made")));
    tree.put_back(made);  // once more after a death
    tree.remove_made_folders(made);
    std::filesystem::create_directories(disk.place("made/deep"));
    FileIntent one_folder = made;
    one_folder.made_folders = 1;
    tree.remove_made_folders(one_folder);
    CHECK(std::filesystem::is_empty(disk.place("made")));  // it was there before
    tree.put_back(disk.change("gone/file", true));         // its folder has gone meanwhile
    CHECK(read_file(disk.place("gone/file")) == "old\n");
    replace_file(disk.place("link-target"), "kept\n");
    std::filesystem::create_symlink("link-target", disk.place("link"));
    tree.put_back(disk.change("link", true));
    CHECK_FALSE(std::filesystem::is_symlink(disk.place("link")));
    CHECK(read_file(disk.place("link-target")) == "kept\n");
}

TEST_CASE("nothing is put back or removed through a link, whoever made it and when") {
    const Disk disk;
    disk.replace_folder_by_link();
    replace_file(disk.outside() / ".temporary", "not an upgrade's\n");
    replace_file(disk.outside() / ".file.undo", "not an upgrade's\n");
    DiskWorkTree tree = disk.tree();
    for (const bool had_original : {true, false}) {
        FileIntent change = disk.change("conf/file", had_original);
        change.temporary = "conf/.temporary";
        try {
            tree.put_back(change);
            FAIL("it was put back");
        } catch (const Error& error) {
            CHECK(error.failure() == Failure::preparation);
            CHECK_THAT(error.what(), Contains("leads through a symbolic link"));
        }
        CHECK_NOTHROW(tree.remove_temporary(change));
    }
    CHECK_THAT(tree.why_not_writable("conf/file"), Contains("leads through a symbolic link"));
    CHECK(read_file(disk.outside() / "file") == "outside\n");
    CHECK(std::filesystem::exists(disk.outside() / ".temporary"));
    CHECK(std::filesystem::exists(disk.outside() / ".file.undo"));
}

TEST_CASE("an original is read through no link, and a pipe in its place hangs nobody") {
    const Disk disk;
    DiskWorkTree tree = disk.tree();
    FileIntent change = disk.change("conf/file", true);
    CHECK(tree.original(change) == "old\n");
    const std::filesystem::path originals = std::filesystem::path(disk.original()).parent_path();
    std::filesystem::create_directory_symlink(disk.outside(), originals / "folder");
    std::filesystem::create_symlink(disk.outside() / "file", originals / "link");
    REQUIRE(::mkfifo((originals / "pipe").c_str(), 0600) == 0);
    for (const char* name : {"folder/file", "link", "pipe", "absent"}) {
        CAPTURE(name);
        change.backup = (originals / name).string();
        CHECK_THROWS_AS(tree.original(change), Error);
        CHECK_THROWS_AS(tree.put_back(change), Error);
    }
    CHECK(read_file(disk.place("conf/file")) == "new\n");
}

TEST_CASE("a temporary name that no file can have is not there") {
    const Disk disk;
    FileIntent change = disk.change("conf/file", true);
    change.temporary = "conf/." + std::string(300, 'x') + ".upgrade-1";
    CHECK_NOTHROW(disk.tree().remove_temporary(change));
}

TEST_CASE("a folder goes when all that is in it goes, of whatever kind") {
    const Disk disk;
    const auto stays = [&](const std::set<std::string>& goes) {
        return disk.tree().what_stays(
            "conf", [&](const std::string& path) { return goes.count(path) != 0; });
    };
    CHECK(stays({"conf/file"}).empty());
    CHECK(stays({}) == "conf/file");
    replace_file(disk.place("conf/.hidden/file"), "x\n");
    CHECK(stays({"conf/file"}) == "conf/.hidden/file");
    CHECK(stays({"conf/file", "conf/.hidden/file"}).empty());
    std::filesystem::create_directory(disk.place("conf/empty"));
    CHECK(stays({"conf/file", "conf/.hidden/file"}) == "conf/empty");
    CHECK(stays({"conf/file", "conf/.hidden/file", "conf/empty"}).empty());
    std::filesystem::create_symlink("file", disk.place("conf/link"));
    CHECK(stays({"conf/file", "conf/.hidden/file", "conf/empty"}) == "conf/link");
    replace_file(disk.place("conf/.git/config"), "x\n");
    CHECK(stays({"conf/file", "conf/.hidden/file", "conf/empty", "conf/link"}) ==
          "conf/.git/config");
    CHECK_THROWS_AS(disk.tree().what_stays("none", [](const std::string&) { return true; }), Error);
}

TEST_CASE("the runner's own places in a repository are known, however they are named") {
    using Strings = std::vector<std::string>;
    const TemporaryFolder folder("work-tree-test");
    const std::filesystem::path repository = folder.path() / "repository";
    std::filesystem::create_directories(repository / "run/er");
    replace_file(folder.path() / "outside/config", "");
    std::filesystem::create_directory_symlink("repository", folder.path() / "link");
    std::filesystem::create_symlink("../outside/config", repository / "config");
    const auto own = [&](const std::filesystem::path& state,
                         const std::vector<std::filesystem::path>& others = {}) {
        return DiskWorkTree(repository, state, others).own_paths();
    };
    CHECK(own(folder.path() / "state/state.db").empty());
    CHECK(own(folder.path() / "state.db").empty());
    CHECK(own(repository / "run/er/state.db") == Strings{"run/er"});
    for (const char* spelled : {"repository/", "repository/.", "repository/run/..", "link/"})
        CHECK(DiskWorkTree(folder.path() / spelled, repository / "run/er/state.db").own_paths() ==
              Strings{"run/er"});
    std::filesystem::create_symlink("turning", folder.path() / "turning");
    CHECK_THROWS_AS(own(folder.path() / "turning/state.db"), Error);
    CHECK(own(repository / "new/../run/er/state.db") == Strings{"run/er"});
    CHECK(own(folder.path() / "link/run/er/state.db") == Strings{"run/er"});
    CHECK(own(folder.path() / "state/state.db",
              {repository / "config", repository / "not/there"}) == Strings{"config", "not/there"});
    for (const auto& state : {repository / "state.db", folder.path() / "link/state.db"}) {
        const Strings in_root = own(state);
        for (const char* name : {"state.db", "state.db-wal", "state.db-shm", "state.db.lock",
                                 "copies", "originals", "releases", "logs", "jobs", "webhooks"})
            CHECK(std::count(in_root.begin(), in_root.end(), name) == 1);
        CHECK(std::count(in_root.begin(), in_root.end(), "run") == 0);
    }
}

TEST_CASE("what belongs to the runner is not among the files written since") {
    const Disk disk;
    const std::filesystem::path root = disk.place("");
    for (const char* file : {".runner/state.db", ".runner/logs/run/log", "cluster.yaml", "mine"})
        replace_file(disk.place(file), "x\n");
    DiskWorkTree tree(root, root / ".runner/state.db", {root / "cluster.yaml"});
    const auto written = tree.written_since(std::chrono::milliseconds(0), 100);
    CHECK(std::count(written.begin(), written.end(), "mine") == 1);
    for (const char* own : {".runner/state.db", ".runner/logs/run/log", "cluster.yaml"})
        CHECK(std::count(written.begin(), written.end(), own) == 0);
}

TEST_CASE("a folder that cannot be read fails a list, and is left out of what was written") {
    const Disk disk;
    replace_file(disk.place("secret/file"), "x\n");
    std::filesystem::path above = disk.place("");
    for (const auto& folder : {above.parent_path(), above.parent_path().parent_path()})
        REQUIRE(::chmod(folder.c_str(), 0755) == 0);
    DiskWorkTree tree = disk.tree();
    for (const unsigned mode : {0000U, 0444U}) {  // not to be listed; its entries not to be seen
        CAPTURE(mode);
        REQUIRE(::chmod(disk.place("secret").c_str(), mode) == 0);
        const AsNobody nobody;
        CHECK_THROWS_WITH(tree.names("**"), Contains("secret") && Contains("ermission denied"));
        CHECK(tree.names("conf/*") == std::vector<std::string>{"conf/file"});
        CHECK(tree.written_since(std::chrono::milliseconds(0), 10) ==
              std::vector<std::string>{"conf/file"});
    }
    REQUIRE(::chmod(disk.place("secret").c_str(), 0755) == 0);
}

TEST_CASE("what was put in place is among the files written since, whatever its own time") {
    const TemporaryFolder folder("work-tree-test");
    const std::filesystem::path repository = folder.path() / "repository";
    replace_file(repository / "folder/old", "old\n");
    replace_file(folder.path() / "aside", "new\n");
    std::filesystem::last_write_time(
        folder.path() / "aside",
        std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    DiskWorkTree work_tree(repository, folder.path() / "state/state.db");
    // The system's clock may lag behind the times that files get, so a file tells the time here.
    auto since = time_of_change(repository / "folder/old");
    while (since <= time_of_change(repository / "folder/old")) {
        replace_file(folder.path() / "clock", "now\n");
        since = time_of_change(folder.path() / "clock");
    }
    std::filesystem::rename(folder.path() / "aside", repository / "folder/aside");
    CHECK(work_tree.written_since(since, 10) == std::vector<std::string>{"folder/aside"});
}

TEST_CASE("a path is writable when the nearest folder above it that is there may be written") {
    const TemporaryFolder folder("work-tree-test");
    const std::filesystem::path repository = folder.path() / "repository";
    std::filesystem::create_directories(repository / "open");
    std::filesystem::create_directories(repository / "closed/below");
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
    REQUIRE(::chmod((repository / "open").c_str(), 0777) == 0);
    REQUIRE(::chmod((repository / "closed/below").c_str(), 0777) == 0);
    REQUIRE(::chmod((repository / "closed").c_str(), 0555) == 0);
    REQUIRE(::chmod(repository.c_str(), 0555) == 0);
    DiskWorkTree work_tree(repository, folder.path() / "state/state.db");
    {
        const AsNobody nobody;
        CHECK(work_tree.why_not_writable("open/file").empty());
        CHECK(work_tree.why_not_writable("open/not/there/yet").empty());
        CHECK(work_tree.why_not_writable("closed/below/file").empty());
        for (const char* path : {"closed/file", "closed/not/there", "file", "not/there"}) {
            CAPTURE(path);
            CHECK_THAT(work_tree.why_not_writable(path),
                       Contains("cannot be written") && Contains("ermission denied"));
        }
    }
    REQUIRE(::chmod((repository / "closed").c_str(), 0755) == 0);
    REQUIRE(::chmod(repository.c_str(), 0755) == 0);
}

TEST_CASE("what an interrupted change or its interrupted undo has left beside a file is removed") {
    const Disk disk;
    DiskWorkTree tree = disk.tree();
    for (const bool had_original : {true, false}) {
        const std::string undo = upgrade::services::Repository::name_before_put_back("conf/file");
        for (const std::string& name : {std::string("conf/.temporary"), undo})
            replace_file(disk.place(name), "half\n");
        FileIntent change = disk.change("conf/file", had_original);
        change.temporary = "conf/.temporary";
        tree.remove_temporary(change);
        CHECK_FALSE(std::filesystem::exists(disk.place("conf/.temporary")));
        CHECK(std::filesystem::exists(disk.place(undo)) != had_original);
        CHECK(std::filesystem::exists(disk.place("conf/file")));
    }
}
