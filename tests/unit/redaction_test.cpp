// SPDX-License-Identifier: Apache-2.0
#include "support/redaction.hpp"

#include <random>

#include "model/error.hpp"
#include "support/catch.hpp"

using namespace runner;

namespace {

/// Another implementation than the one under test.
std::string base64(const std::string& bytes) {
    static const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group = group << 8U |
                    (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j)
            text += i + j > bytes.size() ? '=' : digits[(group >> (18 - 6 * j)) & 63U];
    }
    return text;
}

Redactor of(const std::string& secret) {
    Redactor redactor;
    redactor.add(secret);
    return redactor;
}

}  // namespace

TEST_CASE("a secret is masked as it is, in base64 at any offset, in URLs and in JSON") {
    const std::string secret = "p@ss wörd/\"1+";
    const Redactor redactor = of(secret);
    CHECK(redactor.mask("the " + secret + " is") == "the *** is");
    CHECK(redactor.mask("https://u:p%40ss%20w%C3%B6rd%2F%221%2B@h") == "https://u:***@h");
    CHECK(redactor.mask("https://u:p%40ss%20w%c3%b6rd%2f%221%2b@h") == "https://u:***@h");
    CHECK(redactor.mask(R"({"p": "p@ss wörd/\"1+"})") == R"({"p": "***"})");
    for (const char* before : {"", "x", "xy", "xyz"}) {
        for (const char* after : {"", "x", "xy"}) {
            const std::string text = base64(before + secret + after);
            INFO(text);
            const std::string masked = redactor.mask(text);
            CHECK(masked != text);
            CHECK(masked.size() <= text.size() - 12);
        }
    }
    CHECK(redactor.mask("nothing here") == "nothing here");
}

TEST_CASE("a secret broken over lines is masked, in a diff and behind an indentation too") {
    const Redactor redactor = of("hunter2-hunter3-hunter4");
    CHECK(redactor.mask("a hunter2-hun\nter3-hunter4 b") == "a ***\n*** b");
    CHECK(redactor.mask("+  key: hunter2-hunter3\n+    -hunter4\n") == "+  key: ***\n+    ***\n");
    const std::string wrapped = base64("some text before hunter2-hunter3-hunter4 and after");
    CHECK(redactor.finds_in(wrapped.substr(0, 30) + '\n' + wrapped.substr(30)));
}

TEST_CASE("a stream of lines holds back only what may go on") {
    const Redactor redactor = of("hunter2-hunter3");
    LineRedactor lines(redactor);
    CHECK(lines.push(1, "plain").size() == 1);
    CHECK(lines.push(1, "begins with hunt").empty());
    const auto shown = lines.push(2, "er2-hunter3 and ends");
    REQUIRE(shown.size() == 2);
    CHECK(shown[0] == LineRedactor::Line(1, "begins with ***"));
    CHECK(shown[1] == LineRedactor::Line(2, "*** and ends"));
    CHECK(lines.push(1, "begins with hunt").empty());
    CHECK(lines.flush().front().second == "begins with hunt");
    const Redactor none;
    LineRedactor free(none);
    CHECK(free.push(1, "anything").size() == 1);
}

TEST_CASE("wherever and however a secret is broken, nothing of four bytes of it is left") {
    std::mt19937 random(7);  // NOLINT: seeded on purpose
    for (int round = 0; round < 300; ++round) {
        std::string secret;
        for (std::size_t i = 0; i < 8 + random() % 30; ++i)
            secret += static_cast<char>('a' + random() % 26);
        const Redactor redactor = of(secret);
        std::string text = "before " + secret + " after";
        const std::size_t at = 7 + random() % secret.size();
        text.insert(at, "\n  ");
        const std::string masked = redactor.mask(text);
        for (std::size_t i = 0; i + 4 <= secret.size(); ++i)
            CHECK(masked.find(secret.substr(i, 4)) == std::string::npos);
    }
}

TEST_CASE("a secret too short to be masked is refused, without being named") {
    Redactor redactor;
    try {
        redactor.add("abc");
        FAIL("it was taken");
    } catch (const Error& error) {
        CHECK(std::string(error.what()).find("abc") == std::string::npos);
    }
}
