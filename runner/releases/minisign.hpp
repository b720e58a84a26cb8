// SPDX-License-Identifier: Apache-2.0
// minisign's keys and signatures (https://jedisct1.github.io/minisign/, "Signature format"):
// Ed25519 over the BLAKE2b-512 digest of the bytes, and a second signature over the first one and
// the trusted comment.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/secret.hpp"

namespace runner {

using KeyId = std::array<std::uint8_t, 8>;

/// As minisign prints it: 16 upper-case hexadecimal digits, the last byte first.
std::string to_string(const KeyId& id);

struct PublicKey {
    KeyId id{};
    std::array<std::uint8_t, 32> key{};

    /// Reads the base64 text ("RWQ…") or the whole key file, whose first line is a comment. Throws
    /// Error{usage} that names `what`.
    static PublicKey parse(std::string_view text, const std::string& what);
    /// The base64 text.
    [[nodiscard]] std::string to_string() const;
};

struct Signature {
    KeyId key_id{};
    std::array<std::uint8_t, 64> signature{};
    std::string trusted_comment;
    std::array<std::uint8_t, 64> global_signature{};

    /// Reads a `.minisig` file: exactly its four lines, prehashed ("ED"). Throws Error{preparation}
    /// that names `what`.
    static Signature parse(std::string_view text, const std::string& what);
    [[nodiscard]] std::string to_string() const;

    /// Whether `key` made this signature of `bytes`, and of the trusted comment.
    [[nodiscard]] bool verifies(const PublicKey& key, std::string_view bytes) const;
};

/// A secret key; the same input gives the same signature.
class SecretKey {
 public:
    static SecretKey generate();
    /// Reads a secret key file of minisign. `password` decrypts it; ignored when it is not
    /// encrypted. Throws Error{usage} that names `what`, for a wrong password too.
    static SecretKey parse(std::string_view text, const Secret& password, const std::string& what);
    /// The file's text, not encrypted.
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] PublicKey public_key() const;
    /// `trusted_comment` is one line.
    [[nodiscard]] Signature sign(std::string_view bytes, const std::string& trusted_comment) const;

 private:
    KeyId m_id{};
    std::array<std::uint8_t, 32> m_seed{};
    std::array<std::uint8_t, 32> m_public{};
};

}  // namespace runner
