// SPDX-License-Identifier: Apache-2.0
#include "engine/work_tree.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/file.hpp"

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

}  // namespace

TEST_CASE("what was put in place is among the files written since, whatever its own time") {
    const TemporaryFolder folder("work-tree-test");
    const std::filesystem::path repository = folder.path() / "repository";
    replace_file(repository / "folder/old", "old\n");
    replace_file(folder.path() / "aside", "new\n");
    std::filesystem::last_write_time(
        folder.path() / "aside",
        std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    DiskWorkTree work_tree(repository, folder.path() / "state/state.db");
    const auto moment = work_tree.file_time();
    while (work_tree.file_time() <= moment) {
    }
    const auto since = work_tree.file_time();
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
