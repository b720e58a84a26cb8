// SPDX-License-Identifier: Apache-2.0
#include "support/redaction.hpp"

#include <random>

#include "model/error.hpp"
#include "support/catch.hpp"
#include "support/masking.hpp"

using namespace runner;
using test::check_masked;
using test::EncodedSecret;

namespace {

/// Another implementation than the one under test.
std::string base64(const std::string& bytes, bool url = false) {
    const std::string digits =
        std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") +
        (url ? "-_" : "+/");
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

std::string wrapped(const std::string& text, std::size_t length) {
    std::string lines;
    for (std::size_t at = 0; at < text.size(); at += length) {
        if (at > 0) lines += '\n';
        lines += text.substr(at, length);
    }
    return lines;
}

/// Each byte as `format` has it; `ascii`: those that are no ASCII stay.
std::string bytewise(const std::string& bytes, const char* format, bool ascii = false) {
    std::string text;
    for (const char byte : bytes) {
        if (ascii && static_cast<unsigned char>(byte) >= 0x80) {
            text += byte;
            continue;
        }
        std::array<char, 16> one{};
        std::snprintf(one.data(), one.size(), format, static_cast<unsigned char>(byte));
        text += one.data();
    }
    return text;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
    return text;
}

/// The escapes that JSON must have (RFC 8259, section 7).
std::string json(const std::string& text) {
    return replaced(replaced(replaced(text, "\\", "\\\\"), "\"", "\\\""), "\n", "\\n");
}

Redactor of(const std::string& secret) {
    Redactor redactor;
    redactor.add("the secret", secret);
    return redactor;
}

std::vector<EncodedSecret> encodings_of(const std::string& secret) {
    const std::string base = base64(secret);
    std::vector<EncodedSecret> all{
        {"as it is", secret},
        {"between others", "x=" + secret + ";", 3},
        {"CRLF", replaced(secret, "\n", "\r\n")},
        {"indented", replaced(secret, "\n", "\n    ")},
        {"in a diff", "+" + replaced(secret, "\n", "\n+"), 8},
        {"JSON", json(secret), 0, 2},
        {"JSON in JSON", json(json(secret)), 0, 4},
        {"JSON in JSON in JSON", json(json(json(secret))), 0, 8},
        {"JSON with slashes", replaced(json(secret), "/", "\\/"), 0, 2},
        {"URL", bytewise(secret, "%%%02X"), 0, 3},
        {"URL, lower case", bytewise(secret, "%%%02x"), 0, 3},
        {"URL in URL", replaced(bytewise(secret, "%%%02X"), "%", "%25"), 0, 5},
        {"HTML, decimal", bytewise(secret, "&#%d;", true), 0, 6},
        {"HTML, hexadecimal", bytewise(secret, "&#x%x;", true), 0, 6},
        {"C", bytewise(secret, "\\x%02x"), 0, 4},
        {"octal", bytewise(secret, "\\%03o"), 0, 4},
        {"shell", "'" + replaced(secret, "'", "'\\''") + "'", 2, 4},
        {"shell in JSON", json("'" + replaced(secret, "'", "'\\''") + "'"), 2, 5},
        {"YAML, single quotes", "'" + replaced(secret, "'", "''") + "'", 2, 2},
        {"hexadecimal", bytewise(secret, "%02x"), 0, 3},
        {"hexadecimal, upper case", "0x" + bytewise(secret, "%02X"), 2, 3},
        {"hexadecimal at an odd place", "a" + bytewise(secret, "%02x"), 1, 3},
        {"hexadecimal with colons", bytewise(secret, "%02x:"), 1, 3},
        {"hexadecimal with blanks", bytewise(secret, "%02x "), 1, 3},
        {"a list of bytes", bytewise(secret, "0x%02x, "), 9, 6},
        {"base64 of JSON", base64("{\"p\": \"" + json(secret) + "\"}"), 16, 4},
        {"base64 of base64", base64("{\"auth\": \"" + base + "\"}"), 30, 4},
        {"base64 in a URL", replaced(replaced(base, "+", "%2B"), "/", "%2f"), 4, 4},
        {"base64 in HTML", replaced(base, "+", "&#43;"), 4, 7},
        {"base64 in JSON, in lines", json(wrapped(base, 16)), 4 + 2 * (base.size() / 16), 4},
    };
    for (const std::string before : {"", "x", "xy", "xyz", "user:"}) {
        const std::string text = before + secret + "tail";
        const std::size_t around = (before.size() + 4) * 4 / 3 + 4;
        all.push_back({"base64", base64(text), around, 2});
        all.push_back({"base64 for URLs", base64(text, true), around, 2});
        for (const std::size_t length : {1U, 5U, 19U, 64U, 76U})
            all.push_back({"base64 in lines", wrapped(base64(text), length), around + 4, 2});
    }
    return all;
}

}  // namespace

TEST_CASE("a secret is masked in all encodings, however its lines are broken") {
    for (const std::string secret :
         {"p@ss w\xc3\xb6rd/\"1+", "hunter2-hunter3-hunter4", "hunter'2&<\"3-\\hunter4",
          "a'b\"c\\d$e`f<g>&h=i j", "12345678", "\xf0\x9f\x94\x91key\xe2\x80\xa8!",
          "+/+/=~?%41\\u0041&lt;",
          "-----BEGIN KEY-----\nMIIEvQIBADANBgkq+/kiG9w0BAQ\nAAAA==\n-----END KEY-----"}) {
        const Redactor redactor = of(secret);
        for (const EncodedSecret& encoded : encodings_of(secret)) check_masked(redactor, encoded);
    }
}

TEST_CASE("only the secret is masked") {
    const Redactor redactor = of("p@ss w\xc3\xb6rd/\"1+");
    CHECK(redactor.mask("the p@ss w\xc3\xb6rd/\"1+ is") == "the *** is");
    CHECK(redactor.mask("https://u:p%40ss%20w%C3%B6rd%2F%221%2B@h") == "https://u:***@h");
    CHECK(redactor.mask("q=p%40ss+w%c3%B6rd%2F%221%2B&x") == "q=***&x");
    CHECK(redactor.mask(R"({"p": "p@ss wörd/\"1+"})") == R"({"p": "***"})");
    CHECK(redactor.mask(R"({"p": "p@ss w\u00F6rd\/\u00221\u002b"})") == R"({"p": "***"})");
    CHECK(redactor.mask("nothing here, 100% & more: \\o/") == "nothing here, 100% & more: \\o/");
    CHECK(redactor.mask("p@ss") == "p@ss");
    CHECK_FALSE(redactor.finds_in("p@ss"));
    CHECK(redactor.finds_in("p@ss w\xc3\xb6rd/\"1+"));
    CHECK(Redactor().mask("anything") == "anything");
    CHECK_FALSE(Redactor().finds_in("anything"));
}

TEST_CASE("each escape of the languages is known") {
    const Redactor redactor = of("\xf0\x9f\x94\x91-key-\xc3\xb6-end");
    for (const char* text :
         {R"(\ud83d\udd11-key-\u00f6-end)", R"(\uD83D\uDD11-key-\u00F6-end)",
          R"(\\ud83d\\udd11-key-\\u00f6-end)", R"(\u{1f511}-key-\u{F6}-end)",
          R"(\U0001f511-key-\U000000F6-end)", R"(\U0001f511-key-\xf6-end)",
          R"(\xf0\x9f\x94\x91-key-\xc3\xb6-end)", R"(\360\237\224\221-key-\303\266-end)",
          R"(\udcf0\udc9f\udc94\udc91-key-\udcc3\udcb6-end)", "&#128273;-key-&#246;-end",
          "&#x1f511;-key-&#xF6;-end", "%F0%9f%94%91-key-%c3%B6-end",
          R"(\u{1f511}\x2dkey\055&#246;%2dend)"}) {
        INFO(text);
        CHECK(redactor.mask("a " + std::string(text) + " b") == "a *** b");
        const std::string whole = text;
        for (std::size_t at = 1; at < whole.size(); ++at) {
            LineRedactor lines(redactor);
            const std::string shown = test::pushed(lines, {whole.substr(0, at), whole.substr(at)});
            INFO(shown);
            CHECK(test::left_of(shown) <= 4 * 12);
            CHECK(shown.find("end") == std::string::npos);
        }
    }
    const Redactor controls = of("a\x1b-b\a-c\b-d\xc2\x85-e\xc2\xa0-f\xe2\x80\xa8-g\xe2\x80\xa9");
    CHECK(controls.mask(R"(a\e-b\a-c\b-d\N-e\_-f\L-g\P)") == "***");
    // What is no escape stands for itself.
    const Redactor broken = of("it's %zz \\uzzzz \\u{zz} &none; &#xzz; \\ud83dx \\ud83d\\u0041");
    CHECK(broken.mask("a it's %zz \\uzzzz \\u{zz} &none; &#xzz; \\ud83dx \\ud83d\\u0041 b") ==
          "a *** b");
}

TEST_CASE("the longest of several secrets is masked where one begins with another") {
    Redactor redactor;
    for (const char* secret : {"hunter", "hunter2-long", "hunter2", "unter2-longer"})
        redactor.add("s", secret);
    CHECK(redactor.mask("a hunter2-lo b") == "a ***-lo b");
    CHECK(redactor.mask("a hunter2-long b") == "a *** b");
    CHECK(redactor.mask("a hunterx b") == "a ***x b");
    CHECK(redactor.mask("a hunter2-longer b") == "a *** b");
}

TEST_CASE("each line of a secret is one by itself, and each piece of a long one") {
    std::mt19937 random(11);  // NOLINT: seeded on purpose
    std::string secret;
    for (int i = 0; i < 3000; ++i) secret += static_cast<char>('a' + random() % 26);
    const Redactor redactor = of("first line\nabc\nlast line\r\n" + secret);
    CHECK(redactor.mask("it says last line only") == "it says *** only");
    CHECK(redactor.mask("abc first line") == "abc ***");
    CHECK(redactor.mask(secret) == "***");
    CHECK(redactor.mask(base64(secret)).size() <= 8);
    // Amid it, less than a piece at either end is left.
    CHECK(redactor.mask(secret.substr(100, 500)).size() < 64 + 3);
}

TEST_CASE("a secret broken over lines is masked, in a diff and behind an indentation too") {
    const Redactor redactor = of("hunter2-hunter3-hunter4");
    CHECK(redactor.mask("a hunter2-hun\nter3-hunter4 b") == "a ***\n*** b");
    CHECK(redactor.mask("+  key: hunter2-hunter3\n+    -hunter4\n") == "+  key: ***\n+    ***\n");
    CHECK(redactor.mask("-  key: hunter2-hunter3\n-    -hunter4\n") == "-  key: ***\n-    ***\n");
    CHECK(of("one next").mask("echo one\\ next") == "echo ***");
    CHECK(redactor.mask("hunter2-hunter3\\\n    -hunter4") == "***\n***");
    CHECK(redactor.mask("h u n t e r 2-hunter3-hunter4") == "***");
}

TEST_CASE("a text that was cut is masked where a secret may go on") {
    const Redactor redactor = of("hunter2-hunter3");
    CHECK(redactor.mask("it is hunt", TextEnd::cut) == "it is ***");
    CHECK(redactor.mask("it is hunter2%2dhun%7", TextEnd::cut) == "it is ***");
    CHECK(redactor.mask("it is hun", TextEnd::cut) == "it is hun");
    CHECK(redactor.mask("it is hunt") == "it is hunt");
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
    const auto other = lines.push(1, "and goes on otherwise");
    REQUIRE(other.size() == 2);
    CHECK(other[0].second == "begins with hunt");
    const Redactor none;
    LineRedactor free(none);
    CHECK(free.push(1, "anything").size() == 1);
}

TEST_CASE("what may be the beginning of a secret is never shown, and what follows it neither") {
    const Redactor redactor = of("hunter2-hunter3");
    LineRedactor lines(redactor);
    CHECK(lines.push(1, "begins with hunt").empty());
    CHECK(lines.flush().front().second == "begins with ***");
    // It was given out amid the secret: the rest is masked all the same.
    CHECK(test::pushed(lines, {"er2-hunter3 and ends"}) == "*** and ends\n");
    // Three bytes are too few to be held; the rest is masked.
    CHECK(lines.push(1, "hun").size() == 1);
    CHECK(test::pushed(lines, {"ter2-hunter3."}) == "***.\n");
    CHECK(lines.push(1, "aHV").size() == 1);
    CHECK(test::pushed(lines, {"udGVyMi1odW50ZXIz"}).size() <= 8);
}

TEST_CASE("what is held is bounded in lines and in bytes, and masked beyond") {
    const Redactor redactor = of("hunter2-hunter3");
    for (const auto& [filler, most] :
         {std::pair(std::string(), 300), {std::string(1000, ' '), 12}}) {
        LineRedactor lines(redactor);
        CHECK(lines.push(1, "x hunter2-").empty());
        std::size_t held = 1;
        std::vector<LineRedactor::Line> shown;
        while (shown.empty() && held < 1000) {
            shown = lines.push(1, filler);
            ++held;
        }
        REQUIRE(held < static_cast<std::size_t>(most));
        REQUIRE(shown.size() == held);
        CHECK(shown.front().second == "x ***");
        CHECK(test::pushed(lines, {"hunter3 end"}) == "*** end\n");
    }
}

TEST_CASE("wherever and however a secret is broken, nothing of four bytes of it is left") {
    std::mt19937 random(7);  // NOLINT: seeded on purpose
    for (int round = 0; round < 300; ++round) {
        std::string secret;
        for (std::size_t i = 0; i < 8 + random() % 80; ++i)
            secret += static_cast<char>('a' + random() % 26);
        const Redactor redactor = of(secret);
        const std::vector<EncodedSecret> encodings = encodings_of(secret);
        const EncodedSecret& encoded = encodings[random() % encodings.size()];
        // In pieces of a few bytes it is not recognised as a text that is encoded once more.
        if (encoded.how == "base64 of base64") continue;
        std::vector<std::string> pieces{"before"};
        for (std::size_t at = 0; at < encoded.text.size();) {
            const std::size_t length = 1 + random() % 20;
            pieces.push_back(encoded.text.substr(at, length));
            at += length;
        }
        LineRedactor lines(redactor);
        const std::string shown = test::pushed(lines, pieces);
        INFO(encoded.how << ": " << encoded.text << "\nshown: " << shown);
        CHECK(test::left_of(shown) <= 6 + test::most_left_of(encoded));
    }
}

TEST_CASE("a text that is looked through in pieces hides no secret where two of them meet") {
    const std::string secret = "p@ss w\xc3\xb6rd/\"1+";
    const Redactor redactor = of(secret);
    for (const std::string& encoded : {secret, base64("user:" + secret), bytewise(secret, "%%%02x"),
                                       bytewise(secret, "&#%d;", true)}) {
        for (std::size_t before = 0; before < encoded.size(); before += 7) {
            const std::string filler((256U << 10U) - before, '.');
            const std::string masked = redactor.mask(filler + encoded + filler);
            CHECK(masked.size() <= 2 * filler.size() + 3 + 8);
        }
    }
}

TEST_CASE("a secret too short to be masked is refused by its name, without being shown") {
    for (const char* secret : {"abc", "", " a b\nc "}) {
        Redactor redactor;
        try {
            redactor.add("0.1.0: 'token'", secret);
            FAIL("it was taken");
        } catch (const Error& error) {
            CHECK(std::string(error.what()) ==
                  "0.1.0: 'token': a secret of fewer than 4 bytes, blanks aside, could not be kept "
                  "out of the logs");
        }
        redactor.add_if_long_enough(secret);
        CHECK(redactor.empty());
    }
    Redactor redactor;
    redactor.add_if_long_enough("abcd");
    CHECK(redactor.mask("abcd") == "***");
}
