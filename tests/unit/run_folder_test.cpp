// SPDX-License-Identifier: Apache-2.0
#include "engine/run_folder.hpp"

#include "support/catch.hpp"
#include "support/file.hpp"
#include "support/read.hpp"

using namespace runner;

TEST_CASE("each phase of an upgrade goes on with the log of the one before it") {
    const TemporaryFolder folder("run-folder-test");
    DiskRunFolder places(folder.path() / "state.db", "p");
    for (const char* phase : {"apply", "verify", "rollback"})
        places.log("logs/run/0.0.51.log")->write(phase);
    CHECK(read_file(places.place_of("logs/run/0.0.51.log")) == "apply\nverify\nrollback\n");
    places.log("")->write("nowhere");
}

TEST_CASE("a folder of originals goes with the one above it, where both are empty") {
    const TemporaryFolder folder("run-folder-test");
    DiskRunFolder places(folder.path() / "state.db", "p");
    const std::filesystem::path of_version = places.originals_of("0.0.51");
    const std::filesystem::path attempt = of_version / "1";
    std::filesystem::create_directories(attempt);
    std::filesystem::create_directories(of_version / "2");
    places.remove_if_empty(attempt);
    CHECK_FALSE(std::filesystem::exists(attempt));
    CHECK(std::filesystem::exists(of_version / "2"));
    places.remove_if_empty(of_version / "2");
    CHECK_FALSE(std::filesystem::exists(of_version));
    replace_file(attempt / "1", "old\n");
    places.remove_if_empty(attempt);
    CHECK(read_file(attempt / "1") == "old\n");
}
