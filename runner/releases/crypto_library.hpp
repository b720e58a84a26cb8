// SPDX-License-Identifier: Apache-2.0
// OpenSSL's high-level half, opened when the first signature is judged or made: linked in, its
// tables would double the time that a run with nothing to do takes (docs/adr/0003-startup.md).
#pragma once

#include <openssl/evp.h>
#include <openssl/rand.h>

namespace runner {

/// The functions that are used, with OpenSSL's own types.
struct CryptoLibrary {
    decltype(&::EVP_EncodeBlock) encode_block;
    decltype(&::EVP_DecodeBlock) decode_block;
    decltype(&::EVP_Digest) digest;
    decltype(&::EVP_blake2b512) blake2b512;
    decltype(&::EVP_MD_CTX_new) context_new;
    decltype(&::EVP_MD_CTX_free) context_free;
    decltype(&::EVP_PKEY_new_raw_public_key) public_key_new;
    decltype(&::EVP_PKEY_new_raw_private_key) private_key_new;
    decltype(&::EVP_PKEY_get_raw_public_key) get_public_key;
    decltype(&::EVP_PKEY_free) key_free;
    decltype(&::EVP_DigestVerifyInit) verify_init;
    decltype(&::EVP_DigestVerify) verify;
    decltype(&::EVP_DigestSignInit) sign_init;
    decltype(&::EVP_DigestSign) sign;
    decltype(&::EVP_PBE_scrypt) scrypt;
    decltype(&::RAND_bytes) random_bytes;

    /// Opens the library at the first call. Throws Error{preparation} when it is not installed.
    static const CryptoLibrary& get();
};

}  // namespace runner
