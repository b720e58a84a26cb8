// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>

#include "support/catch.hpp"

#include "model/error.hpp"
#include "releases/archive.hpp"
#include "releases/checksums.hpp"
#include "releases/directory_source.hpp"
#include "releases/forge_reply.hpp"
#include "releases/http_client.hpp"
#include "releases/release_index.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"

using namespace runner;

namespace {

const std::string k_hex(64, 'a');

struct TarEntry {
    std::string name;
    std::string content;
    unsigned type = AE_IFREG;
    std::string link = {};
};

/// An uncompressed tar, byte by byte, so that it can hold what no writer would write.
std::string tar(const std::vector<TarEntry>& entries) {
    std::string bytes;
    for (const TarEntry& entry : entries) {
        std::string header(512, '\0');
        const auto put = [&](std::size_t at, const std::string& text) {
            header.replace(at, text.size(), text);
        };
        char size[13];
        std::snprintf(size, sizeof(size), "%011zo", entry.content.size());
        put(0, entry.name);
        put(100, "0000755");
        put(108, "0000000");
        put(116, "0000000");
        put(124, size);
        put(136, "00000000000");
        put(156, entry.type == AE_IFDIR   ? "5"
                 : entry.type == AE_IFLNK ? "2"
                 : !entry.link.empty()    ? "1"
                                          : "0");
        put(157, entry.link);
        put(257, std::string("ustar\0", 6) + "00");
        put(148, "        ");
        unsigned sum = 0;
        for (const char c : header) sum += static_cast<unsigned char>(c);
        char checksum[8];
        std::snprintf(checksum, sizeof(checksum), "%06o", sum);
        put(148, std::string(checksum) + std::string("\0 ", 2));
        bytes += header + entry.content;
        bytes.resize((bytes.size() + 511) / 512 * 512, '\0');
    }
    bytes.resize(bytes.size() + 1024, '\0');
    return bytes;
}

}  // namespace

TEST_CASE("checksums are read strictly") {
    CHECK(parse_checksums(k_hex + "  a.tar.gz\n" + k_hex + " *b\n", "f").size() == 2);
    const auto [text, reason] = GENERATE(table<std::string, std::string>({
        {"abc  a\n", "line 1"},
        {k_hex + " a\n", "line 1"},
        {k_hex + "  a\n" + k_hex + "  a\n", "line 2: 'a' is there twice"},
        {k_hex + "  ../a\n", "plain file name"},
        {k_hex + "  a\x1b\n", "plain file name"},
        {"<html>\n", "line 1"},
    }));
    CHECK_THROWS_WITH(parse_checksums(text, "checksums"),
                      Catch::Contains("checksums") && Catch::Contains(reason));
}

TEST_CASE("an archive with the one expected file is read, and made again the same") {
    const std::string archive = make_archive({"upgrade_0.0.1.so", "content"});
    CHECK(read_archive(archive, {"upgrade_0.0.1.so"}, "a").content == "content");
    CHECK(make_archive({"upgrade_0.0.1.so", "content"}) == archive);
}

TEST_CASE("hostile archives are refused by what is wrong with them") {
    const auto refuses = [](const std::string& archive, const std::string& reason) {
        CHECK_THROWS_WITH(read_archive(archive, {"good"}, "the archive"),
                          Catch::Contains("the archive is refused") && Catch::Contains(reason));
    };
    refuses(tar({{"good", "x"}, {"good", "y"}}), "several files");
    refuses(tar({{"../good", "x"}}), "'../good'");
    refuses(tar({{"/good", "x"}}), "'/good'");
    refuses(tar({{"good", "", AE_IFLNK, "/etc/passwd"}}), "link");
    refuses(tar({{"good", "", AE_IFREG, "other"}}), "link");
    refuses(tar({{"good", "", AE_IFDIR}}), "not a regular file");
    refuses(tar({}), "empty");
    refuses("garbage", "");
    refuses(make_archive({"good", std::string(3000, 'x')}).substr(0, 40), "");
    refuses(make_archive({"good", std::string(64U << 20U, '\0')}), "1000 times");
}

