// SPDX-License-Identifier: Apache-2.0
#include "model/harmless.hpp"

#include <algorithm>
#include "support/catch.hpp"

#include "model/error.hpp"
#include "model/json.hpp"
#include "support/nasty_text.hpp"
#include "support/output.hpp"
#include "support/text.hpp"

using namespace runner;

namespace {

std::string utf8(std::uint32_t code_point) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
    const auto next = [&](unsigned shift) { return byte(0x80U | (code_point >> shift & 0x3FU)); };
    if (code_point < 0x80) return {byte(code_point)};
    if (code_point < 0x800) return {byte(0xC0U | code_point >> 6U), next(0)};
    if (code_point < 0x10000) return {byte(0xE0U | code_point >> 12U), next(6), next(0)};
    return {byte(0xF0U | code_point >> 18U), next(12), next(6), next(0)};
}

/// What nobody must find in anything that is shown: the list of the security model, as it stands
/// there, not as the program has it.
bool is_named_in_the_model(std::uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || c == 0x2060 || (c >= 0x2066 && c <= 0x2069) ||
           c == 0xFEFF || (c >= 0xE0000 && c <= 0xE007F);
}

/// The columns of a row, counted as the widest terminal does.
std::size_t most_columns(const std::string& row) {
    std::size_t columns = 0;
    for (std::string_view rest = row; !rest.empty();) {
        const std::size_t length = first_character(rest).length;
        columns += rest.front() == '\t' ? 8U : length > 1 ? 2U : 1U;
        rest.remove_prefix(length);
    }
    return columns;
}

}  // namespace

TEST_CASE("what would hide or forge something is shown as an escape") {
    for (const test::NastyText& nasty : test::nasty_texts()) {
        CAPTURE(nasty.shown);
        CHECK(harmless(nasty.text) == nasty.shown);
        CHECK(harmless("a" + nasty.text + "b") == "a" + nasty.shown + "b");
        CHECK(harmless_lines("a\n\t" + nasty.text + "\n") == "a\n\t" + nasty.shown + "\n");
    }
    CHECK(harmless("one\ntwo\tthree") == "one\\ntwo\\tthree");
    CHECK(harmless("one\ntwo\tthree", Tabs::kept) == "one\\ntwo\tthree");
}

TEST_CASE("letters of all scripts stay as they are") {
    for (const char* text :
         {"grüße", "Ελληνικά", "русский", "עברית", "العربية", "हिन्दी", "ไทย", "日本語", "한국어",
          "ქართული", "ᠮᠣᠩᠭᠣᠯ", "e\xCC\x81",
          "naïve – “quoted” … → ✓ ⚠\xEF\xB8\x8F 🙂", "\\ ' \" $"}) {
        CAPTURE(text);
        CHECK(harmless(text) == text);
    }
}

TEST_CASE(
    "of every character: nothing that is named in the security model is left, and nothing is lost "
    "in JSON") {
    for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        const std::string text = utf8(c);
        const std::string shown = harmless(text);
        const std::string json = dump_json(Json(text));
        if (is_named_in_the_model(c)) {
            if (shown.front() != '\\' || test::first_harmful(json) != std::string::npos) FAIL(c);
        }
        if (harmless(shown) != shown || test::first_harmful(shown) != std::string::npos) FAIL(c);
        if (parse_json(json, "it").get<std::string>() != text) FAIL(c);
    }
}

TEST_CASE("bytes that are no UTF-8 are shown one by one") {
    for (int first = 0x80; first < 0x100; ++first) {
        const char byte = static_cast<char>(first);
        const std::string shown = harmless(std::string(1, byte) + "x");
        CAPTURE(first);
        CHECK(shown.size() == 5);
        CHECK(shown.substr(0, 2) == "\\x");
    }
}

TEST_CASE("an error is one line, whatever names are in it, or a line for each problem") {
    const std::string name = "file\nerror: forged\x1b[2K";
    const Error error(Failure::preparation, "cannot read " + name, "look at " + name);
    CHECK(std::string(error.what()) == "cannot read file\\nerror: forged\\x1b[2K");
    CHECK(error.next() == "look at file\\nerror: forged\\x1b[2K");
    CHECK(std::string(error.within(name).what()).find('\n') == std::string::npos);
    const Error both = Error::of_lines(Failure::usage, {"one " + name, "two"}).within("config");
    CHECK(std::string(both.what()) == "config: one file\\nerror: forged\\x1b[2K\ntwo");
    CHECK(std::string(both.as(Failure::refused).what()) == both.what());
    CHECK(std::string(both.followed_by("three", "").what()) ==
          both.what() + std::string("; three"));
}

TEST_CASE("a text is cut at a character, and says so") {
    CHECK(shortened("12345", 5) == "12345");
    CHECK(shortened("123456", 5) == "12345 [cut]");
    CHECK(shortened("1234\xC3\xA9", 5) == "1234 [cut]");
}

TEST_CASE("a line that is too long for a terminal is broken into rows that show it") {
    const std::string line = "  +conf: " + std::string(50, 'x') +
                             " Upgrade complete. \tgr\xC3\xBC\xC3\x9F" + std::string(30, ' ') +
                             "\xE6\xBC\xA2\xE5\xAD\x97 end";
    for (std::size_t width = 1; width < 200; ++width) {
        const std::vector<std::string> rows = rows_of(line, width);
        std::string whole = rows.front();
        for (std::size_t i = 1; i < rows.size(); ++i) {
            CHECK(rows[i].substr(0, k_row_goes_on.size()) == k_row_goes_on);
            whole += rows[i].substr(k_row_goes_on.size());
        }
        CHECK(whole == line);
        if (width < 20) continue;
        for (const std::string& row : rows) CHECK(most_columns(row) < width);
    }
    CHECK(rows_of(line, 0) == std::vector<std::string>{line});
    CHECK(rows_of("", 80) == std::vector<std::string>{""});
}

TEST_CASE("words of a command are quoted only where a shell needs it") {
    CHECK(shell_command({"kubectl", "apply", "--dry-run=client", "-f", "a/b.yaml"}) ==
          "kubectl apply --dry-run=client -f a/b.yaml");
    CHECK(shell_command({"echo", "", "a b", "it's", "$(x)", "a=b", "*"}) ==
          R"(echo '' 'a b' 'it'\''s' '$(x)' 'a=b' '*')");
    CHECK(shell_command({"echo", "one\ntwo", "\x1b[2K7", "\xE2\x80\xAE'\\"}) ==
          R"(echo $'one\ntwo' $'\033[2K7' $'\342\200\256\'\\')");
    CHECK(shell_command({"time", "if"}) == "'time' if");
}
