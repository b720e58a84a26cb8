// SPDX-License-Identifier: Apache-2.0
#include "releases/crypto_library.hpp"

#include "releases/system_library.hpp"

namespace runner {
namespace {

CryptoLibrary open_library() {
    static SystemLibrary library(RUNNER_CRYPTO_LIBRARY, "OpenSSL 3");
    CryptoLibrary crypto{};
    library.find(crypto.encode_block, "EVP_EncodeBlock");
    library.find(crypto.decode_block, "EVP_DecodeBlock");
    library.find(crypto.digest, "EVP_Digest");
    library.find(crypto.blake2b512, "EVP_blake2b512");
    library.find(crypto.context_new, "EVP_MD_CTX_new");
    library.find(crypto.context_free, "EVP_MD_CTX_free");
    library.find(crypto.public_key_new, "EVP_PKEY_new_raw_public_key");
    library.find(crypto.private_key_new, "EVP_PKEY_new_raw_private_key");
    library.find(crypto.get_public_key, "EVP_PKEY_get_raw_public_key");
    library.find(crypto.key_free, "EVP_PKEY_free");
    library.find(crypto.verify_init, "EVP_DigestVerifyInit");
    library.find(crypto.verify, "EVP_DigestVerify");
    library.find(crypto.sign_init, "EVP_DigestSignInit");
    library.find(crypto.sign, "EVP_DigestSign");
    library.find(crypto.scrypt, "EVP_PBE_scrypt");
    library.find(crypto.random_bytes, "RAND_bytes");
    return crypto;
}

}  // namespace

const CryptoLibrary& CryptoLibrary::get() {
    static const CryptoLibrary crypto = open_library();
    return crypto;
}

}  // namespace runner
