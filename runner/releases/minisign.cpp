// SPDX-License-Identifier: Apache-2.0
#include "releases/minisign.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "model/error.hpp"
#include "model/harmless.hpp"
#include "releases/crypto_library.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct FreeKey {
    void operator()(EVP_PKEY* key) const { CryptoLibrary::get().key_free(key); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { CryptoLibrary::get().context_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

constexpr std::string_view k_untrusted = "untrusted comment: ";
constexpr std::string_view k_trusted = "trusted comment: ";
constexpr std::size_t k_max_text = 16U << 10U;

// The secret key file: algorithms, key derivation's parameters, then what may be encrypted.
constexpr std::size_t k_salt_at = 6;
constexpr std::size_t k_ops_limit_at = 38;
constexpr std::size_t k_memory_limit_at = 46;
constexpr std::size_t k_secret_at = 54;
constexpr std::size_t k_secret_size = 8 + 64 + 32;
constexpr std::uint64_t k_max_memory_limit = 1ULL << 30U;

[[noreturn]] void out_of_order(const char* what) {
    throw Error(Failure::preparation, std::string("OpenSSL cannot ") + what);
}

std::string encode(const Bytes& bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int length =
        CryptoLibrary::get().encode_block(reinterpret_cast<unsigned char*>(text.data()),
                                          bytes.data(), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

/// Base64 with padding and nothing else, of exactly `size` bytes; empty when it is anything else.
Bytes decode(std::string_view text, std::size_t size) {
    if (text.size() != (size + 2) / 3 * 4) return {};
    Bytes bytes(text.size() / 4 * 3);
    const int length = CryptoLibrary::get().decode_block(
        bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size()));
    if (length < 0) return {};
    bytes.resize(size);
    return encode(bytes) == text ? bytes : Bytes();
}

/// The lines of a text file, of which the last may end without a newline.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines = split_lines(text);
    for (std::string_view& line : lines) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
}

void add_line(std::string& text, std::string_view begin, std::string_view rest) {
    text += begin;
    text += rest;
    text += '\n';
}

template <std::size_t Size>
void take(std::array<std::uint8_t, Size>& target, const Bytes& bytes, std::size_t at) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), Size, target.begin());
}

void put(Bytes& bytes, std::string_view text) {
    bytes.insert(bytes.end(), text.begin(), text.end());
}

