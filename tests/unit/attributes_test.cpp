// SPDX-License-Identifier: Apache-2.0
// What files and folders have beside their content, when upgrades change, move and undo them.
#include "services/attributes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <functional>

#include "services/changes.hpp"
#include "services/files.hpp"
#include "support/catch.hpp"
#include "support/file.hpp"
#include "support/read.hpp"

using namespace upgrade::services;

namespace fs = std::filesystem;

namespace {

constexpr const char* k_attribute = "user.note";

class Disk {
 public:
    Disk() : m_folder("attributes-test") { fs::create_directories(root()); }
    [[nodiscard]] fs::path root() const { return m_folder.path() / "repository"; }
    [[nodiscard]] fs::path folder() const { return m_folder.path(); }
    [[nodiscard]] std::string backups() const { return (m_folder.path() / "originals").string(); }
    void write(const std::string& path, mode_t mode, const std::string& text = "text\n") const {
        runner::replace_file(root() / path, text, runner::Durability::replaceable);
        set_mode(path, mode);
    }
    void set_mode(const std::string& path, mode_t mode) const {
        REQUIRE(::chmod((root() / path).c_str(), mode) == 0);
    }
    void set_old(const std::string& path) const {
        const timespec times[2] = {{1000, 0}, {2000, 0}};
        REQUIRE(::utimensat(AT_FDCWD, (root() / path).c_str(), times, 0) == 0);
    }
    [[nodiscard]] struct stat status(const std::string& path) const {
        struct stat found {};
        CAPTURE(path);
        REQUIRE(::lstat((root() / path).c_str(), &found) == 0);
        return found;
    }
    [[nodiscard]] unsigned mode(const std::string& path) const {
        return status(path).st_mode & k_mode_bits;
    }
    [[nodiscard]] bool exists(const std::string& path) const { return fs::exists(root() / path); }
    [[nodiscard]] std::string read(const std::string& path) const {
        return runner::read_file(root() / path);
    }
    /// False: this file system has none.
    [[nodiscard]] bool set_attribute(const std::string& path, const std::string& value) const {
        return ::setxattr((root() / path).c_str(), k_attribute, value.data(), value.size(), 0) == 0;
    }
    [[nodiscard]] std::string attribute(const std::string& path) const {
        std::string value(100, '\0');
        const ssize_t size =
            ::getxattr((root() / path).c_str(), k_attribute, value.data(), value.size());
        return size < 0 ? "none" : value.substr(0, static_cast<std::size_t>(size));
    }

 private:
    runner::TemporaryFolder m_folder;
};

/// The changes that are recorded, by path.
using Recorded = std::map<std::string, PreparedChange>;

/// Makes what `change` asks for.
Recorded commit(const Disk& disk, const std::function<void(RepositoryFiles&)>& change,
                const std::string& name = "0") {
    RepositoryFiles files(disk.root().string(), {});
    change(files);
    Recorded all;
    files.commit(disk.backups() + '/' + name, [&](const std::vector<PreparedChange>& changes) {
        for (const PreparedChange& one : changes) all[one.path] = one;
    });
    return all;
}

/// Puts back the originals of a commit.
void undo(const Disk& disk, const Recorded& changes) {
    const Repository repository(disk.root().string());
    const Repository originals(disk.backups());
    for (const auto& [path, change] : changes) {
        if (change.backup.empty()) repository.remove(path);
    }
    for (const auto& [path, change] : changes) {
        if (change.backup.empty()) repository.remove_empty_folders(path, change.made_folders);
    }
    for (const auto& [path, change] : changes) {
        if (!change.backup.empty())
            repository.put_back(
                path, originals,
                fs::path(change.backup).lexically_relative(disk.backups()).string());
    }
}

/// All that is there, with modes.
std::map<std::string, std::string> tree(const Disk& disk) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(disk.root())) {
        const std::string path = entry.path().lexically_relative(disk.root()).string();
        all[path] = octal(disk.mode(path)) + (entry.is_directory() ? "/" : disk.read(path));
    }
    return all;
}

}  // namespace