TEST_CASE("forge replies are read, and broken ones refused") {
    const std::string good = R"([{"tag_name":"0.0.1","prerelease":true,"body":"notes","assets":[
        {"id":1,"name":"a","url":"https://api/repos/o/r/releases/assets/1","browser_download_url":"https://h/a","size":3,
         "state":"uploaded","digest":"sha256:)" +
                             k_hex + R"("}]},
        {"tag_name":"0.0.2","draft":true,"assets":[{"name":"b","browser_download_url":"https://h/b"}]}])";
    const auto releases = parse_forge_releases(good, "reply");
    CHECK(releases.at(0).assets.at(0).url == "https://api/repos/o/r/releases/assets/1");
    CHECK(releases.at(0).assets.at(0).digest->to_string() == k_hex);
    CHECK(releases.at(1).draft);
    CHECK(releases.at(1).assets.at(0).url == "https://h/b");
    for (
        const char* bad :
        {"{}", "[1]", "[{}]", "<html>", R"([{"tag_name":5}])", R"([{"tag_name":"a","assets":{}}])",
         R"([{"tag_name":"a","assets":[{"name":"x","browser_download_url":"u","digest":"md5:1"}]}])"}) {
        CAPTURE(bad);
        CHECK_THROWS_WITH(parse_forge_releases(bad, "the reply"), Catch::Contains("the reply"));
    }
}

TEST_CASE("the next page is the Link header's") {
    CHECK(next_page(R"(<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next")") ==
          "https://a/x?page=3");
    CHECK(next_page(R"(<https://a/x?page=1>; rel="last")").empty());
    CHECK(next_page("garbage").empty());
}

TEST_CASE("plain http is for loopback alone") {
    CHECK(url_problem("https://example.com/x").empty());
    CHECK(url_problem("http://127.0.0.1:8080/x").empty());
    CHECK(url_problem("http://[::1]:8080/x").empty());
    CHECK_FALSE(url_problem("http://example.com/x").empty());
    CHECK_FALSE(url_problem("http://127.0.0.1.example.com@evil/x").empty());
    CHECK_FALSE(url_problem("ftp://example.com/x").empty());
    CHECK_FALSE(url_problem("http://127.example.com/x").empty());
}

TEST_CASE("what is tried again, and after how long") {
    const auto reply = [](int status, std::map<std::string, std::string> headers = {}) {
        HttpReply made;
        made.status = status;
        made.headers = std::move(headers);
        return made;
    };
    CHECK(retry_delay_ms(reply(500), 1, 0) == 250);
    CHECK(retry_delay_ms(reply(500), 3, 0) == 1000);
    CHECK(retry_delay_ms(reply(0), 1, 0) == 250);
    CHECK_FALSE(retry_delay_ms(reply(404), 1, 0));
    CHECK_FALSE(retry_delay_ms(reply(403), 1, 0));
    CHECK(retry_delay_ms(reply(429, {{"retry-after", "2"}}), 1, 0) == 2000);
    CHECK(retry_delay_ms(reply(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "110"}}),
                         1, 100) == 11000);
    CHECK_FALSE(retry_delay_ms(
        reply(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "9999"}}), 1, 100));
    CHECK(retry_delay_ms(reply(429), 1, 0) == 60000);
}

TEST_CASE("an index reads back, and a damaged or foreign one is no index") {
    const TemporaryFolder folder("index-test");
    const auto file = folder.path() / "i";
    ReleaseIndex::save(file, "key", "header",
                       {{"0.0.1+a", "", "detail", Digest::parse(k_hex), false, true},
                        {"nightly", "bad", "", std::nullopt, false, false}});
    const auto index = ReleaseIndex::load(file, "key");
    REQUIRE(index);
    CHECK(index->header() == "header");
    CHECK(index->entries().at(0).to_release().version->to_string() == "0.0.1.a");
    CHECK(index->entries().at(0).detail == "detail");
    CHECK_FALSE(index->entries().at(1).to_release().version);
    CHECK_FALSE(ReleaseIndex::load(file, "other"));
    const std::string bytes = read_file(file);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        replace_file(file, bytes.substr(0, length), Durability::replaceable);
        CHECK_FALSE(ReleaseIndex::load(file, "key"));
    }
}
