// SPDX-License-Identifier: Apache-2.0
#include "engine/run_folder.hpp"

#include "ledger/beside.hpp"
#include "ledger/sqlite_ledger.hpp"
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

TEST_CASE("of the copies of the ledger the newest are kept, and the one just made") {
    const TemporaryFolder folder("run-folder-test");
    const SystemClock clock;
    const std::filesystem::path file = folder.path() / "state.db";
    const auto ledger = open_ledger(file, clock);
    DiskRunFolder places(file, "p");
    for (int i = 10; i < 22; ++i) {
        const std::string run = "run-" + std::to_string(i);
        CHECK(places.copy_ledger(*ledger, run) == (copies_beside(file) / (run + ".db")).string());
    }
    std::vector<std::filesystem::path> copies = ledger_copies(file);
    CHECK(copies.size() == 10);
    CHECK(copies.front().filename() == "run-21.db");
    CHECK(copies.back().filename() == "run-12.db");
    places.copy_ledger(*ledger, "run-05");  // the clock has jumped back
    copies = ledger_copies(file);
    CHECK(copies.size() == 11);
    CHECK(copies.back().filename() == "run-05.db");
    for (const std::filesystem::path& copy : copies) CHECK(ledger_damage(copy).empty());
}

TEST_CASE("releases are kept by their tags, as long as these are wanted") {
    const TemporaryFolder folder("run-folder-test");
    DiskRunFolder places(folder.path() / "state.db", "p");
    CHECK(places.kept_releases() == nullptr);
    CHECK(places.kept_releases_count() == 0);
    for (const char* tag : {"one", "two", "three"})
        places.keep_release(tag, {{"a", std::string("a of ") + tag}, {"b", "b"}});
    CHECK(places.kept_releases_count() == 3);
    CHECK(places.kept_releases() != nullptr);
    places.keep_only_releases({"two", "four"});
    const std::filesystem::path kept = kept_releases_beside(folder.path() / "state.db");
    CHECK(places.kept_releases_count() == 1);
    CHECK(read_file(kept / "two/a") == "a of two");
    CHECK(read_file(kept / "two/b") == "b");
}

TEST_CASE("originals go with their upgrade alone") {
    const TemporaryFolder folder("run-folder-test");
    DiskRunFolder places(folder.path() / "state.db", "p");
    for (const char* version : {"0.0.51", "0.0.51.a"})
        replace_file(places.originals_of(version) / "1" / "1", "old\n");
    places.remove_originals("0.0.51");
    CHECK_FALSE(std::filesystem::exists(places.originals_of("0.0.51")));
    CHECK(read_file(places.originals_of("0.0.51.a") / "1" / "1") == "old\n");
}
