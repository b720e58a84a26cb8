// SPDX-License-Identifier: Apache-2.0
// The low-level calls are marked deprecated in OpenSSL 3, but the high-level ones look every
// algorithm up through the provider machinery, which costs more at first use than a whole run with
// nothing to do.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "support/sha256.hpp"

#include <openssl/sha.h>

namespace runner {

struct Sha256::State {
    SHA256_CTX context;
};

Sha256::Sha256() : m_state(std::make_unique<State>()) {
    SHA256_Init(&m_state->context);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    SHA256_Update(&m_state->context, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
    Digest digest;
    SHA256_Final(digest.bytes.data(), &m_state->context);
    SHA256_Init(&m_state->context);
    return digest;
}

Digest sha256(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

// By hand for the same reason: OpenSSL's HMAC goes through the provider machinery.
Digest hmac_sha256(std::string_view key, std::string_view bytes) {
    constexpr std::size_t k_block = 64;
    std::string block(key);
    if (block.size() > k_block) {
        const Digest shorter = sha256(key);
        block.assign(shorter.bytes.begin(), shorter.bytes.end());
    }
    block.resize(k_block, '\0');
    const auto padded = [&](unsigned char pad) {
        std::string text = block;
        for (char& c : text) c = static_cast<char>(static_cast<unsigned char>(c) ^ pad);
        return text;
    };
    const Digest inner = sha256(padded(0x36) + std::string(bytes));
    return sha256(padded(0x5c) + std::string(inner.bytes.begin(), inner.bytes.end()));
}

}  // namespace runner
