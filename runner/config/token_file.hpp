// SPDX-License-Identifier: Apache-2.0
// Who may use the HTTP API: bearer tokens, of which only hashes are kept.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/digest.hpp"

namespace runner {

/// What a token allows: a reader looks, an admin acts, too.
enum class Role { reader, admin };

const char* to_string(Role role);
std::optional<Role> role_from(std::string_view word);

struct Token {
    std::string name;  ///< of the person or program that has it; unique; the actor of its runs
    Role role = Role::reader;
    Digest hash;  ///< SHA-256 of the token, which is random enough to need no salt
    std::chrono::milliseconds created_at{};  ///< since the Unix epoch
    std::optional<std::chrono::milliseconds> expires_at;
};

/// The tokens in `file`; none when there is no such file. Throws Error{usage} when it is not what
/// `runner token` writes, or when others than its owner may write it.
std::vector<Token> read_tokens(const std::filesystem::path& file);

/// A new token in `file`, made when it is not there: returns the token itself, which is kept
/// nowhere. `now` and `lifetime` in milliseconds; no lifetime: it never expires. Throws
/// Error{usage} when the name is taken, or no name.
std::string create_token(const std::filesystem::path& file, const std::string& name, Role role,
                         std::chrono::milliseconds now,
                         std::optional<std::chrono::milliseconds> lifetime);

/// Throws Error{usage} when there is no token of that name.
void revoke_token(const std::filesystem::path& file, const std::string& name);

/// Whose token `presented` is; nothing when nobody's, or when it has expired. Takes as long for a
/// wrong token as for a right one.
std::optional<Token> find_token(const std::vector<Token>& tokens, std::string_view presented,
                                std::chrono::milliseconds now);

}  // namespace runner
