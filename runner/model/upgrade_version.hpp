// SPDX-License-Identifier: Apache-2.0
// Versions: of clusters and targets (semver) and of upgrades (semver with an optional identifier).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace runner {

/// A Semantic Versioning 2.0 version without build metadata. Precedence: semver.org, section 11.
struct SemanticVersion {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::uint64_t patch = 0;
    std::string prerelease;  ///< without the dash; empty for a release

    /// Reads `[v]MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]`; build metadata is accepted and dropped,
    /// since it has no precedence. Throws Error{usage} that names `text` and the reason.
    static SemanticVersion parse(std::string_view text);

    [[nodiscard]] std::string to_string() const;

    std::strong_ordering operator<=>(const SemanticVersion& other) const;
    bool operator==(const SemanticVersion& other) const = default;
};

/// The version of an upgrade: `<semver>[.<identifier>]`.
/// Here the pre-release is free of dots, so that the identifier is unambiguous.
struct UpgradeVersion {
    SemanticVersion semver;
    std::string identifier;  ///< `[A-Za-z0-9-]+`, or empty

    /// Reads the dotted form, `0.0.65.loki-pvc`. Throws Error{usage} that names `text` and the
    /// reason.
    static UpgradeVersion parse(std::string_view text);

    /// Reads a release tag: a leading `v` is dropped and the first `+` is a `.`.
    static UpgradeVersion from_tag(std::string_view tag);

    [[nodiscard]] std::string to_string() const;

    /// Semver precedence first, then the identifier, bytewise, none first.
    std::strong_ordering operator<=>(const UpgradeVersion& other) const;
    bool operator==(const UpgradeVersion& other) const = default;
};

}  // namespace runner