TEST_CASE("a moved file keeps mode, times and attributes, however it is moved") {
    const std::map<std::string, std::function<void(RepositoryFiles&)>> ways{
        {"once", [](RepositoryFiles& files) { files.move("old", "new"); }},
        {"twice",
         [](RepositoryFiles& files) {
             files.move("old", "between");
             files.move("between", "new");
         }},
        {"onto what was removed",
         [](RepositoryFiles& files) {
             files.remove("other");
             files.move("old", "other");
             files.move("other", "new");
         }},
        {"into a folder that is made",
         [](RepositoryFiles& files) {
             files.move("old", "made/it");
             files.move("made/it", "new");
         }},
        {"and something else is written in its place",
         [](RepositoryFiles& files) {
             files.move("old", "new");
             files.write("old", "another\n");
         }},
    };
    for (const auto& [how, change] : ways) {
        CAPTURE(how);
        const Disk disk;
        disk.write("old", 0600);
        disk.write("other", 0755);
        const bool noted = disk.set_attribute("old", "kept");
        disk.set_old("old");
        const Recorded recorded = commit(disk, change);
        CHECK(recorded.at("new").mode == 0600U);
        CHECK(disk.mode("new") == 0600U);
        CHECK(disk.status("new").st_mtim.tv_sec == 2000);
        if (noted) CHECK(disk.attribute("new") == "kept");
        undo(disk, recorded);
        CHECK(disk.mode("old") == 0600U);
        CHECK(disk.status("old").st_mtim.tv_sec == 2000);
        if (noted) CHECK(disk.attribute("old") == "kept");
        CHECK_FALSE(disk.exists("new"));
        CHECK(disk.mode("other") == 0755U);
    }
}

TEST_CASE("a file that is moved over a removed one gets the mode of the one that came") {
    const Disk disk;
    disk.write("old", 0600, "secret\n");
    disk.write("other", 0644);
    commit(disk, [](RepositoryFiles& files) {
        files.remove("other");
        files.move("old", "other");
    });
    CHECK(disk.mode("other") == 0600U);
    CHECK(disk.read("other") == "secret\n");
}

TEST_CASE("two files that change places take their modes along") {
    const Disk disk;
    disk.write("a", 0600, "a\n");
    disk.write("b", 0755, "b\n");
    commit(disk, [](RepositoryFiles& files) {
        files.move("a", "c");
        files.move("b", "a");
        files.move("c", "b");
    });
    CHECK(disk.read("a") + octal(disk.mode("a")) == "b\n0755");
    CHECK(disk.read("b") + octal(disk.mode("b")) == "a\n0600");
}

TEST_CASE("an edited file keeps mode and attributes, but not its times") {
    const Disk disk;
    disk.write("file", 04751);
    const bool noted = disk.set_attribute("file", "kept");
    disk.set_old("file");
    const Recorded recorded =
        commit(disk, [](RepositoryFiles& files) { files.write("file", "other\n"); });
    CHECK(recorded.at("file").mode == 04751U);
    CHECK(disk.mode("file") == 04751U);
    if (noted) CHECK(disk.attribute("file") == "kept");
    CHECK(disk.status("file").st_mtim.tv_sec > 2000);
    undo(disk, recorded);
    CHECK(disk.mode("file") == 04751U);
    CHECK(disk.status("file").st_mtim.tv_sec == 2000);
}

TEST_CASE("a moved file that is edited has new times") {
    const Disk disk;
    disk.write("old", 0600);
    disk.set_old("old");
    commit(disk, [](RepositoryFiles& files) {
        files.move("old", "new");
        files.write("new", "edited\n");
    });
    CHECK(disk.mode("new") == 0600U);
    CHECK(disk.status("new").st_mtim.tv_sec > 2000);
}

