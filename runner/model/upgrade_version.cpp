// SPDX-License-Identifier: Apache-2.0
#include "model/upgrade_version.hpp"

#include <algorithm>
#include <charconv>

#include "model/error.hpp"
#include "model/harmless.hpp"

namespace runner {
namespace {

constexpr std::size_t k_max_length = 128;
constexpr std::size_t k_max_digits = 18;

[[noreturn]] void refuse(std::string_view kind, std::string_view text, const std::string& reason) {
    const std::string shown = shortened(harmless(text), k_max_length);
    throw Error(Failure::usage, "'" + shown + "' is not " + std::string(kind) + ": " + reason);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_identifier_character(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/// Walks over a version's text; every refusal names the whole text.
class Reader {
 public:
    Reader(std::string_view kind, std::string_view text)
        : m_kind(kind), m_text(text), m_rest(text) {
        if (text.size() > k_max_length) {
            refuse(kind, text, "longer than " + std::to_string(k_max_length) + " characters");
        }
        if (text.empty()) refuse(kind, text, "it is empty");
    }

    bool skip(char c) {
        if (m_rest.empty() || m_rest.front() != c) return false;
        m_rest.remove_prefix(1);
        return true;
    }

    std::uint64_t number(const char* name) {
        std::size_t length = 0;
        while (length < m_rest.size() && is_digit(m_rest[length])) ++length;
        if (length == 0)
            fail(std::string("expected MAJOR.MINOR.PATCH, the ") + name + " number is missing");
        if (length > 1 && m_rest.front() == '0')
            fail(std::string("the ") + name + " number has a leading zero");
        if (length > k_max_digits) fail(std::string("the ") + name + " number is too large");
        std::uint64_t value = 0;
        std::from_chars(m_rest.data(), m_rest.data() + length, value);
        m_rest.remove_prefix(length);
        return value;
    }

    SemanticVersion core() {
        SemanticVersion version;
        version.major = number("major");
        dot();
        version.minor = number("minor");
        dot();
        version.patch = number("patch");
        return version;
    }

    /// Up to the next character of `stops`, all of it from `[A-Za-z0-9-.]`.
    std::string_view word(std::string_view stops, const char* name, bool dots) {
        const std::size_t length = std::min(m_rest.find_first_of(stops), m_rest.size());
        const std::string_view found = m_rest.substr(0, length);
        if (found.empty()) fail(std::string("the ") + name + " is empty");
        for (const char c : found) {
            if (is_identifier_character(c) || (dots && c == '.')) continue;
            fail(std::string("the ") + name + " may hold only letters, digits and '-', not '" + c +
                 "'");
        }
        m_rest.remove_prefix(length);
        return found;
    }

    void check_prerelease(std::string_view prerelease) {
        while (true) {
            const std::size_t dot_at = prerelease.find('.');
            const std::string_view part = prerelease.substr(0, dot_at);
            if (part.empty()) fail("the pre-release has an empty part");
            const bool numeric = std::all_of(part.begin(), part.end(), is_digit);
            if (numeric && part.size() > 1 && part.front() == '0') {
                fail("a numeric part of the pre-release has a leading zero");
            }
            if (dot_at == std::string_view::npos) return;
            prerelease.remove_prefix(dot_at + 1);
        }
    }

    [[nodiscard]] bool at_end() const { return m_rest.empty(); }
    [[noreturn]] void fail(const std::string& reason) const { refuse(m_kind, m_text, reason); }
    [[nodiscard]] std::string_view rest() const { return m_rest; }

 private:
    void dot() {
        if (!skip('.')) fail("expected MAJOR.MINOR.PATCH");
    }

    std::string_view m_kind;
    std::string_view m_text;
    std::string_view m_rest;
};

/// Semver section 11.4: numeric parts numerically and below words, a longer list above its prefix.
std::strong_ordering compare_prerelease(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty())
        return a.empty() <=> b.empty();  // a release is above its pre-releases
    while (!a.empty() && !b.empty()) {
        const std::string_view left = a.substr(0, a.find('.'));
        const std::string_view right = b.substr(0, b.find('.'));
        const bool left_numeric = std::all_of(left.begin(), left.end(), is_digit);
        const bool right_numeric = std::all_of(right.begin(), right.end(), is_digit);
        if (left_numeric != right_numeric) {
            return left_numeric ? std::strong_ordering::less : std::strong_ordering::greater;
        }
        if (left_numeric && left.size() != right.size()) return left.size() <=> right.size();
        if (const auto order = left.compare(right); order != 0) return order <=> 0;
        a.remove_prefix(std::min(a.size(), left.size() + 1));
        b.remove_prefix(std::min(b.size(), right.size() + 1));
    }
    return a.size() <=> b.size();
}

}  // namespace

SemanticVersion SemanticVersion::parse(std::string_view text) {
    Reader reader("a version", text);
    reader.skip('v');
    SemanticVersion version = reader.core();
    if (reader.skip('-')) {
        version.prerelease = reader.word("+", "pre-release", true);
        reader.check_prerelease(version.prerelease);
    }
    if (reader.skip('+')) reader.word("+", "build metadata", true);
    if (!reader.at_end()) {
        if (reader.rest().front() == '.') {
            reader.fail("a version without identifier is expected here: MAJOR.MINOR.PATCH");
        }
        reader.fail("unexpected '" + std::string(reader.rest()) + "' at its end");
    }
    return version;
}

std::string SemanticVersion::to_string() const {
    std::string text =
        std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
    if (!prerelease.empty()) text += '-' + prerelease;
    return text;
}

std::strong_ordering SemanticVersion::operator<=>(const SemanticVersion& other) const {
    if (const auto order = major <=> other.major; order != 0) return order;
    if (const auto order = minor <=> other.minor; order != 0) return order;
    if (const auto order = patch <=> other.patch; order != 0) return order;
    return compare_prerelease(prerelease, other.prerelease);
}

UpgradeVersion UpgradeVersion::parse(std::string_view text) {
    Reader reader("an upgrade version", text);
    UpgradeVersion version;
    version.semver = reader.core();
    if (reader.skip('-')) {
        version.semver.prerelease = reader.word(".", "pre-release", false);
        reader.check_prerelease(version.semver.prerelease);
    }
    if (reader.skip('.')) version.identifier = reader.word(".", "identifier", false);
    if (!reader.at_end()) {
        if (reader.rest().front() == '.') reader.fail("an identifier has no dots");
        reader.fail("unexpected '" + std::string(reader.rest()) + "' after the patch number");
    }
    return version;
}

UpgradeVersion UpgradeVersion::from_tag(std::string_view tag) {
    std::string text(tag.substr(!tag.empty() && tag.front() == 'v' ? 1 : 0));
    if (const std::size_t plus = text.find('+'); plus != std::string::npos) text[plus] = '.';
    try {
        return parse(text);
    } catch (const Error& error) {
        throw error.within("tag '" + shortened(harmless(tag), k_max_length) + "'");
    }
}

std::string UpgradeVersion::to_string() const {
    return identifier.empty() ? semver.to_string() : semver.to_string() + '.' + identifier;
}

std::strong_ordering UpgradeVersion::operator<=>(const UpgradeVersion& other) const {
    if (const auto order = semver <=> other.semver; order != 0) return order;
    return identifier.compare(other.identifier) <=> 0;
}

}  // namespace runner
