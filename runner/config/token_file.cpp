// SPDX-License-Identifier: Apache-2.0
#include "config/token_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "model/error.hpp"
#include "model/json.hpp"
#include "support/clock.hpp"
#include "support/file.hpp"
#include "support/read.hpp"
#include "support/sha256.hpp"
#include "support/text.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_file = 1U << 20U;
constexpr std::size_t k_max_name = 64;
constexpr std::size_t k_token_bytes = 32;

bool is_name(const std::string& name) {
    return !name.empty() && name.size() <= k_max_name && name.front() != '-' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.' || c == '@';
           });
}

std::vector<Token> parse_tokens(const std::string& text, const std::string& what) {
    const Json document = parse_json(text, what);
    const JsonObject object(document, what);
    const Json& list = object.at("tokens");
    if (!list.is_array()) object.fail("tokens", "must be a list");
    std::vector<Token> tokens;
    for (const Json& item : list) {
        const JsonObject entry(item, what + ": a token");
        Token token;
        token.name = entry.string("name");
        if (!is_name(token.name)) entry.fail("name", "is no name of a token");
        // A role that cannot be determined is no role.
        const auto role = role_from(entry.string("role"));
        if (!role) entry.fail("role", "must be reader or admin");
        token.role = *role;
        const auto hash = Digest::parse(entry.string("hash"));
        if (!hash) entry.fail("hash", "must be 64 hexadecimal digits");
        token.hash = *hash;
        token.created_at = parse_time(entry.string("createdAt"));
        if (entry.has("expiresAt")) token.expires_at = parse_time(entry.string("expiresAt"));
        tokens.push_back(std::move(token));
    }
    return tokens;
}

std::string text_of(const std::vector<Token>& tokens) {
    Json json = {{"schemaVersion", 1}, {"kind", "RunnerTokens"}, {"tokens", Json::array()}};
    for (const Token& token : tokens)
        json["tokens"].push_back({{"name", token.name},
                                  {"role", to_string(token.role)},
                                  {"hash", token.hash.to_string()},
                                  {"createdAt", format_time(token.created_at)},
                                  {"expiresAt", optional_time(token.expires_at)}});
    return dump_json(json, 2) + '\n';
}

/// Changes the file, one after the other: two who do it at once lose nothing.
void change_tokens(const fs::path& file, const std::function<void(std::vector<Token>&)>& change) {
    const fs::path folder = fs::absolute(file).parent_path();
    make_folders(folder);
    const UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock || ::flock(lock.get(), LOCK_EX) != 0)
        throw system_error("cannot lock " + folder.string(), errno);
    std::vector<Token> tokens = read_tokens(file);
    change(tokens);
    replace_file(file, text_of(tokens));
    ::chmod(file.c_str(), S_IRUSR | S_IWUSR);  // hashes: no secret, and nobody's business
}

}  // namespace

const char* to_string(Role role) {
    return role == Role::admin ? "admin" : "reader";
}

std::optional<Role> role_from(std::string_view word) {
    if (word == "admin") return Role::admin;
    if (word == "reader") return Role::reader;
    return std::nullopt;
}

std::vector<Token> read_tokens(const fs::path& file) {
    const auto text = read_file_if_there(file, k_max_file);
    if (!text) return {};
    struct stat facts {};
    if (::stat(file.c_str(), &facts) == 0 && (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw Error(Failure::usage,
                    file.string() + " may be written by others: whoever does could make tokens",
                    "chmod go-w " + file.string());
    try {
        return parse_tokens(*text, file.string());
    } catch (const Error& error) {
        throw error.as(Failure::usage);
    }
}

std::string create_token(const fs::path& file, const std::string& name, Role role,
                         std::chrono::milliseconds now,
                         std::optional<std::chrono::milliseconds> lifetime) {
    if (!is_name(name))
        throw Error(Failure::usage,
                    "--name '" + name + "': expected up to 64 letters, digits, '-', '_', '.', '@'");
    std::string secret = "rnr_" + random_hex(k_token_bytes);
    change_tokens(file, [&](std::vector<Token>& tokens) {
        for (const Token& token : tokens) {
            if (token.name == name)
                throw Error(Failure::usage,
                            "there is a token '" + name + "' in " + file.string() + " already",
                            "choose another name, or 'runner token revoke " + name + "' first");
        }
        tokens.push_back({name, role, sha256(secret), now,
                          lifetime ? std::optional(now + *lifetime) : std::nullopt});
    });
    return secret;
}

void revoke_token(const fs::path& file, const std::string& name) {
    change_tokens(file, [&](std::vector<Token>& tokens) {
        if (std::erase_if(tokens, [&](const Token& token) { return token.name == name; }) == 0)
            throw Error(Failure::usage, "there is no token '" + name + "' in " + file.string(),
                        "'runner token list' shows them");
    });
}

std::optional<Token> find_token(const std::vector<Token>& tokens, std::string_view presented,
                                std::chrono::milliseconds now) {
    // Hashes are compared, and all of them to their ends: time tells nothing about a token.
    const std::string hash = sha256(presented).to_string();
    const Token* found = nullptr;
    for (const Token& token : tokens) {
        const std::string candidate = token.hash.to_string();
        unsigned difference = 0;
        for (std::size_t i = 0; i < hash.size(); ++i)
            difference |= static_cast<unsigned char>(hash[i] ^ candidate[i]);
        if (difference == 0) found = &token;
    }
    if (found == nullptr || (found->expires_at && *found->expires_at <= now)) return std::nullopt;
    return *found;
}

}  // namespace runner