TEST_CASE("a new file has what the umask leaves, and that is recorded") {
    const Disk disk;
    const mode_t mask = ::umask(027);
    const mode_t expected = mode_of_new_file();
    const Recorded recorded = commit(disk, [](RepositoryFiles& files) { files.write("f", "\n"); });
    ::umask(mask);
    CHECK(expected == 0640U);
    CHECK(disk.mode("f") == 0640U);
    CHECK(recorded.at("f").mode == 0640U);
}

TEST_CASE("a file of another owner keeps him, and what could not be kept is told") {
    if (::geteuid() != 0) {
        WARN("only root can give a file away");
        return;
    }
    const Disk disk;
    disk.write("file", 06666);
    REQUIRE(::chown((disk.root() / "file").c_str(), 12345, 12345) == 0);
    disk.set_mode("file", 06666);
    commit(disk, [](RepositoryFiles& files) { files.write("file", "root\n"); });
    CHECK(disk.status("file").st_uid == 12345U);
    CHECK(disk.mode("file") == 06666U);
    disk.set_mode(".", 0777);
    REQUIRE(::chmod(disk.folder().c_str(), 0777) == 0);
    REQUIRE(::chmod(disk.backups().c_str(), 0777) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)
            ::_exit(9);
        try {
            RepositoryFiles files(disk.root().string(), {});
            files.write("file", "nobody\n");
            const auto told = files.commit(disk.backups() + "/1", [](const auto&) {});
            const std::vector<std::string> expected{"file: its group 12345",
                                                    "file: its owner 12345"};
            ::_exit(told == expected ? 0 : 1);
        } catch (...) {
            ::_exit(2);
        }
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(disk.read("file") == "nobody\n");
    CHECK(disk.mode("file") == 0666U);  // it does not act for another owner or group
}

TEST_CASE("folders that went with their last file come back as they were") {
    const Disk disk;
    fs::create_directories(disk.root() / "a/b/c");
    fs::create_directories(disk.root() / "empty/before");
    disk.write("a/b/c/one", 0600);
    disk.write("a/b/c/two", 0640);
    disk.write("a/stays", 0644);
    disk.set_mode("a/b/c", 0700);
    disk.set_mode("a/b", 02750);
    disk.set_mode("empty/before", 0710);
    const auto before = tree(disk);
    Recorded recorded = commit(disk, [](RepositoryFiles& files) {
        files.remove("a/b/c/one");
        files.move("a/b/c/two", "empty/before/two");
        files.write("new/folder/f", "f\n");
        files.write("empty/before/made/f", "f\n");
    });
    CHECK_FALSE(disk.exists("a/b"));
    CHECK(recorded.at("empty/before/two").made_folders == 0);
    CHECK(recorded.at("empty/before/made/f").made_folders == 1);
    CHECK(recorded.at("new/folder/f").made_folders == 2);
    undo(disk, recorded);
    CHECK(tree(disk) == before);
}

TEST_CASE("no folder is made before the change is recorded") {
    const Disk disk;
    RepositoryFiles files(disk.root().string(), {});
    files.write("a/b/f", "f\n");
    CHECK_THROWS_AS(
        files.commit(disk.backups(), [](const auto&) { throw Refusal(UPGRADE_FAILED, "no"); }),
        Refusal);
    CHECK(tree(disk).empty());
}

TEST_CASE("where a file comes from is known after several commits, and between processes") {
    const Disk disk;
    disk.write("a", 0600);
    RepositoryFiles files(disk.root().string(), {});
    const auto settle = [&] { files.settle([](const std::vector<ShownFile>&) {}); };
    files.move("a", "b");
    settle();
    files.move("b", "c");
    settle();
    files.write("c", "edited\n");
    files.write("d", "new\n");
    settle();
    const FileChanges changes = decode(encode(files.changes()));
    CHECK(changes.at("c").moved_from == "a");
    CHECK(changes.at("c").content == "edited\n");
    CHECK(changes.at("d").moved_from.empty());
    CHECK_FALSE(changes.at("a").content);
    FileChanges forged;
    forged["x"] = {"content", "../outside"};
    CHECK_THROWS_AS(files.set_pending(forged), Refusal);
}
