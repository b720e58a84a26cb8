// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <random>
#include "support/catch.hpp"

#include "services/diff.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"
#include "support/url.hpp"

using namespace runner;
using upgrade::services::unified_diff;

TEST_CASE("a keyed digest is that of RFC 4231, also with a key longer than a block") {
    CHECK(runner::hmac_sha256("Jefe", "what do ya want for nothing?").to_string() ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(runner::hmac_sha256(std::string(131, '\xaa'),
                              "Test Using Larger Than Block-Size Key - Hash Key First")
              .to_string() == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("only what is this machine for certain is loopback") {
    for (const char* own : {"localhost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"})
        CHECK(is_loopback(own));
    for (const char* other : {"", "127.", "127.1", "127.evil.example", "127.0.0.1.evil.example",
                              "localhost.evil.example", "128.0.0.1", "0.0.0.0", "::", "fe80::1",
                              "::ffff:10.0.0.1", "[::1]"}) {
        CAPTURE(other);
        CHECK_FALSE(is_loopback(other));
    }
}

TEST_CASE("plain http to others is told, whatever stands before and after the host") {
    for (const char* open :
         {"http://example.org", "HTTP://example.org/", "http://127.evil.example/x",
          "http://127.0.0.1@evil.example/", "http://127.0.0.1:80@evil.example", "http://[::2]:80/",
          "http://localhost.evil.example", "http://", "http://user@:80"}) {
        CAPTURE(open);
        CHECK(is_open_http(open));
    }
    for (const char* fine : {"https://example.org", "http://127.0.0.1:8080/x", "http://localhost",
                             "http://LOCALHOST:1", "http://user:word@[::1]:80/?q", "no address"}) {
        CAPTURE(fine);
        CHECK_FALSE(is_open_http(fine));
    }
    CHECK(origin_of("https://user:secret@Example.com/x") == "https://example.com");
    CHECK(origin_of("example.com").empty());
    CHECK(without_credentials("https://user:secret@example.com/x?y") == "https://example.com/x?y");
}

TEST_CASE("a file's stamp proves that it is the same, and never what it cannot know") {
    const TemporaryFolder folder("stamp-test");
    const auto file = folder.path() / "file";
    const auto set_age = [&](std::chrono::seconds age) {
        std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - age);
    };
    const FileStamp missing(file);
    CHECK(FileStamp(file).proves_same(missing));
    CHECK_FALSE(FileStamp(file).proves_same(std::nullopt));
    create_file(file, "one");
    CHECK_FALSE(FileStamp(file).proves_same(missing));
    set_age(std::chrono::seconds(-60));  // just written, for certain
    const FileStamp fresh(file);
    CHECK_FALSE(FileStamp(file).proves_same(fresh));
    set_age(std::chrono::seconds(60));
    const FileStamp old(file);
    CHECK(FileStamp(file).proves_same(old));
    set_age(std::chrono::seconds(59));
    CHECK_FALSE(FileStamp(file).proves_same(old));
}

TEST_CASE("times are UTC, RFC 3339") {
    CHECK(format_time(std::chrono::milliseconds(1'767'225'600'123)) == "2026-01-01T00:00:00.123Z");
}

TEST_CASE("SHA-256 of a known text") {
    CHECK(sha256("abc").to_string() ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a changed line is shown with three lines of context") {
    const std::string before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    const std::string after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
    CHECK(unified_diff("f", {before}, {after}) ==
          "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    CHECK(unified_diff("f", {before}, {before}).empty());
    CHECK(unified_diff("f", {}, {"x\n"}) == "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n");
    CHECK(unified_diff("f", {"x"}, {}) ==
          "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n");
}

TEST_CASE("a mode that is new, another one or gone is shown as git shows it") {
    const std::string heading = "diff --git a/f b/f\n";
    const std::string names = "--- a/f\n+++ b/f\n";
    CHECK(unified_diff("f", {}, {"x\n", 0600U}) ==
          heading + "new file mode 100600\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n");
    CHECK(unified_diff("f", {"x\n", 04755U}, {}) ==
          heading + "deleted file mode 104755\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n");
    CHECK(unified_diff("f", {"x\n", 0644U}, {"x\n", 0755U}) ==
          heading + "old mode 100644\nnew mode 100755\n");
    CHECK(unified_diff("f", {"x\n", 0644U}, {"y\n", 0644U}) == names + "@@ -1 +1 @@\n-x\n+y\n");
    CHECK(unified_diff("f", {"x\n"}, {"x\n", 0755U}).empty());  // what it was is not known
}

TEST_CASE("patch makes the new file of the old one and the diff, for random edits") {
    std::mt19937 random(7);
    const TemporaryFolder folder("diff-test");
    for (int round = 0; round < 60; ++round) {
        const auto text = [&](int lines) {
            std::string made;
            for (int i = 0; i < lines; ++i) made += "line " + std::to_string(random() % 12) + '\n';
            if (!made.empty() && random() % 4 == 0) made.pop_back();
            return made;
        };
        const std::string before = text(static_cast<int>(random() % 40) + 1);
        const std::string after = text(static_cast<int>(random() % 40) + 1);
        const std::string diff = unified_diff("f", {before}, {after});
        if (diff.empty()) continue;
        replace_file(folder.path() / "f", before, Durability::replaceable);
        replace_file(folder.path() / "d", diff, Durability::replaceable);
        const std::string command = "cd " + folder.path().string() + " && patch -s -p1 < d";
        CAPTURE(before, after, diff);
        REQUIRE(std::system(command.c_str()) == 0);
        REQUIRE(read_file(folder.path() / "f") == after);
    }
}

TEST_CASE("a diff of more edits than the bound is correct, only longer") {
    std::string before;
    std::string after;
    for (int i = 0; i < 3000; ++i) {
        before += "old " + std::to_string(i) + '\n';
        after += "new " + std::to_string(i) + '\n';
    }
    const std::string diff = unified_diff("f", {before}, {after});
    CHECK(std::count(diff.begin(), diff.end(), '\n') == 6003);
}

TEST_CASE("a file is replaced whole, its mode kept, and nothing is left beside it") {
    const TemporaryFolder folder("file-test");
    const auto file = folder.path() / "a/b";
    replace_file(file, "one");
    std::filesystem::permissions(file, std::filesystem::perms(0640));
    replace_file(file, "two");
    CHECK(read_file(file) == "two");
    CHECK(std::filesystem::status(file).permissions() == std::filesystem::perms(0640));
    CHECK(std::distance(std::filesystem::directory_iterator(file.parent_path()), {}) == 1);
    CHECK_THROWS(create_file(file, "three"));
    CHECK_THROWS(read_file(file, 2));
}
