// SPDX-License-Identifier: Apache-2.0
#include "releases/trust.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "model/error.hpp"
#include "model/harmless.hpp"
#include "releases/minisign.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

/// `2026-01-31T23:59:59Z`, with a fraction or an offset if need be.
bool looks_like_time(std::string_view text) {
    constexpr std::string_view k_shape = "dddd-dd-ddTdd:dd:dd";
    if (text.size() <= k_shape.size() || text.size() > 40) return false;
    for (std::size_t i = 0; i < k_shape.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (k_shape[i] == 'd' ? !digit : text[i] != k_shape[i]) return false;
    }
    return text.find_first_not_of("0123456789.:+-Z", k_shape.size()) == std::string_view::npos;
}

/// Key ids of texts that are ids or whole public keys.
std::string id_of(const std::string& text, const std::string& what) {
    constexpr std::size_t k_id_digits = 16;
    return text.size() == k_id_digits ? text : to_string(PublicKey::parse(text, what).id);
}

}  // namespace

std::string trusted_comment(const std::string& repository, const std::string& tag,
                            const std::string& version, const std::string& time) {
    return "repository:" + repository + " tag:" + tag + " version:" + version + " time:" + time;
}

TrustPolicy TrustPolicy::of(const ClusterConfig& config) {
    TrustPolicy policy;
    policy.verification = config.verification;
    policy.repository = config.releases.repository;
    policy.config = config.file.string();
    policy.keys = config.public_keys;
    policy.revoked = config.revoked_keys;
    if (policy.verification != Verification::enabled) return policy;
    if (policy.keys.empty()) {
        throw Error(
            Failure::usage,
            policy.config + ": trust.verification is enabled, and trust.publicKeys names no key",
            "name the public keys of those who release upgrades for this cluster, or set "
            "trust.verification to disabled, knowing that digests alone are checked then");
    }
    const bool git = config.releases.source == SourceKind::git;
    for (const std::string& key : policy.keys) {
        if (git == (key.rfind("RW", 0) == 0 && key.find(' ') == std::string::npos))
            throw Error(Failure::usage,
                        policy.config + ": trust.publicKeys: '" + shortened(harmless(key), 24) +
                            "' is not of the kind that this source needs",
                        git ? "tags are signed with OpenSSH keys: ssh-ed25519 AAAA…"
                            : "releases are signed with minisign keys: RW…");
    }
    if (git) return policy;  // a tag's signature is in the repository that it is of
    if (policy.repository.empty()) {
        throw Error(
            Failure::usage,
            policy.config + ": trust.verification is enabled, and releases.repository is missing",
            "name the OWNER/NAME that the signatures are made for");
    }
    return policy;
}

Signer TrustPolicy::judge(const Release& release, std::string_view checksums,
                          std::string_view signature) const {
    const std::string what = "release '" + release.tag + "': its signature";
    const auto refuse = [&](const std::string& reason, const std::string& next = {}) {
        throw Error(Failure::preparation, what + ' ' + reason, next);
    };
    const Signature parsed = Signature::parse(signature, what);
    const std::string id = to_string(parsed.key_id);
    const bool is_revoked = std::any_of(revoked.begin(), revoked.end(), [&](const auto& text) {
        return id_of(text, config + ": trust.revokedKeys") == id;
    });
    if (is_revoked)
        refuse("is by the key " + id + ", which is revoked",
               "ask the release's author to sign it anew with another key");
    std::optional<PublicKey> key;
    std::vector<std::string> known;
    for (const std::string& text : keys) {
        const PublicKey candidate = PublicKey::parse(text, config + ": trust.publicKeys");
        if (candidate.id == parsed.key_id) key = candidate;
        known.push_back(to_string(candidate.id));
    }
    if (!key) {
        refuse("is by the key " + id + ", which is not among trust.publicKeys (" +
               (known.empty() ? "there is none" : join(known, ", ")) + ")");
    }
    if (!parsed.verifies(*key, checksums))
        refuse("by the key " + id +
               " does not match: the checksums file or the signature was "
               "changed after it was signed");

    const std::vector<std::string> fields = split(parsed.trusted_comment, ' ');
    constexpr std::array<std::string_view, 4> k_names{"repository:", "tag:", "version:", "time:"};
    std::array<std::string, 4> values;
    bool well_formed = fields.size() == k_names.size();
    for (std::size_t i = 0; well_formed && i < k_names.size(); ++i) {
        well_formed = fields[i].starts_with(k_names[i]);
        if (well_formed) values[i] = fields[i].substr(k_names[i].size());
    }
    if (!well_formed || !looks_like_time(values[3])) {
        refuse("has the trusted comment '" + parsed.trusted_comment +
               "', expected 'repository:OWNER/NAME tag:TAG version:VERSION time:TIME'");
    }
    const std::array<std::string, 3> expected{repository, release.tag,
                                              release.version.value().to_string()};
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (values[i] != expected[i]) {
            refuse("is for the " + std::string(k_names[i].substr(0, k_names[i].size() - 1)) + " '" +
                   values[i] + "', expected '" + expected[i] + "'");
        }
    }
    return {id, values[3]};
}

}  // namespace runner
