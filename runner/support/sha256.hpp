// SPDX-License-Identifier: Apache-2.0
// SHA-256, by OpenSSL.
#pragma once

#include <memory>
#include <string_view>

#include "model/digest.hpp"

namespace runner {

/// Hashes a stream piece by piece.
class Sha256 {
 public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(std::string_view bytes);
    /// The digest of everything so far; the object starts anew after it.
    Digest finish();

 private:
    struct State;
    std::unique_ptr<State> m_state;
};

Digest sha256(std::string_view bytes);

/// HMAC-SHA-256 (RFC 2104) of `bytes` with `key`.
Digest hmac_sha256(std::string_view key, std::string_view bytes);

}  // namespace runner