template <std::size_t Size>
void put(Bytes& bytes, const std::array<std::uint8_t, Size>& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes prehash(std::string_view bytes) {
    Bytes digest(64);
    unsigned int size = 0;
    if (CryptoLibrary::get().digest(bytes.data(), bytes.size(), digest.data(), &size,
                                    CryptoLibrary::get().blake2b512(), nullptr) != 1)
        out_of_order("make a BLAKE2b-512 digest");
    return digest;
}

bool verify(const std::array<std::uint8_t, 32>& key, const Bytes& bytes,
            const std::array<std::uint8_t, 64>& signature) {
    const Key handle(
        CryptoLibrary::get().public_key_new(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
    const Context context(CryptoLibrary::get().context_new());
    if (!handle || !context ||
        CryptoLibrary::get().verify_init(context.get(), nullptr, nullptr, nullptr, handle.get()) !=
            1) {
        out_of_order("verify Ed25519 signatures");
    }
    return CryptoLibrary::get().verify(context.get(), signature.data(), signature.size(),
                                       bytes.data(), bytes.size()) == 1;
}

Key key_from(const std::array<std::uint8_t, 32>& seed) {
    Key handle(
        CryptoLibrary::get().private_key_new(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
    if (!handle) out_of_order("use Ed25519 keys");
    return handle;
}

std::array<std::uint8_t, 64> sign_with(const std::array<std::uint8_t, 32>& seed,
                                       const Bytes& bytes) {
    const Key handle = key_from(seed);
    const Context context(CryptoLibrary::get().context_new());
    std::array<std::uint8_t, 64> signature{};
    std::size_t size = signature.size();
    if (!context ||
        CryptoLibrary::get().sign_init(context.get(), nullptr, nullptr, nullptr, handle.get()) !=
            1 ||
        CryptoLibrary::get().sign(context.get(), signature.data(), &size, bytes.data(),
                                  bytes.size()) != 1) {
        out_of_order("sign with Ed25519");
    }
    return signature;
}

std::array<std::uint8_t, 32> public_of(const std::array<std::uint8_t, 32>& seed) {
    std::array<std::uint8_t, 32> key{};
    std::size_t size = key.size();
    if (CryptoLibrary::get().get_public_key(key_from(seed).get(), key.data(), &size) != 1)
        out_of_order("derive a public key");
    return key;
}

/// What both signatures are over: the first signature, then the comment.
Bytes global_text(const Signature& signature) {
    Bytes text;
    put(text, signature.signature);
    put(text, signature.trusted_comment);
    return text;
}

std::uint64_t little_endian(const Bytes& bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8U | bytes[at + i];
    return value;
}

/// scrypt's parameters out of libsodium's limits, as crypto_pwhash_scryptsalsa208sha256 chooses
/// them.
void decrypt(Bytes& file, const Secret& password, const std::string& what) {
    const std::uint64_t operations =
        std::max<std::uint64_t>(little_endian(file, k_ops_limit_at), 32768);
    const std::uint64_t memory = little_endian(file, k_memory_limit_at);
    if (memory > k_max_memory_limit || operations > k_max_memory_limit)
        throw Error(Failure::usage, what + ": its password costs more memory than 1 GiB");
    constexpr std::uint64_t k_block = 8;
    const bool by_operations = operations < memory / 32;
    const std::uint64_t most =
        by_operations ? operations / (k_block * 4) : memory / (k_block * 128);
    unsigned int log_n = 1;
    while (log_n < 63 && (1ULL << log_n) <= most / 2) ++log_n;
    const std::uint64_t parallel =
        by_operations
            ? 1
            : std::min<std::uint64_t>(operations / 4 / (1ULL << log_n), 0x3fffffff) / k_block;
    Bytes stream(k_secret_size);
    if (CryptoLibrary::get().scrypt(password.reveal().data(), password.reveal().size(),
                                    &file[k_salt_at], 32, 1ULL << log_n, k_block,
                                    std::max<std::uint64_t>(parallel, 1), 2 * k_max_memory_limit,
                                    stream.data(), stream.size()) != 1) {
        out_of_order("derive a key from the password");
    }
    for (std::size_t i = 0; i < k_secret_size; ++i) file[k_secret_at + i] ^= stream[i];
}

}  // namespace

std::string to_string(const KeyId& id) {
    constexpr char k_digits[] = "0123456789ABCDEF";
    std::string text;
    for (auto byte = id.rbegin(); byte != id.rend(); ++byte) {
        text += k_digits[*byte >> 4U];
        text += k_digits[*byte & 15U];
    }
    return text;
}

PublicKey PublicKey::parse(std::string_view text, const std::string& what) {
    const std::vector<std::string_view> lines = lines_of(text.substr(0, k_max_text));
    std::string_view line;
    if (lines.size() == 1) line = lines[0];
    if (lines.size() == 2 && lines[0].starts_with(k_untrusted)) line = lines[1];
    const Bytes bytes = decode(line, 42);
    if (bytes.empty() || bytes[0] != 'E' || bytes[1] != 'd') {
        throw Error(Failure::usage,
                    what + ": '" + shortened(harmless(text), 80) + "' is no minisign public key",
                    "a public key is 56 characters that begin with RW; 'minisign -G' prints it");
    }
    PublicKey key;
    take(key.id, bytes, 2);
    take(key.key, bytes, 10);
    return key;
}

std::string PublicKey::to_string() const {
    Bytes bytes;
    put(bytes, "Ed");
    put(bytes, id);
    put(bytes, key);
    return encode(bytes);
}

Signature Signature::parse(std::string_view text, const std::string& what) {
    const auto refuse = [&](const std::string& reason) {
        throw Error(Failure::preparation, what + " is no minisign signature: " + reason);
    };
    if (text.size() > k_max_text) refuse("it is too long");
    const std::vector<std::string_view> lines = lines_of(text);
    if (lines.size() != 4) refuse("expected 4 lines, found " + std::to_string(lines.size()));
    if (!lines[0].starts_with(k_untrusted)) refuse("its first line is no untrusted comment");
    if (!lines[2].starts_with(k_trusted)) refuse("its third line is no trusted comment");
    const Bytes first = decode(lines[1], 74);
    const Bytes second = decode(lines[3], 64);
    if (first.empty() || second.empty()) refuse("its signatures are not base64 of the right size");
    if (first[0] != 'E' || first[1] != 'D') {
        refuse(first[1] == 'd' ? "it is of the legacy kind that is not prehashed"
                               : "its algorithm is unknown");
    }
    Signature signature;
    take(signature.key_id, first, 2);
    take(signature.signature, first, 10);
    signature.trusted_comment = lines[2].substr(k_trusted.size());
    take(signature.global_signature, second, 0);
    return signature;
}

std::string Signature::to_string() const {
    Bytes first;
    put(first, "ED");
    put(first, key_id);
    put(first, signature);
    Bytes second;
    put(second, global_signature);
    std::string text;
    add_line(text, k_untrusted, "signature from minisign secret key");
    add_line(text, "", encode(first));
    add_line(text, k_trusted, trusted_comment);
    add_line(text, "", encode(second));
    return text;
}

bool Signature::verifies(const PublicKey& key, std::string_view bytes) const {
    return key.id == key_id && verify(key.key, prehash(bytes), signature) &&
           verify(key.key, global_text(*this), global_signature);
}

SecretKey SecretKey::generate() {
    SecretKey key;
    if (CryptoLibrary::get().random_bytes(key.m_id.data(), static_cast<int>(key.m_id.size())) !=
            1 ||
        CryptoLibrary::get().random_bytes(key.m_seed.data(), static_cast<int>(key.m_seed.size())) !=
            1) {
        out_of_order("make random numbers");
    }
    key.m_public = public_of(key.m_seed);
    return key;
}

SecretKey SecretKey::parse(std::string_view text, const Secret& password, const std::string& what) {
    const std::vector<std::string_view> lines = lines_of(text.substr(0, k_max_text));
    Bytes file;
    if (lines.size() == 2 && lines[0].starts_with(k_untrusted))
        file = decode(lines[1], k_secret_at + k_secret_size);
    const bool known =
        !file.empty() && file[0] == 'E' && file[1] == 'd' && file[4] == 'B' && file[5] == '2';
    const bool encrypted = known && file[2] == 'S' && file[3] == 'c';
    if (!known || (!encrypted && (file[2] != 0 || file[3] != 0)))
        throw Error(Failure::usage, what + " is no minisign secret key", "'minisign -G' makes one");
    if (encrypted) decrypt(file, password, what);
    SecretKey key;
    take(key.m_id, file, k_secret_at);
    take(key.m_seed, file, k_secret_at + 8);
    take(key.m_public, file, k_secret_at + 40);
    // The file's own check sum needs a digest that OpenSSL 3.0 does not have; the public half,
    // which follows from the secret one, tells as much.
    if (public_of(key.m_seed) != key.m_public) {
        throw Error(Failure::usage, what + (encrypted ? ": its password is wrong" : " is damaged"));
    }
    return key;
}

std::string SecretKey::to_string() const {
    Bytes file;
    put(file, std::string_view("Ed\0\0B2", 6));
    file.resize(k_secret_at);
    put(file, m_id);
    put(file, m_seed);
    put(file, m_public);
    file.resize(k_secret_at + k_secret_size);
    std::string text;
    add_line(text, k_untrusted, "minisign secret key");
    add_line(text, "", encode(file));
    return text;
}

PublicKey SecretKey::public_key() const {
    return {m_id, m_public};
}

Signature SecretKey::sign(std::string_view bytes, const std::string& trusted_comment) const {
    Signature signature;
    signature.key_id = m_id;
    signature.trusted_comment = trusted_comment;
    signature.signature = sign_with(m_seed, prehash(bytes));
    signature.global_signature = sign_with(m_seed, global_text(signature));
    return signature;
}

}  // namespace runner
